"""A running intake with one portal, and what its tests read back."""

from __future__ import annotations

import secrets
import select
import smtplib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from mailroom_contracts import Address, BlobRef, EmailReceived, Message, Portal, decode, encode, topics
from mailroom_contracts.topics import Topic
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.kafka import partitions_for
from support.processes import ServiceProcess, free_port
from support.topics import create_topics, delete_topics, run_apart

PARTITIONS = 2
PORTALS = [
    Portal(id="p1", name="Acme", domains=["acme.example", "xn--bcher-kva.example"]),
    Portal(id="p2", name="Beta", domains=["beta.example"]),
]
ADDRESSES = [
    Address(id="a1", portal_id="p1", kind="internal", email="support@acme.example", queue_id="q1"),
    Address(id="a2", portal_id="p1", kind="internal", email="sales@acme.example", queue_id="q1"),
    Address(id="a3", portal_id="p1", kind="internal", email="old@acme.example", queue_id="q1", active=False),
    Address(id="a4", portal_id="p1", kind="smtp", email="shop@elsewhere.example", queue_id="q1", forwards_to="a1"),
    Address(id="b1", portal_id="p2", kind="internal", email="help@beta.example", queue_id="q2"),
]  # fmt: skip


PLAIN = (
    b"From: Jo Customer <jo@customer.example>\r\nTo: support@acme.example\r\nSubject: My order\r\n"
    b"Message-ID: <m1@customer.example>\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\n\r\nWhere is it?\r\n.dot\r\n"
)


async def publish(bootstrap: str, prefix: str, rows: list[tuple[Topic, Message]]) -> None:
    """Put configuration records on their topics."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for topic, row in rows:
            record = encode(topic, row, source="test")
            await producer.send_and_wait(topic.full_name(prefix), record.value, record.key, headers=record.headers)
    finally:
        await producer.stop()


Found = list[tuple[bytes | None, list[tuple[str, bytes]]]]


async def everything(bootstrap: str, name: str, since: dict[int, int]) -> Found:
    """All records (value, headers) of a topic as it is now, from the offsets `since` on."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        parts = [TopicPartition(name, p) for p in await partitions_for(consumer, name, wait_s=60)]
        consumer.assign(parts)
        for part in parts:
            consumer.seek(part, since.get(part.partition, 0))
        ends = await consumer.end_offsets(parts)
        found: Found = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.value, list(record.headers)) for record in records]
        return found
    finally:
        await consumer.stop()


async def end_of(bootstrap: str, name: str, offsets: dict[int, int]) -> None:
    """Put the topic's present end into `offsets`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        parts = [TopicPartition(name, p) for p in await partitions_for(consumer, name, wait_s=60)]
        for part, end in (await consumer.end_offsets(parts)).items():
            offsets[part.partition] = end
    finally:
        await consumer.stop()


@dataclass
class Intake:
    """The service under test and its surroundings."""

    kafka: str
    prefix: str
    env: dict[str, str]
    smtp_port: int
    lmtp_port: int
    blobs: Path
    process: ServiceProcess
    since: dict[int, int] = field(default_factory=dict)

    def received(self) -> list[EmailReceived]:
        """Every email.received of this test so far."""
        found = run_apart(everything(self.kafka, topics.EMAIL_RECEIVED.full_name(self.prefix), self.since))
        events = [decode(topics.EMAIL_RECEIVED, value, headers) for value, headers in found]
        assert all(isinstance(event, EmailReceived) for event in events)
        return [event for event in events if isinstance(event, EmailReceived)]

    def headers(self) -> list[dict[str, str]]:
        """The headers of every email.received of this test so far."""
        found = run_apart(everything(self.kafka, topics.EMAIL_RECEIVED.full_name(self.prefix), self.since))
        return [{name: value.decode() for name, value in headers} for _, headers in found]

    def blob(self, ref: BlobRef) -> bytes:
        """Bytes from the store, as every other service reads them."""
        data: bytes = run_apart(BlobStore(str(self.blobs)).get(ref))
        return data

    def client(self, timeout: float = 30.0) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="client.example", timeout=timeout)

    def raw(self, *, lmtp: bool = False, timeout: float = 15.0) -> Wire:
        return Wire(self.lmtp_port if lmtp else self.smtp_port, timeout)

    def publish(self, *rows: tuple[Topic, Message]) -> None:
        run_apart(publish(self.kafka, self.prefix, list(rows)))


class Wire:
    """A socket that speaks byte by byte."""

    def __init__(self, port: int, timeout: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def silent(self, seconds: float) -> bool:
        """Whether nothing comes within that time. Only between replies that were read whole."""
        return not select.select([self.socket], [], [], seconds)[0]

    def reply(self) -> str:
        """One whole reply, lines joined by LF; "" at the end of the connection."""
        lines: list[str] = []
        while True:
            line = self._file.readline()
            if not line:
                return "\n".join(lines)
            assert line.endswith(b"\r\n")
            lines.append(line.decode().rstrip("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def ask(self, command: bytes) -> str:
        self.send(command)
        return self.reply()

    def begin(self, *recipients: str, hello: str = "EHLO") -> Wire:
        """Greeting up to the recipients, all accepted."""
        assert self.reply().startswith("220 ")
        assert self.ask(f"{hello} client.example\r\n".encode()).startswith("250")
        assert self.ask(b"MAIL FROM:<jo@customer.example>\r\n").startswith("250 2.1.0")
        for recipient in recipients:
            assert self.ask(f"RCPT TO:<{recipient}>\r\n".encode()).startswith("250 2.1.5")
        return self

    def at_end(self) -> bool:
        """Whether the server has hung up."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True


