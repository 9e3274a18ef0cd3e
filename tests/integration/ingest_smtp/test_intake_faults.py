"""Kafka or the blob store away, and the start before the tables are known: 451, and nothing lost or doubled."""

from __future__ import annotations

import contextlib
import shutil
import smtplib
from collections.abc import Callable
from pathlib import Path

from mailroom_contracts import EmailReceived, decode, topics
from support.processes import ServiceProcess
from support.servers import KafkaServer
from support.topics import create_topics, run_apart
from support.waiting import wait_until

from .conftest import PARTITIONS, Intake, configuration, environment, everything, publish, surround

MAIL = b"Subject: %d\r\nMessage-ID: <%d@customer.example>\r\nFrom: jo@customer.example\r\n\r\ntext\r\n"


def attempt(intake: Intake, number: int) -> str:
    """Send mail `number`; the last reply, wherever the way ended."""
    with intake.client(timeout=60) as client:
        client.ehlo()
        client.mail("jo@customer.example")
        code, text = client.rcpt("support@acme.example")
        if code == 250:
            code, text = client.data(MAIL % (number, number))
        return f"{code} {text.decode()}"


def test_kafka_stopped_during_intake(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path, start_service: Callable[..., ServiceProcess]
) -> None:
    run_apart(create_topics(kafka_server.bootstrap, topic_prefix, PARTITIONS))
    run_apart(publish(kafka_server.bootstrap, topic_prefix, configuration()))
    env = environment(kafka_server.bootstrap, topic_prefix, tmp_path, smtp_accept_timeout_s=3)
    intake = surround(env, start_service("ingest_smtp", env))
    assert attempt(intake, 1).startswith("250 2.6.0 ")
    kafka_server.stop()
    assert attempt(intake, 2).startswith("451 4.3.0 ")
    # the view of the addresses grows old: nobody is turned away for good any more
    with intake.client() as client:
        client.ehlo()
        client.mail("jo@customer.example")

        def put_off() -> bool:
            return client.rcpt("nobody@acme.example")[0] == 451

        wait_until(put_off, 20, every=0.5)
        assert client.rcpt("support@acme.example")[0] == 250
    kafka_server.start()
    answers: dict[int, str] = {}

    def delivered(number: int) -> bool:
        answers[number] = attempt(intake, number)
        return answers[number].startswith("250 2.6.0 ")

    wait_until(lambda: delivered(2), 60, every=0.5)
    wait_until(lambda: delivered(3), 60, every=0.5)
    name = topics.EMAIL_RECEIVED.full_name(topic_prefix)
    found = run_apart(everything(kafka_server.bootstrap, name, {}))
    events = [decode(topics.EMAIL_RECEIVED, value, headers) for value, headers in found]
    ids = {event.content.subject: event.id for event in events if isinstance(event, EmailReceived)}
    assert set(ids) == {"1", "2", "3"}
    # a record that Kafka took although we said 451 has the same id as its retry: readers drop it
    assert len({event.id for event in events if isinstance(event, EmailReceived)}) == 3
    assert answers[2].endswith(ids["2"])
    # without Kafka it still stops when asked to, whatever waits to be sent
    kafka_server.stop()
    assert attempt(intake, 4).startswith("451 4.3.0 ")
    assert intake.process.terminate(25) == 0


def test_blob_store_away(make_intake: Callable[..., Intake]) -> None:
    intake = make_intake()
    assert attempt(intake, 1).startswith("250 ")
    # in place of the folder stands a file: no pack and no file can be written, as on a disk that failed
    shutil.rmtree(intake.blobs)
    intake.blobs.write_bytes(b"")
    with intake.client() as client:  # a large mail is a file of its own
        client.ehlo()
        client.mail("jo@customer.example")
        client.rcpt("support@acme.example")
        code, text = client.data(MAIL % (2, 2) + b"x" * 70 + b"\r\n" * 100_000)
        assert (code, text[:5]) == (451, b"4.3.0")
    intake.blobs.unlink()
    intake.blobs.mkdir()
    assert attempt(intake, 3).startswith("250 ")
    assert {event.content.subject for event in intake.received()} == {"1", "3"}


def test_blob_store_full(make_intake: Callable[..., Intake]) -> None:
    full = Path("/dev/full")
    assert full.exists()
    intake = make_intake()
    packs = intake.blobs / "packs"
    packs.mkdir(parents=True)
    shutil.rmtree(packs)
    packs.symlink_to("/dev/full")  # whoever opens something in it fails as on a broken disk
    assert attempt(intake, 1).startswith("451 4.3.0 ")
    packs.unlink()
    assert attempt(intake, 1).startswith("250 ")
    assert [event.content.subject for event in intake.received()] == ["1"]


def test_before_the_tables_are_known_nobody_is_refused_for_good(
    kafka_server: KafkaServer, topic_prefix: str, tmp_path: Path, start_service: Callable[..., ServiceProcess]
) -> None:
    run_apart(create_topics(kafka_server.bootstrap, topic_prefix, PARTITIONS))
    run_apart(publish(kafka_server.bootstrap, topic_prefix, configuration()))
    kafka_server.stop()
    env = environment(kafka_server.bootstrap, topic_prefix, tmp_path)
    process = start_service("ingest_smtp", env, ready=False)
    intake = surround(env, process)

    def answers() -> tuple[int, int]:
        try:
            with intake.client() as client:
                client.ehlo()
                client.mail("jo@customer.example")
                return client.rcpt("support@acme.example")[0], client.rcpt("nobody@acme.example")[0]
        except (OSError, smtplib.SMTPException):
            return 0, 0

    wait_until(lambda: answers() == (451, 451), 30)
    assert not process.ready
    kafka_server.start()
    process.wait_ready(60)
    wait_until(lambda: answers() == (250, 550), 10)


def test_an_installation_without_topics_waits_and_says_what_to_do(
    kafka: str, topic_prefix: str, tmp_path: Path, start_service: Callable[..., ServiceProcess]
) -> None:
    env = environment(kafka, topic_prefix, tmp_path)
    process = start_service("ingest_smtp", env, ready=False)
    wait_until(lambda: "mailroom topics create" in process.get("/health")[1], 30)
    assert process.get("/ready")[0] == 503


def test_kill_9_under_load_loses_nothing_that_was_accepted(
    make_intake: Callable[..., Intake], start_service: Callable[..., ServiceProcess]
) -> None:
    intake = make_intake()
    accepted: dict[int, str] = {}
    number = 0
    for _ in range(2):
        with contextlib.suppress(smtplib.SMTPServerDisconnected), intake.client() as client:
            client.ehlo()
            for _ in range(30):
                number += 1
                client.mail("jo@customer.example")
                client.rcpt("support@acme.example")
                code, text = client.data(MAIL % (number, number))
                assert code == 250
                accepted[number] = text.split()[-1].decode()
            client.mail("jo@customer.example")
            client.rcpt("support@acme.example")
            client.putcmd("data")
            client.getreply()
            client.send(MAIL % (number, number) + b"\r\n.\r\n")
            intake.process.kill()  # whether the last one was taken nobody knows: its sender comes again
        intake.process.start()
    events = {event.id: event for event in intake.received()}
    assert set(accepted.values()) <= set(events)
    for receipt in accepted.values():
        assert intake.blob(events[receipt].raw).startswith(b"Subject: ")
