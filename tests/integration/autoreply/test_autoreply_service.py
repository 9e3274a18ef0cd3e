"""autoreply as a process, on real Kafka and Valkey: one answer per first mail, limits that survive an emptied Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from mailroom_contracts import (
    Actor,
    Address,
    AutoReply,
    AutoReplyCommand,
    MessageAdded,
    Person,
    Portal,
    Queue,
    TicketCreated,
    TicketMessage,
    topics,
)
from mailroom_runtime.bus import topic_admin
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.settings import ServiceSettings
from support.processes import ServiceProcess
from support.servers import ValkeyServer
from support.topics import delete_topics, messages_so_far
from support.waiting import eventually

START = Callable[..., ServiceProcess]


class Bench(SimpleNamespace):
    """One installation: topics with started groups, a Valkey, and what autoreply asked for."""

    producer: Producer
    settings: ServiceSettings

    async def first_mail(self, number: int, sender: str, *, address: str = "ad1", **message: Any) -> None:
        """A new ticket and its first mail."""
        ticket, receipt, now = f"t{number}", f"r{number}", datetime.now(UTC)
        common: dict[str, Any] = {
            "ticket_id": ticket, "portal_id": "p1", "at": now, "causation_id": receipt, "actor": Actor(kind="router"),
        }  # fmt: skip
        person = Person(email=sender, name="")
        await self.producer.send(
            topics.TICKET_EVENTS,
            TicketCreated(id=f"c{number}", version=1, number=f"MR-{number}", queue_id="q1", address_id=address,
                          subject="Where is it?", customer=person, root=f"{number}@c", receipt_id=receipt,
                          received_at=message.pop("received_at", now), **common),
        )  # fmt: skip
        await self.producer.send(
            topics.TICKET_EVENTS,
            MessageAdded(id=f"a{number}", version=2, **common,
                         message=TicketMessage(id=f"m{number}", direction="in", kind="mail", from_=person, receipt_id=receipt,
                                               address_id=address, at=now, **message)),
        )  # fmt: skip

    async def commands(self) -> list[AutoReplyCommand]:
        """Every command so far, repeats included."""
        found: list[AutoReplyCommand] = []
        async for message in messages_so_far(self.settings, topics.TICKET_COMMANDS):
            assert isinstance(message, AutoReplyCommand)
            found.append(message)
        return found


@pytest.fixture
async def bench(kafka: str, valkey: ValkeyServer, topic_prefix: str) -> AsyncIterator[Bench]:
    settings = ServiceSettings(kafka=kafka, redis=valkey.url, topic_prefix=topic_prefix, partitions=2)
    await topic_admin.create(settings)
    env = {
        "MAILROOM_KAFKA": kafka, "MAILROOM_REDIS": valkey.url, "MAILROOM_TOPIC_PREFIX": topic_prefix,
        "MAILROOM_PARTITIONS": "2", "MAILROOM_AUTOREPLY_PER_HOUR": "3",
    }  # fmt: skip
    async with Producer(settings, source="console") as producer:
        await producer.send(topics.PORTALS, Portal(id="p1", name="Acme", domains=["acme.example"]))
        await producer.send(topics.QUEUES, Queue(id="q1", portal_id="p1", name="Support"))
        reply = AutoReply(
            enabled=True, subject="Got it: {{subject}} {{ticket.number}}", content="Dear {{customer.name}}"
        )
        for key in ("ad1", "ad2", "ad3", "ad4", "ad5"):
            await producer.send(
                topics.ADDRESSES,
                Address(id=key, portal_id="p1", kind="internal", email=f"{key}@acme.example", queue_id="q1",
                        auto_reply=reply),
            )  # fmt: skip
        yield Bench(producer=producer, settings=settings, env=env)
    await delete_topics(kafka, topic_prefix)


async def test_each_first_mail_once_and_limits_that_outlive_redis(
    bench: Bench, start_service: START, valkey: ValkeyServer
) -> None:
    service = start_service("autoreply", bench.env)
    await bench.first_mail(1, "jo.miller@c.example")
    found = await eventually(bench.commands, what="the first answer")
    assert [(c.ticket_id, c.to.email, c.subject, c.text) for c in found] == [
        ("t1", "jo.miller@c.example", "Got it: Where is it? MR-1", "Dear Jo Miller\n")
    ]
    assert found[0].not_after - found[0].at <= timedelta(hours=24)

    # the same sender and address again; a list; our own address; then somebody else, who shows that all were handled
    await bench.first_mail(2, "Jo.Miller+x@c.example")
    await bench.first_mail(3, "list@c.example", automatic_signs=["List-Id"])
    await bench.first_mail(4, "ad2@acme.example")
    await bench.first_mail(5, "kim@c.example")
    await eventually(lambda: _tickets(bench, {"t1", "t5"}), what="Kim's answer")

    # over everything at most three an hour to one sender
    for number, address in ((6, "ad2"), (7, "ad3"), (8, "ad4"), (9, "ad5")):
        await bench.first_mail(number, "jo.miller@c.example", address=address)
    await bench.first_mail(10, "lee@c.example")
    await eventually(lambda: _tickets(bench, {"t10"}))
    await eventually(lambda: 'outcome="too_many"} 2.0' in service.metrics())
    answered = {c.ticket_id for c in await bench.commands()}
    assert len(answered & {"t6", "t7", "t8", "t9"}) == 2

    # Redis is emptied while the service runs: the limits come back from the commands topic
    valkey.flush()
    await bench.first_mail(11, "kim@c.example")
    await bench.first_mail(12, "jo.miller@c.example", address="ad5")
    await bench.first_mail(13, "new@c.example")
    await eventually(lambda: _tickets(bench, {"t13"}))
    await eventually(lambda: 'outcome="had_one"} 2.0' in service.metrics())
    assert not {"t11", "t12"} & {c.ticket_id for c in await bench.commands()}
    assert "jo.miller@c.example" not in service.output()


async def test_redis_away_waits_and_a_replay_gives_the_same_answer(
    bench: Bench, start_service: START, valkey: ValkeyServer
) -> None:
    service = start_service("autoreply", bench.env)
    await bench.first_mail(1, "jo@c.example")
    await eventually(lambda: _tickets(bench, {"t1"}))
    first = (await bench.commands())[0].id
    valkey.stop()
    await bench.first_mail(2, "kim@c.example")
    await eventually(lambda: "consume.paused" in service.output(), what="a pause without Redis")
    valkey.start()
    await eventually(lambda: _tickets(bench, {"t1", "t2"}), 30)
    # both first mails again, as after a crash before the commit
    await bench.first_mail(1, "jo@c.example")
    await bench.first_mail(2, "kim@c.example")
    await bench.first_mail(3, "lee@c.example")
    await eventually(lambda: _tickets(bench, {"t3"}))
    found = await bench.commands()
    assert {c.id for c in found if c.ticket_id == "t1"} == {first}
    assert len({c.id for c in found}) == 3


async def test_killed_between_beginning_and_mail(bench: Bench, start_service: START) -> None:
    """ticket.created is committed, the process is killed, the mail comes to the next one."""
    service = start_service("autoreply", bench.env)
    now = datetime.now(UTC)
    common: dict[str, Any] = {
        "ticket_id": "t1", "portal_id": "p1", "at": now, "causation_id": "r1", "actor": Actor(kind="router"),
    }  # fmt: skip
    person = Person(email="jo@c.example")
    await bench.producer.send(
        topics.TICKET_EVENTS,
        TicketCreated(id="c1", version=1, number="MR-1", queue_id="q1", address_id="ad1", customer=person, root="x",
                      receipt_id="r1", received_at=now, **common),
    )  # fmt: skip
    await eventually(lambda: _lag_is_zero(service))
    service.kill()
    service.start()
    await bench.producer.send(
        topics.TICKET_EVENTS,
        MessageAdded(id="a1", version=2, **common,
                     message=TicketMessage(id="m1", direction="in", kind="mail", from_=person, receipt_id="r1", at=now)),
    )  # fmt: skip
    await eventually(lambda: _tickets(bench, {"t1"}), 30)


async def _tickets(bench: Bench, wanted: set[str]) -> bool:
    return wanted <= {c.ticket_id for c in await bench.commands()}


def _lag_is_zero(service: ServiceProcess) -> bool:
    lines = [line for line in service.metrics().splitlines() if line.startswith("mailroom_lag{")]
    return bool(lines) and all(line.endswith(" 0.0") for line in lines)
