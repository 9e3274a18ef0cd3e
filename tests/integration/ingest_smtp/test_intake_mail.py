"""Mail taken in over SMTP and LMTP by the running service: what is published and what is kept."""

from __future__ import annotations

import asyncio
import base64
import os
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import aiosmtplib
import pytest
from mailroom_contracts import Address, EmailReceived, topics
from support.processes import ServiceProcess
from support.waiting import wait_until

from .conftest import PLAIN, Intake, send, surround


def all_counted(intake: Intake) -> dict[str, float]:
    lines = [line for line in intake.process.metrics().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def counted(intake: Intake, name: str) -> float:
    return all_counted(intake)[name]


def test_an_accepted_mail_is_published_with_its_envelope_and_kept_byte_for_byte(intake: Intake) -> None:
    answer = send(intake, PLAIN, "Support+tag@ACME.example")
    (event,) = intake.received()
    assert answer == f"250 2.6.0 Accepted as {event.id}"
    assert event.envelope.model_dump(exclude_none=True) == {
        "mail_from": "jo@customer.example",
        "rcpt_to": ["Support+tag@acme.example"],
        "client_ip": "127.0.0.1",
        "client_name": "client.example",
        "tls": False,
    }
    assert (event.portal_id, event.source, event.address_ids) == ("p1", "smtp", ["a1"])
    assert (event.content.subject, event.content.message_id) == ("My order", "m1@customer.example")
    assert event.content.from_ is not None
    assert (event.content.from_.email, event.content.from_.name) == ("jo@customer.example", "Jo Customer")
    assert event.content.text.splitlines() == ["Where is it?", ".dot"]
    assert event.content.defects == []
    assert event.size == len(PLAIN)
    assert intake.blob(event.raw) == PLAIN
    assert event.raw.key.startswith(f"p1/{event.id}/")
    (headers,) = intake.headers()
    assert headers["ce_id"] == event.id
    assert headers["ce_type"] == "email.received"
    assert headers["ce_source"] == "/mailroom/ingest_smtp"
    assert headers["traceparent"].startswith("00-")


def test_the_same_mail_twice_and_reencoded_has_one_receipt(intake: Intake) -> None:
    text = "Grüße aus Köln, wo ist meine Bestellung?\n"
    mails = []
    for encoding in ("quoted-printable", "base64", "8bit"):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "jo@customer.example", "support@acme.example", "Grüße"
        mail["Message-ID"], mail["Date"] = "<same@customer.example>", "Tue, 24 Nov 2026 09:00:00 +0000"
        mail.set_content(text, cte=encoding)
        mails.append(mail.as_bytes().replace(b"\n", b"\r\n"))
    answers = {send(intake, raw) for raw in [*mails, mails[0]]}
    events: list[EmailReceived] = intake.received()
    assert len(events) == 4
    assert len(answers) == 1
    assert {event.id for event in events} == {answers.pop().split()[-1]}
    assert sorted(intake.blob(event.raw) for event in events) == sorted([*mails, mails[0]])  # each kept whole
    other = send(intake, mails[0], "support@acme.example", "sales@acme.example")
    assert other.split()[-1] != events[0].id


def test_two_mails_with_one_message_id_are_two(intake: Intake) -> None:
    assert send(intake, PLAIN) != send(intake, PLAIN.replace(b"Where is it?", b"Where is the other one?"))


def test_one_mail_to_two_portals_is_one_event_for_each(intake: Intake) -> None:
    answer = send(intake, PLAIN, "support@acme.example", "help@beta.example", "sales@acme.example")
    events = {event.portal_id: event for event in intake.received()}
    assert set(events) == {"p1", "p2"}
    assert events["p1"].envelope.rcpt_to == ["support@acme.example", "sales@acme.example"]
    assert events["p1"].address_ids == ["a1", "a2"]
    assert events["p2"].envelope.rcpt_to == ["help@beta.example"]
    assert events["p1"].identity == events["p2"].identity
    assert set(answer.split()[4:]) == {events["p1"].id, events["p2"].id}
    assert events["p2"].raw.key.startswith("p2/")


def test_25_megabytes_of_attachments(intake: Intake) -> None:
    contents = [os.urandom(12_500_000), os.urandom(12_500_000)]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "jo@customer.example", "support@acme.example", "Pictures"
    mail.set_content("See the files.\n")
    for number, content in enumerate(contents):
        mail.add_attachment(content, maintype="image", subtype="png", filename=f"größe {number}.png")
    raw = mail.as_bytes().replace(b"\n", b"\r\n")
    assert len(raw) > 33_000_000
    assert send(intake, raw).startswith("250 2.6.0")
    (event,) = intake.received()
    assert [(a.filename, a.size) for a in event.content.attachments] == [
        ("größe 0.png", 12_500_000),
        ("größe 1.png", 12_500_000),
    ]
    assert [intake.blob(a.blob) for a in event.content.attachments] == contents
    assert intake.blob(event.raw) == raw
    assert event.content.text.strip() == "See the files."


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all\r\n",
        b"\x00\x01\xff\xfe" * 500 + b"\r\n",
        b"From: \xff\xfe<<<\r\nSubject: =?utf-8?b?!!!?=\r\nContent-Type: multipart/mixed; boundary\r\n\r\n--\r\n",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 3000,
        b"X: y\r\n" * 20_000 + b"\r\ntext\r\n",
        b"Subject: long line\r\n\r\n" + b"x" * 300_000 + b"\r\n",
        b"Date: Mon, 99 Foo 0000 99:99:99 +9999\r\nFrom: a@b\r\n\r\nx\r\n",
    ],
    ids=["empty", "blank", "no-header", "binary", "broken-mime", "nested", "20000-headers", "long-line", "bad-date"],
)  # fmt: skip
def test_a_mail_that_no_parser_likes_is_accepted_whole(intake: Intake, raw: bytes) -> None:
    with intake.raw() as wire:
        wire.begin("support@acme.example")
        wire.ask(b"DATA\r\n")
        assert wire.ask(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n").startswith("250 2.6.0")
    (event,) = intake.received()
    assert intake.blob(event.raw) == raw
    assert event.size == len(raw)


def test_long_bodies_lie_in_the_blob_store_and_the_record_stays_small(make_intake: Intake) -> None:
    intake = make_intake(inline_limit_bytes=50_000)
    text = "".join(f"line {number} of a long text\n" for number in range(20_000))
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "jo@customer.example", "Long"
    mail["To"] = ", ".join(f"person{n}@customer.example" for n in range(3000))
    mail.set_content(text, cte="8bit")
    raw = mail.as_bytes().replace(b"\n", b"\r\n")
    assert send(intake, raw).startswith("250")
    (event,) = intake.received()
    assert len(event.model_dump_json(by_alias=True, exclude_none=True).encode()) <= 50_000
    assert event.content.text_ref is not None
    assert intake.blob(event.content.text_ref).decode().splitlines() == text.splitlines()
    assert event.content.text
    assert text.startswith(event.content.text.replace("\r\n", "\n"))
    assert "cut:to" in event.content.defects


async def test_aiosmtplib_with_8bit_and_smtputf8(intake: Intake) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "jörg@bücher.example", "support@acme.example", "Äpfel"
    mail.set_content("Grüße\n", cte="8bit")
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=intake.smtp_port, start_tls=False)
    (event,) = await asyncio.to_thread(intake.received)
    assert event.envelope.mail_from == "jörg@bücher.example"
    assert event.content.subject == "Äpfel"


