"""How clients may talk to the running service: pieces, pipelines, half-closed, LMTP, STARTTLS."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

from .conftest import PLAIN, Intake


def test_lmtp_answers_for_each_recipient(intake: Intake) -> None:
    with intake.raw(lmtp=True) as wire:
        wire.begin("support@acme.example", "help@beta.example", hello="LHLO")
        assert wire.ask(b"RCPT TO:<nobody@acme.example>\r\n").startswith("550 5.1.1 ")
        assert wire.ask(b"DATA\r\n").startswith("354 ")
        first = wire.ask(PLAIN.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        second = wire.reply()
        assert wire.ask(b"EHLO client.example\r\n").startswith("500 5.5.1")
        assert wire.ask(b"QUIT\r\n").startswith("221")
    events = {event.portal_id: event for event in intake.received()}
    assert first == f"250 2.6.0 Accepted as {events['p1'].id}"
    assert second == f"250 2.6.0 Accepted as {events['p2'].id}"
    assert events["p1"].source == "lmtp"


def test_swaks_null_sender_and_pipelining(intake: Intake) -> None:
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{intake.smtp_port}", "--from", "<>", "--to", "support@acme.example",
         "--pipeline", "--header", "Subject: from swaks", "--body", "hello"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "250 2.6.0 Accepted as" in done.stdout
    (event,) = intake.received()
    assert event.envelope.mail_from == ""
    assert event.content.subject == "from swaks"


def test_bdat_less_pipelining_in_one_packet(intake: Intake) -> None:
    with intake.raw() as wire:
        assert wire.reply().startswith("220 mx.mailroom.example ESMTP")
        one = b"MAIL FROM:<jo@customer.example>\r\nRCPT TO:<support@acme.example>\r\nRCPT TO:<nobody@acme.example>\r\nDATA\r\n"
        wire.send(b"EHLO client.example\r\n")
        assert "250-PIPELINING" in wire.reply()
        wire.send(one)
        replies = [wire.reply() for _ in range(4)]
        assert [reply[:9] for reply in replies] == ["250 2.1.0", "250 2.1.5", "550 5.1.1", "354 End d"]
        # the next envelope comes right behind the dot
        wire.send(PLAIN.replace(b"\r\n.", b"\r\n..") + b".\r\n" + one)
        replies = [wire.reply() for _ in range(5)]
        assert [reply[:9] for reply in replies] == ["250 2.6.0", "250 2.1.0", "250 2.1.5", "550 5.1.1", "354 End d"]
        assert wire.ask(b"Subject: two\r\n\r\n.\r\nQUIT\r\n").startswith("250 2.6.0")
        assert wire.reply().startswith("221 ")
    assert {event.content.subject for event in intake.received()} == {"My order", "two"}


def test_commands_come_in_any_pieces_and_in_any_case(intake: Intake) -> None:
    with intake.raw() as wire:
        wire.begin()
        assert wire.ask(b"rset\r\n").startswith("250 2.0.0 ")
        assert wire.ask(b"MAIL\r\n").startswith("501 5.5.4 ")
        assert wire.ask(b"mail from:<jo@customer.example>\r\n").startswith("250 2.1.0 ")
        assert wire.ask(b"data\r\n").startswith("503 5.5.1 ")
        for piece in (b"RC", b"PT TO:<support@acm", b"e.example>", b"\r"):
            wire.send(piece)
            assert wire.silent(0.05)
        assert wire.ask(b"\n").startswith("250 2.1.5 ")
        assert wire.ask(b"DATA now\r\n").startswith("501 5.5.4 ")
        wire.send(b"DAT")
        assert wire.silent(0.05)
        assert wire.ask(b"a\r\n").startswith("354 ")
        for piece in (b"Subject: pieces\r", b"\n\r\nRSET\r\nDATA\r\n", b"QUIT\r\n.", b"\r"):
            wire.send(piece)
            assert wire.silent(0.05)
        assert wire.ask(b"\n").startswith("250 2.6.0 ")
        assert wire.ask(b"DATA\r\n").startswith("503 5.5.1 ")
        # a mail may come without waiting for the answer to DATA, which RFC 2920 forbids and some do
        wire.send(
            b"MAIL FROM:<jo@customer.example>\r\nRCPT TO:<support@acme.example>\r\nDATA\r\nSubject: at once\r\n\r\n.\r\nRSET\r\n"
        )
        replies = [wire.reply()[:9] for _ in range(5)]
        assert replies == ["250 2.1.0", "250 2.1.5", "354 End d", "250 2.6.0", "250 2.0.0"]
    assert {event.content.subject: event.content.text for event in intake.received()} == {
        "pieces": "RSET\nDATA\nQUIT\n",
        "at once": "",
    }


def test_the_last_dot_together_with_the_end_of_sending(intake: Intake) -> None:
    with intake.raw() as wire:
        wire.begin("support@acme.example")
        wire.ask(b"DATA\r\n")
        wire.send(b"Subject: half closed\r\n\r\n.\r\n")
        wire.socket.shutdown(1)
        assert wire.reply().startswith("250 2.6.0")
        assert wire.at_end()
    assert [event.content.subject for event in intake.received()] == ["half closed"]


def test_starttls_and_nothing_said_before_it_counts(make_intake: Callable[..., Intake], tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out",
         tmp_path / "cert.pem", "-days", "2", "-subj", "/CN=mx.mailroom.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    intake = make_intake(smtp_tls_cert=tmp_path / "cert.pem", smtp_tls_key=tmp_path / "key.pem")
    with intake.client() as client:
        client.ehlo()
        assert client.has_extn("starttls")
        client.mail("early@customer.example")
        code, _ = client.starttls()
        assert code == 220
        assert client.docmd("MAIL FROM:<jo@customer.example>")[0] == 503  # the greeting has to be said again
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.sendmail("jo@customer.example", ["support@acme.example"], PLAIN) == {}
    (event,) = intake.received()
    assert event.envelope.tls
    assert intake.blob(event.raw) == PLAIN
    # commands put behind STARTTLS in clear are not taken as said over TLS (RFC 3207 section 5)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with intake.raw() as wire:
        wire.reply()
        wire.ask(b"EHLO client.example\r\n")
        assert wire.ask(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@x.example>\r\n").startswith("220 ")
        with context.wrap_socket(wire.socket, server_hostname="mx") as secure:
            secure.sendall(b"NOOP\r\n")
            assert secure.recv(100) == b"250 2.0.0 OK\r\n"
            secure.sendall(b"RCPT TO:<support@acme.example>\r\n")
            assert secure.recv(100).startswith(b"503 ")
    with intake.raw() as wire:  # a handshake that fails ends that connection only
        wire.reply()
        wire.ask(b"EHLO client.example\r\n")
        wire.ask(b"STARTTLS\r\n")
        wire.send(b"this is no TLS\r\n")
        assert wire.at_end()
    assert intake.process.ready
