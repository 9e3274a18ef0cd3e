"""The local mailbox: real SMTP in, HTTP out, kept over a restart, and misbehaving when told to."""

from __future__ import annotations

import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from support import mailbox as mailbox_process
from support.waiting import wait_until


class Mailbox(mailbox_process.Mailbox):
    """One that this test writes to."""

    def send(self, message: EmailMessage, sender: str, *recipients: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as client:
            client.send_message(message, sender, recipients)


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tmp_path) as box:
        yield box


def _mail(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Jörg Müller <joerg@customer.example>"
    mail["To"] = "support@acme.example"
    mail["Subject"] = subject
    mail["X-Twice"] = "first"
    mail["X-Twice"] = "second"
    mail.set_content("Grüße\n")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="bill.pdf")
    return mail


def _rcpt_code(mailbox: Mailbox, recipient: str) -> int:
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=10) as client:
        client.ehlo()
        client.mail("s@x.example")
        return client.rcpt(recipient)[0]


def test_mail_is_shown_decoded_newest_first_and_survives_a_restart(mailbox: Mailbox) -> None:
    mailbox.send(_mail("Prüfung"), "bounce@customer.example", "a@x.example", "b@x.example")
    mailbox.send(_mail("zweite"), "", "b@x.example")
    mailbox.terminate()
    mailbox.start()
    second, first = mailbox.call("GET", "/messages")
    assert (second["subject"], first["subject"]) == ("zweite", "Prüfung")
    assert first["from"] == "joerg@customer.example"
    assert first["to"] == "a@x.example, b@x.example"
    assert first["envelope"] == {"from": "bounce@customer.example", "to": ["a@x.example", "b@x.example"]}
    assert second["envelope"]["from"] == ""
    assert first["headers"]["X-Twice"] == "first"
    assert first["text"] == "Grüße\n"
    assert first["attachments"] == [{"filename": "bill.pdf", "type": "application/pdf", "size": 4}]
    assert "Subject: =?utf-8?" in first["raw"]
    assert [m["subject"] for m in mailbox.call("GET", "/messages?to=A@x.example")] == ["Prüfung"]
    assert mailbox.call("DELETE", "/messages") == {"deleted": 2}
    assert mailbox.call("GET", "/messages") == []


def test_mail_without_header_or_with_a_broken_one_is_still_shown(mailbox: Mailbox) -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port) as client:
        client.sendmail("s@x.example", ["r@x.example"], b"no header at all\r\n")
        client.sendmail("s@x.example", ["r@x.example"], b"From: <unclosed\r\nSubject: \xff\xfe\r\n\r\nx\r\n")
    broken, bare = mailbox.call("GET", "/messages")
    assert bare["from"] == "s@x.example"
    assert "unclosed" in broken["headers"]["From"]


def test_faults_on_demand(mailbox: Mailbox) -> None:
    mailbox.call("POST", "/behaviour", {"mode": "refuse", "to": "gone@x.example"})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        mailbox.send(_mail("s"), "s@x.example", "gone@x.example")
    assert refused.value.recipients["gone@x.example"][0] == 550
    mailbox.send(_mail("others still arrive"), "s@x.example", "here@x.example")
    mailbox.call("POST", "/behaviour", {"mode": "defer", "for_s": 2})

    assert _rcpt_code(mailbox, "gone@x.example") == 451
    wait_until(lambda: _rcpt_code(mailbox, "gone@x.example") == 250, 10)
    mailbox.call("POST", "/behaviour", {"mode": "login"})
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("anybody", "anything")
    mailbox.call("POST", "/behaviour", {"mode": "accept"})
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port) as client:
        assert client.login("anybody", "anything")[0] == 235
    with pytest.raises(urllib.error.HTTPError) as bad:
        mailbox.call("POST", "/behaviour", {"mode": "explode"})
    assert bad.value.code == 422


def test_a_hanging_server_answers_once_it_is_released(mailbox: Mailbox) -> None:
    mailbox.call("POST", "/behaviour", {"mode": "hang"})
    client = smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=0.5)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail("s@x.example", ["r@x.example"], b"Subject: a\r\n\r\nx\r\n")
    client.close()
    mailbox.call("POST", "/behaviour", {"mode": "accept"})
    mailbox.send(_mail("b"), "s@x.example", "r@x.example")
    assert mailbox.call("GET", "/messages")[0]["subject"] == "b"