def test_an_address_becomes_known_and_unknown_while_the_service_runs(intake: Intake) -> None:
    row = Address(id="n1", portal_id="p1", kind="internal", email="new@acme.example", queue_id="q1")

    def answers() -> str:
        with intake.client() as client:
            client.ehlo()
            client.mail("jo@customer.example")
            code, text = client.rcpt("new@acme.example")
            return f"{code} {text.decode()[:5]}"

    assert answers() == "550 5.1.1"
    intake.publish((topics.ADDRESSES, row))
    wait_until(lambda: answers() == "250 2.1.5", 10)
    intake.publish((topics.ADDRESSES, row.model_copy(update={"active": False})))
    wait_until(lambda: answers() == "550 5.1.1", 10)


def test_two_processes_share_the_port(
    make_intake: Callable[..., Intake], start_service: Callable[..., ServiceProcess]
) -> None:
    intake = make_intake()
    second = start_service("ingest_smtp", intake.env)
    for number in range(40):
        assert send(intake, PLAIN.replace(b"<m1@", b"<m%d@" % number)).startswith("250")
    assert len(intake.received()) == 40
    name = 'mailroom_mail_accepted_total{source="smtp"}'
    taken = [all_counted(surround(intake.env, process)).get(name, 0) for process in (intake.process, second)]
    assert sum(taken) == 40


def test_metrics_and_logs_name_what_happened_without_content(intake: Intake) -> None:
    before = all_counted(intake)
    secret = base64.b64encode(os.urandom(12)).decode()
    send(intake, PLAIN.replace(b"Where is it?", secret.encode()).replace(b"My order", secret.encode()))
    with intake.client() as client:
        client.ehlo()
        client.mail("jo@customer.example")
        assert client.rcpt("nobody@acme.example")[0] == 550
        assert client.rcpt("x@foreign.example")[0] == 550
    for name, difference in (
        ('mailroom_mail_accepted_total{source="smtp"}', 1),
        ('mailroom_smtp_refused_total{reason="unknown_recipient"}', 1),
        ('mailroom_smtp_refused_total{reason="relay"}', 1),
    ):
        assert counted(intake, name) - before.get(name, 0) == difference
    (event,) = intake.received()
    log = intake.process.output()
    assert event.id in log
    assert '"event":"mail.accepted"' in log
    assert secret not in log
    with pytest.raises(smtplib.SMTPRecipientsRefused), intake.client() as client:
        client.sendmail("jo@customer.example", ["x@foreign.example"], b"x")