def environment(kafka: str, prefix: str, folder: Path, **settings: object) -> dict[str, str]:
    """Settings of an intake; those given by name without MAILROOM_, in lower case."""
    return {
        "MAILROOM_KAFKA": kafka,
        "MAILROOM_TOPIC_PREFIX": prefix,
        "MAILROOM_BLOBS": str(folder / "blobs"),
        "MAILROOM_DATA": str(folder / "data"),
        "MAILROOM_SMTP_PORT": str(free_port()),
        "MAILROOM_LMTP_PORT": str(free_port()),
        "MAILROOM_SMTP_HOSTNAME": "mx.mailroom.example",
        **{f"MAILROOM_{name.upper()}": str(value) for name, value in settings.items()},
    }


def surround(env: dict[str, str], process: ServiceProcess) -> Intake:
    """The service and its surroundings as one thing."""
    return Intake(
        kafka=env["MAILROOM_KAFKA"],
        prefix=env["MAILROOM_TOPIC_PREFIX"],
        env=env,
        smtp_port=int(env["MAILROOM_SMTP_PORT"]),
        lmtp_port=int(env["MAILROOM_LMTP_PORT"]),
        blobs=Path(env["MAILROOM_BLOBS"]),
        process=process,
    )


def configuration() -> list[tuple[Topic, Message]]:
    return [*((topics.PORTALS, row) for row in PORTALS), *((topics.ADDRESSES, row) for row in ADDRESSES)]


def send(intake: Intake, raw: bytes, *to: str, sender: str = "jo@customer.example") -> str:
    """Send one mail; the text of the last reply."""
    with intake.client() as client:
        client.ehlo()
        assert client.mail(sender)[0] == 250
        for recipient in to or ("support@acme.example",):
            assert client.rcpt(recipient)[0] == 250
        code, text = client.data(raw)
        return f"{code} {text.decode()}"


@pytest.fixture(scope="session")
def shared_intake(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """One intake with the settings as they come, for all tests that need no other."""
    folder = tmp_path_factory.mktemp("intake")
    prefix = f"t{secrets.token_hex(5)}"
    run_apart(create_topics(kafka, prefix, PARTITIONS))
    run_apart(publish(kafka, prefix, configuration()))
    env = environment(kafka, prefix, folder)
    process = ServiceProcess("ingest_smtp", env, folder / "ingest_smtp.log", forked=True)
    try:
        process.start()
        yield surround(env, process)
    finally:
        process.kill()
        run_apart(delete_topics(kafka, prefix))


@pytest.fixture
def partitions() -> int:
    return PARTITIONS


@pytest.fixture
def intake(shared_intake: Intake) -> Intake:
    """The shared intake; what earlier tests sent is not seen."""
    assert shared_intake.process.running, shared_intake.process.tail()
    run_apart(end_of(shared_intake.kafka, topics.EMAIL_RECEIVED.full_name(shared_intake.prefix), shared_intake.since))
    return shared_intake


@pytest.fixture
def make_intake(
    kafka: str, topics: str, tmp_path: Path, start_service: Callable[..., ServiceProcess]
) -> Callable[..., Intake]:
    """make_intake(ready=True, configured=True, **settings): an intake of this test's own."""

    def make(*, ready: bool = True, configured: bool = True, **settings: object) -> Intake:
        env = environment(kafka, topics, tmp_path, **settings)
        if configured:
            run_apart(publish(kafka, topics, configuration()))
        return surround(env, start_service("ingest_smtp", env, ready=ready))

    return make
