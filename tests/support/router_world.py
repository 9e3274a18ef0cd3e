"""A small world for router tests: topics with start offsets, Acme's configuration, mail as ingest writes it, readers."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import (
    Actor,
    Address,
    Agent,
    BlobRef,
    Content,
    EmailReceived,
    Envelope,
    Message,
    Person,
    Portal,
    Queue,
    Reply,
    SmtpAccount,
    TicketEvent,
    TicketState,
    Topic,
    Verdicts,
    decode,
    ids,
    topics,
)
from mailroom_runtime.bus import topic_admin
from mailroom_runtime.bus.groups import group_name
from mailroom_runtime.bus.kafka import Producer, partitions_for
from mailroom_runtime.process.settings import ServiceSettings
from pydantic import SecretStr

KEYS = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def mail(
    number: int | str = 1,
    *,
    sender: str = "jo@customer.example",
    to: tuple[str, ...] = ("support@acme.example",),
    rcpt: tuple[str, ...] | None = None,
    subject: str | None = None,
    portal: str = "p1",
    at: datetime | None = None,
    **content: Any,
) -> EmailReceived:
    """A mail as ingest writes it. Equal arguments give equal ids; `number` tells mails apart."""
    at = at or datetime.now(UTC)
    rcpt = rcpt or to
    verdicts = content.pop("verdicts", Verdicts(spf="pass", dmarc="pass"))
    gmail = content.pop("gmail", None)
    client_ip = content.pop("client_ip", None)
    content.setdefault("message_id", f"m{number}@customer.example")
    content.setdefault("date", datetime(2026, 11, 24, 9, 0, tzinfo=UTC) + timedelta(seconds=hash(str(number)) % 5000))
    content.setdefault("text", f"Where is my order {number}?")
    identity = ids.derive("identity", str(content["message_id"]), sender, str(number), subject or "")
    return EmailReceived(
        id=ids.receipt_id(identity, rcpt),
        identity=identity,
        portal_id=portal,
        source="smtp",
        received_at=at,
        envelope=Envelope(mail_from=sender, rcpt_to=list(rcpt), client_ip=client_ip),
        size=1000,
        raw=BlobRef(key=f"{portal}/{identity}/raw.eml", size=1000),
        content=Content(
            from_=Person(email=sender, name=sender.split("@")[0].title()),
            to=[Person(email=t) for t in to],
            subject=subject if subject is not None else f"Order {number}",
            **content,
        ),
        verdicts=verdicts,
        gmail=gmail,
    )


def acme() -> list[tuple[Topic, Message]]:
    """Portal p1 with two queues, one address of each kind, two agents; portal p2 apart from it."""
    return [
        (topics.PORTALS, Portal(id="p1", name="Acme", domains=["acme.example"])),
        (topics.PORTALS, Portal(id="p2", name="Other", domains=["other.example"])),
        (topics.QUEUES, Queue(id="q1", portal_id="p1", name="Support", agent_ids=["a1", "a2"])),
        (topics.QUEUES, Queue(id="q2", portal_id="p1", name="Sales", agent_ids=["a2"])),
        (topics.QUEUES, Queue(id="q9", portal_id="p2", name="Other", agent_ids=["a9"])),
        (topics.AGENTS, Agent(id="a1", portal_id="p1", email="ana@acme.example", name="Ana", queue_ids=["q1"])),
        (topics.AGENTS, Agent(id="a2", portal_id="p1", email="bo@acme.example", name="Bo", queue_ids=["q1", "q2"])),
        (topics.AGENTS, Agent(id="a9", portal_id="p2", email="cy@other.example", name="Cy", queue_ids=["q9"])),
        (topics.ADDRESSES, Address(id="ad1", portal_id="p1", kind="internal", email="support@acme.example",
                                   full_name="Acme Support", queue_id="q1", prefer_online=True)),
        (topics.ADDRESSES, Address(id="ad2", portal_id="p1", kind="internal", email="sales@acme.example",
                                   full_name="Acme Sales", queue_id="q2")),
        (topics.ADDRESSES, Address(id="ad3", portal_id="p1", kind="smtp", email="shop@customer-shop.example",
                                   full_name="The Shop", queue_id="q1", prefer_online=True, forwards_to="ad4",
                                   smtp=SmtpAccount(host="smtp.customer-shop.example", port=587, tls="starttls",
                                                    username="shop"))),
        (topics.ADDRESSES, Address(id="ad4", portal_id="p1", kind="internal", email="shop@acme.example",
                                   full_name="Acme Shop", queue_id="q1", prefer_online=True)),
        (topics.ADDRESSES, Address(id="ad9", portal_id="p2", kind="internal", email="help@other.example",
                                   queue_id="q9", prefer_online=True)),
    ]  # fmt: skip


class World:
    """Kafka topics of one test, with a producer, and what the router wrote."""

    def __init__(self, kafka: str, redis: str, prefix: str, data: Path, partitions: int = 4) -> None:
        self.settings = ServiceSettings(
            kafka=kafka, redis=redis, topic_prefix=prefix, partitions=partitions, data=data,
            message_id_keys=SecretStr(KEYS),
        )  # fmt: skip
        self.producer = Producer(self.settings, source="test")

    def env(self, **more: str) -> dict[str, str]:
        """The environment of a router on this world."""
        settings = self.settings
        return {
            "MAILROOM_KAFKA": settings.kafka,
            "MAILROOM_REDIS": settings.redis,
            "MAILROOM_TOPIC_PREFIX": settings.topic_prefix,
            "MAILROOM_PARTITIONS": str(settings.partitions),
            "MAILROOM_DATA": str(settings.data),
            "MAILROOM_MESSAGE_ID_KEYS": KEYS,
            "MAILROOM_ROUTER_SESSION_TIMEOUT_S": os.environ.get("TEST_ROUTER_SESSION_S", "6"),
            **more,
        }

    async def begin(self) -> World:
        await topic_admin.create(self.settings)
        return await self.configure()

    async def configure(self) -> World:
        """Connect and publish the configuration."""
        await self.producer.start()
        for topic, message in acme():
            await self.producer.send(topic, message)
        return self

    async def end(self) -> None:
        await self.producer.close()

    async def put(self, *received: EmailReceived) -> None:
        """Write mails to email.received, as ingest does."""
        acks = [await self.producer.post(topics.EMAIL_RECEIVED, r) for r in received]
        await asyncio.gather(*acks)

    async def reply(self, state: TicketState, key: str = "1", text: str = "It left today.", **more: Any) -> Reply:
        command = Reply(
            id=ids.command_id(state.portal_id, state.id, key), ticket_id=state.id, portal_id=state.portal_id,
            actor=Actor(kind="agent", id="a1"), at=datetime.now(UTC), text=text, **more,
        )  # fmt: skip
        await self.producer.send(topics.TICKET_COMMANDS, command)
        return command

    async def skip(self, topic: Topic, group: str) -> None:
        """Move a group that does not run to the end of a topic: its records are passed over."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka, group_id=group_name(self.settings.topic_prefix, group),
            enable_auto_commit=False,
        )  # fmt: skip
        await consumer.start()
        try:
            name = topic.full_name(self.settings.topic_prefix)
            parts = [TopicPartition(name, n) for n in await partitions_for(consumer, name, wait_s=60)]
            consumer.assign(parts)
            await consumer.commit(await consumer.end_offsets(parts))
        finally:
            await consumer.stop()

    async def records(self, topic: Topic, *, dead: bool = False) -> list[Any]:
        """Every committed record of a topic, from its beginning to its end now."""
        name = topic.dead_name(self.settings.topic_prefix) if dead else topic.full_name(self.settings.topic_prefix)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", max_partition_fetch_bytes=8 << 20,
        )  # fmt: skip
        await consumer.start()
        found: list[Any] = []
        try:
            parts = [TopicPartition(name, n) for n in await partitions_for(consumer, name, wait_s=60)]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            while any([await consumer.position(tp) < ends[tp] for tp in parts]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
        finally:
            await consumer.stop()
        return found

    async def events(self, ticket_id: str | None = None) -> list[TicketEvent]:
        """Every event, in the order of its partition."""
        found = [decode(topics.TICKET_EVENTS, r.value, r.headers) for r in await self.records(topics.TICKET_EVENTS)]
        return [e for e in found if isinstance(e, TicketEvent) and (ticket_id is None or e.ticket_id == ticket_id)]

    async def states(self) -> dict[str, TicketState]:
        """The last state of each ticket."""
        states: dict[str, TicketState] = {}
        for record in await self.records(topics.TICKETS):
            if record.value is None:
                states.pop(record.key.decode(), None)
            state = decode(topics.TICKETS, record.value, record.headers)
            if isinstance(state, TicketState):
                assert state.id not in states or states[state.id].version <= state.version, "a state went back"
                states[state.id] = state
        return states

    async def outbound(self) -> list[Any]:
        return [decode(topics.EMAIL_OUTBOUND, r.value, r.headers) for r in await self.records(topics.EMAIL_OUTBOUND)]


def check_consistent(events: list[TicketEvent], states: dict[str, TicketState]) -> None:
    """Nothing twice, versions without gap, and each state at the version of its ticket's last event."""
    by_ticket: dict[str, list[TicketEvent]] = defaultdict(list)
    seen: set[str] = set()
    for event in events:
        if event.version == 0 or (event.type == "ticket.input_ignored" and event.code == "already_known"):  # type: ignore[attr-defined]
            continue
        assert event.id not in seen, f"{event.type} twice"
        seen.add(event.id)
        by_ticket[event.ticket_id].append(event)
    assert set(by_ticket) == set(states)
    for ticket_id, its in by_ticket.items():
        assert [e.version for e in its] == list(range(1, len(its) + 1)), f"versions of {ticket_id}"
        assert states[ticket_id].version == len(its)
        assert sum(e.type == "ticket.created" for e in its) == 1
