"""A rolling upgrade: services of an old release and today's work on the same topics, both ways.

The old release is kept as the wheels of its packages (tests/data/old_release). From them run `ingest_smtp` (old writer,
new reader), `autoreply` (old reader of a new writer, and old writer) and a subscriber; today's router runs beside them.
"""

from __future__ import annotations

import json
import smtplib
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mailroom_contracts import Address, AutoReply, SetStatus, encode, ids, topics
from support.processes import REPOSITORY, Process, ServiceProcess, free_port
from support.router_world import World, check_consistent
from support.servers import ValkeyServer
from support.topics import delete_topics
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]
RELEASES = sorted((REPOSITORY / "tests" / "data" / "old_release").iterdir())
OLD_SUBSCRIBER = """
import asyncio, json, os
import mailroom_contracts
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from mailroom_contracts import Actor, AddNote, decode, encode, ids, topics
from datetime import UTC, datetime

assert os.environ["PYTHONPATH"] in mailroom_contracts.__file__, mailroom_contracts.__file__

async def main():
    prefix, kafka = os.environ["MAILROOM_TOPIC_PREFIX"], os.environ["MAILROOM_KAFKA"]
    by_name = {t.full_name(prefix): t for t in (topics.TICKET_EVENTS, topics.TICKETS, topics.EMAIL_OUTBOUND)}
    async with AIOKafkaConsumer(*by_name, bootstrap_servers=kafka, auto_offset_reset="earliest",
                                isolation_level="read_committed") as consumer, \\
               AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        async for record in consumer:
            topic = by_name[record.topic]
            read = decode(topic, record.value, record.headers)
            print(json.dumps([topic.name, read and type(read).__name__, getattr(read, "causation_id", None)]), flush=True)
            if type(read).__name__ == "TicketCreated":
                note = AddNote(id=ids.command_id(read.portal_id, read.ticket_id, "old"), ticket_id=read.ticket_id,
                               portal_id=read.portal_id, actor=Actor(kind="api"), at=datetime.now(UTC), text="From the old one.")
                record = encode(topics.TICKET_COMMANDS, note, source="old")
                await producer.send_and_wait(topics.TICKET_COMMANDS.full_name(prefix), record.value, record.key,
                                             headers=record.headers)

asyncio.run(main())
"""


@pytest_asyncio.fixture
async def world(kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    """Acme, whose support address answers automatically."""
    made = await World(kafka, valkey.url, topic_prefix, tmp_path / "data").begin()
    address = Address(id="ad1", portal_id="p1", kind="internal", email="support@acme.example", queue_id="q1",
                      auto_reply=AutoReply(enabled=True, subject="We got it", content="Dear {{customer.name}}"))  # fmt: skip
    await made.producer.send(topics.ADDRESSES, address)
    try:
        yield made
    finally:
        await made.end()
        await delete_topics(kafka, topic_prefix)


@pytest.mark.parametrize("release", RELEASES, ids=[r.name for r in RELEASES])
async def test_old_and_new_services_share_the_topics(
    world: World, release: Path, start_service: Starter, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    for wheel in release.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(code)
    port = free_port()
    old = world.env(PYTHONPATH=str(code), MAILROOM_BLOBS=str(tmp_path / "blobs"), MAILROOM_SMTP_PORT=str(port),
                    MAILROOM_LMTP_PORT="0", MAILROOM_DNS_SERVER="127.0.0.1:9")  # fmt: skip
    subscriber = Process([sys.executable, "-c", OLD_SUBSCRIBER], tmp_path / "subscriber.log", old)
    subscriber.launch()
    try:
        for name in ("ingest_smtp", "autoreply"):
            start_service(name, old)
        start_service("router", world.env())
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.send_message(mail_of("first"), "jo@customer.example", ["support@acme.example"])

        async def answered() -> bool:
            kinds = [e.type for e in await world.events()]
            return "ticket.auto_replied" in kinds and "ticket.note_added" in kinds

        await eventually(answered, 40, what="what the old services and the old subscriber asked for")
        events = await world.events()
        (state,) = (await world.states()).values()
        note = ids.command_id(state.portal_id, state.id, "old")
        assert [e.type for e in events if e.causation_id == note] == ["ticket.note_added"]
        (order,) = await world.outbound()
        assert (order.kind, order.subject) == ("auto_reply", "We got it")

        # a writer of tomorrow on the same topics: a field more, a type more
        await put_from_tomorrow(world, state.id)
        command = SetStatus(id=ids.command_id("p1", state.id, "new"), ticket_id=state.id, portal_id="p1",
                            actor={"kind": "agent", "id": "a1"}, at=datetime.now(UTC), status="closed")  # fmt: skip
        await world.producer.send(topics.TICKET_COMMANDS, command)

        def read() -> list[list[Any]]:
            assert "Traceback" not in subscriber.output(), subscriber.tail()
            return [json.loads(line) for line in subscriber.output().splitlines() if line.startswith("[")]

        await eventually(lambda: ["ticket.events", "StatusChanged", command.id] in read(), 20)
        seen = read()
        everything = [e for e in await world.events() if e.causation_id != "tomorrow"]
        assert [s[1:] for s in seen if s[0] == "ticket.events" and s[1] and s[2] != "tomorrow"] == [
            [type(e).__name__, e.causation_id] for e in everything
        ]
        assert ["ticket.events", None, None] in seen, "a type of tomorrow is skipped"
        assert ["ticket.events", "NoteAdded", "tomorrow"] in seen, "a field of tomorrow is skipped"
        assert ["tickets", "TicketState", None] in seen
        assert ["email.outbound", "OutboundMail", None] in seen
        check_consistent(everything, await world.states())
    finally:
        subscriber.kill()


def mail_of(name: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Jo <jo@customer.example>", "support@acme.example", "My order"
    mail["Message-ID"] = f"<{name}@customer.example>"
    mail.set_content("Where is it?")
    return mail


async def put_from_tomorrow(world: World, ticket_id: str) -> None:
    """What a newer router may write on `ticket.events`: of another ticket, so that this one's versions stay its own."""
    name = topics.TICKET_EVENTS.full_name(world.settings.topic_prefix)
    event = next(e for e in await world.events(ticket_id) if e.type == "ticket.note_added")
    grown = encode(topics.TICKET_EVENTS, event.model_copy(update={"id": "t1", "causation_id": "tomorrow", "version": 0}),
                   source="tomorrow")  # fmt: skip
    value = json.loads(grown.value or b"") | {"mood": {"score": 3}, "actor": {"kind": "oracle", "since": 1}}
    danced = b'{"type": "ticket.danced", "with": "joy"}'
    for raw, headers in ((json.dumps(value).encode(), grown.headers), (danced, [])):
        future = await world.producer.post_raw(name, key=ticket_id.encode(), value=raw, headers=headers)
        await future
