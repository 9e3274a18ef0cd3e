"""What the intake refuses, with which code, and that it stays whole: bad clients, limits, smuggling."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.waiting import wait_until

from .conftest import Intake

MAIL = b"Subject: fine\r\nMessage-ID: <fine@customer.example>\r\n\r\ntext\r\n.\r\n"


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("nobody@acme.example", "550 5.1.1 "),
        ("old@acme.example", "550 5.1.1 "),
        ("anybody@foreign.example", "550 5.7.1 "),
        ("shop@elsewhere.example", "550 5.7.1 "),
        ("support", "501 5.1.3 "),
        ("postmaster@acme.example", "250 2.1.5 "),
    ],
)
def test_recipients(intake: Intake, recipient: str, reply: str) -> None:
    with intake.raw() as wire:
        wire.begin()
        assert wire.ask(f"RCPT TO:<{recipient}>\r\n".encode()).startswith(reply)
        if not reply.startswith("250"):
            assert wire.ask(b"DATA\r\n").startswith("503 5.5.1 ")
    assert intake.received() == []


def test_commands_out_of_order_and_nonsense(intake: Intake) -> None:
    with intake.raw() as wire:
        assert wire.reply().startswith("220 ")
        for command, reply in [
            (b"MAIL FROM:<a@b.example>\r\n", "503 5.5.1"),
            (b"EHLO\r\n", "501 5.5.4"),
            (b"DATA\r\n", "503 5.5.1"),
            (b"EHLO client.example\r\n", "250-"),
            (b"RCPT TO:<support@acme.example>\r\n", "503 5.5.1"),
            (b"MAIL <a@b.example>\r\n", "501 5.5.4"),
            (b"MAIL FROM:a b c\r\n", "501 5.1.7"),
            (b"MAIL FROM:<a@b.example> SIZE=ten\r\n", "501 5.5.4"),
            (b"MAIL FROM:<a@b.example> WHAT=ever\r\n", "555 5.5.4"),
            (b"VRFY support\r\n", "252 2.5.0"),
            (b"EXPN staff\r\n", "502 5.5.1"),
            (b"AUTH PLAIN AGEAYg==\r\n", "502 5.5.1"),
            (b"STARTTLS\r\n", "502 5.5.1"),
            (b"MAIL FROM:<a@b.example> BODY=8BITMIME SIZE=100\r\n", "250 2.1.0"),
            (b"MAIL FROM:<a@b.example>\r\n", "503 5.5.1"),
            (b"RSET\r\n", "250 2.0.0"),
            (b"NOOP whatever\r\n", "250 2.0.0"),
            (b"HELP\r\n", "214 2.0.0"),
            (b"mail from:<>\r\n", "250 2.1.0"),
            (b"QUIT\r\n", "221 2.0.0"),
        ]:
            assert wire.ask(command).startswith(reply), command
        assert wire.at_end()


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"GET / HTTP/1.1\r\n", b"\xff\xfe\xfd\r\n", b"\r\n", b"NOOP\n",
     b"NO\rOP\r\n", b"NOOP\x00\r\n", b"EHLO a\nMAIL FROM:<b@c.example>\r\n", b"A" * 5000 + b"\r\n",
     b"B" * 1_000_000 + b"\r\n"],
    ids=["tls", "http", "binary", "blank", "bare-lf", "bare-cr", "nul", "bare-lf-inside", "long", "endless"],
)  # fmt: skip
def test_garbage_is_answered_500_and_the_connection_goes_on(intake: Intake, garbage: bytes) -> None:
    with intake.raw() as wire:
        assert wire.reply().startswith("220 ")
        assert wire.ask(garbage).startswith("500 5.5.")
        if garbage.startswith(b"EHLO"):
            assert wire.reply().startswith("503 5.5.1")
        assert wire.ask(b"NOOP\r\n") == "250 2.0.0 OK"


def test_who_errs_too_often_is_sent_away(make_intake: Callable[..., Intake]) -> None:
    intake = make_intake(smtp_max_errors=5, smtp_max_commands=30, smtp_max_recipients=3, smtp_max_size=100_000,
                         smtp_max_connections_per_client=4, smtp_max_connections=6, smtp_idle_timeout_s=2,
                         smtp_data_timeout_s=4, smtp_memory_mb=1)  # fmt: skip
    with intake.raw() as wire:
        wire.reply()
        wire.send(b"NONSENSE\r\n" * 6)
        assert [wire.reply()[:9] for _ in range(6)] == ["500 5.5.1"] * 5 + ["421 4.7.0"]
        assert wire.at_end()
    with intake.raw() as wire:  # commands without a mail
        wire.reply()
        wire.send(b"NOOP\r\n" * 31)
        assert [wire.reply()[:9] for _ in range(31)] == ["250 2.0.0"] * 30 + ["421 4.7.0"]
        assert wire.at_end()
    with intake.raw() as wire:  # an accepted mail begins the count anew
        wire.begin()
        for _ in range(20):
            wire.send(b"RCPT TO:<support@acme.example>\r\nDATA\r\n")
            assert [wire.reply()[:3] for _ in range(2)] == ["250", "354"]
            assert wire.ask(MAIL).startswith("250 2.6.0")
            wire.send(b"NONSENSE\r\nMAIL FROM:<jo@customer.example>\r\n")
            assert [wire.reply()[:3] for _ in range(2)] == ["500", "250"]
    with intake.raw() as wire:  # recipients
        wire.begin("support@acme.example", "sales@acme.example", "support+a@acme.example")
        assert wire.ask(b"RCPT TO:<support+b@acme.example>\r\n").startswith("452 4.5.3 ")
        assert wire.ask(b"DATA\r\n").startswith("354 ")
        assert wire.ask(MAIL).startswith("250 2.6.0")
    with intake.raw() as wire:  # size, declared and real
        wire.reply()
        assert "250-SIZE 100000" in wire.ask(b"EHLO client.example\r\n").splitlines()
        assert wire.ask(b"MAIL FROM:<jo@customer.example> SIZE=100001\r\n").startswith("552 5.3.4 ")
        assert wire.ask(b"MAIL FROM:<jo@customer.example> SIZE=99999\r\n").startswith("250 ")
        wire.ask(b"RCPT TO:<support@acme.example>\r\n")
        wire.ask(b"DATA\r\n")
        assert wire.ask(b"X" * 78 + b"\r\n" + (b"y" * 998 + b"\r\n") * 300 + b".\r\n").startswith("552 5.3.4 ")
        assert wire.ask(b"NOOP\r\n") == "250 2.0.0 OK"
    with contextlib.ExitStack() as stack:  # connections of one client
        wires = [stack.enter_context(intake.raw()) for _ in range(5)]
        greetings = [wire.reply()[:9] for wire in wires]
        assert sorted(greetings) == ["220 mx.ma"] * 4 + ["421 4.7.0"]
        assert wires[greetings.index("421 4.7.0")].at_end()
    with intake.raw() as wire:  # silence
        assert wire.reply().startswith("220 ")
        assert wire.reply().startswith("421 4.4.2 ")
        assert wire.at_end()
    with intake.raw() as wire:  # silence within a mail
        wire.begin("support@acme.example")
        wire.ask(b"DATA\r\n")
        wire.send(b"Subject: half")
        assert wire.reply().startswith("421 4.4.2 ")
        assert wire.at_end()
    with intake.raw() as wire:  # dripping
        wire.begin("support@acme.example")
        wire.ask(b"DATA\r\n")
        wire.socket.settimeout(0.5)
        answer = ""
        for _ in range(40):
            try:
                wire.send(b"x")
                answer += wire.socket.recv(100).decode()
            except TimeoutError:
                continue
            except OSError:
                break
            if answer:
                break
        assert answer.startswith("421 4.4.2 ")
    assert len(intake.received()) == 21


TRICKS = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r", "LF.CR": b"\n.\r", "CR.LF": b"\r.\n", "NUL": b"\r\n\x00.\r\n", "CRCRLF": b"\r\r\n.\n",
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS.keys())
@pytest.mark.parametrize("whole", [True, False], ids=["with-end", "silent"])
def test_smuggling_is_refused_and_nothing_of_it_is_taken(intake: Intake, trick: bytes, whole: bool) -> None:
    smuggled = (
        b"Subject: outer\r\n\r\nhello" + trick + b"MAIL FROM:<admin@acme.example>\r\n"
        b"RCPT TO:<support@acme.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil"
    )
    with intake.raw() as wire:
        wire.begin("support@acme.example")
        wire.ask(b"DATA\r\n")
        assert wire.ask(smuggled + (b"\r\n.\r\n" if whole else b"")).startswith("550 5.5.2 ")
        assert wire.at_end()
    assert intake.received() == []
    assert not [file for file in intake.blobs.rglob("*") if file.is_file() and b"smuggled" in file.read_bytes()]


def test_lone_newlines_elsewhere_are_kept_or_refused_as_set(intake: Intake, make_intake: Callable[..., Intake]) -> None:
    raw = b"Subject: unix\nFrom: jo@customer.example\n\nline one\nline two\rstill\r\n"
    strict = make_intake(smtp_bare_newlines="refuse")
    for service, reply in ((intake, "250 2.6.0 "), (strict, "550 5.6.0 ")):
        with service.raw() as wire:
            wire.begin("support@acme.example")
            wire.ask(b"DATA\r\n")
            assert wire.ask(raw + b".\r\n").startswith(reply)
    (event,) = intake.received()
    assert event.content.subject == "unix"
    assert intake.blob(event.raw) == raw
    assert strict.received() == []


def test_a_client_that_stops_in_the_middle_leaves_nothing(intake: Intake) -> None:
    before = sum(file.stat().st_size for file in intake.blobs.rglob("*") if file.is_file())
    for reset in (False, True):
        with intake.raw() as wire:
            wire.begin("support@acme.example")
            wire.ask(b"DATA\r\n")
            wire.send(b"Subject: never\r\n\r\n" + b"x" * 200_000)
            if reset:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    wait_until(lambda: "mailroom_smtp_connections 0.0" in intake.process.metrics(), 10)
    assert "mailroom_smtp_held_bytes 0.0" in intake.process.metrics()
    assert intake.received() == []
    assert sum(file.stat().st_size for file in intake.blobs.rglob("*") if file.is_file()) == before


def test_too_much_mail_at_once_is_put_off(make_intake: Callable[..., Intake]) -> None:
    intake = make_intake(smtp_memory_mb=1)
    with intake.raw() as wire:
        wire.begin("support@acme.example")
        wire.ask(b"DATA\r\n")
        wire.send((b"z" * 998 + b"\r\n") * 3000)
        assert wire.ask(b".\r\n").startswith("452 4.3.1 ")
        assert wire.ask(b"MAIL FROM:<jo@customer.example>\r\n").startswith("250")
        wire.ask(b"RCPT TO:<support@acme.example>\r\n")
        wire.ask(b"DATA\r\n")
        assert wire.ask(MAIL).startswith("250 2.6.0")


def test_wrong_settings_stop_the_start_and_name_the_variable(
    make_intake: Callable[..., Intake], tmp_path: Path
) -> None:
    intake = make_intake(ready=False, configured=False, smtp_max_size="big", smtp_tls_cert=tmp_path / "no.pem")
    assert intake.process.wait(30) == 2
    assert "MAILROOM_SMTP_MAX_SIZE" in intake.process.output()
    assert "MAILROOM_SMTP_TLS_CERT" in intake.process.output()


def test_a_taken_port_is_said_in_one_line(make_intake: Callable[..., Intake]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        intake = make_intake(ready=False, configured=False, smtp_port=taken.getsockname()[1])
        assert intake.process.wait(30) == 1
        assert "MAILROOM_SMTP_PORT" in intake.process.output()


def test_stop_says_421_and_finishes_the_mail_under_way(make_intake: Callable[..., Intake]) -> None:
    intake = make_intake(drain_s=20)
    with intake.raw() as idle, intake.raw() as busy:
        idle.begin()
        idle.ask(b"RSET\r\n")
        busy.begin("support@acme.example")
        busy.ask(b"DATA\r\n")
        busy.send(b"Subject: just in time\r\n\r\n")
        intake.process.signal(signal.SIGTERM)
        assert idle.reply().startswith("421 4.3.2 ")
        assert idle.at_end()
        with intake.raw() as late:
            assert late.reply().startswith("421 4.3.2 ")
        assert busy.ask(b"text\r\n.\r\n").startswith("250 2.6.0 ")
        assert busy.reply().startswith("421 4.3.2 ")
    assert intake.process.wait(20) == 0
    assert [event.content.subject for event in intake.received()] == ["just in time"]


def test_random_bytes_never_stop_the_service(intake: Intake) -> None:
    for _ in range(20):
        with contextlib.suppress(OSError), intake.raw(timeout=3) as wire:
            wire.send(os.urandom(3000))
    assert intake.process.ready
