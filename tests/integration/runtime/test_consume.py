"""The consume loop on a real Kafka: poison, pauses, lost offsets, commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from mailroom_contracts import COPY_OF, Actor, AddNote, Topic, Unassigned, encode, header, topics
from mailroom_runtime.bus import consume as loop
from mailroom_runtime.bus.consume import Inbound, Pause, Poison, consume
from mailroom_runtime.bus.kafka import Producer, read_to_end
from mailroom_runtime.bus.topic_admin import create
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.process.settings import ServiceSettings

AT = datetime(2026, 11, 24, tzinfo=UTC)
Bench = tuple[Service[ServiceSettings], Producer]


def note(number: int, ticket: str = "t") -> AddNote:
    return AddNote(id=f"c{number}", ticket_id=ticket, portal_id="p", actor=Actor(kind="api"), at=AT, text=str(number))


@pytest.fixture
async def bench(kafka: str, topics: str) -> AsyncIterator[Bench]:
    settings = ServiceSettings(kafka=kafka, topic_prefix=topics, partitions=4)
    async with Producer(settings, source="test") as producer:
        yield Service("test", settings), producer


async def run_until(
    bench: Bench, handle: loop.Handle, *, done: asyncio.Event, group: str = "router.tickets",
    topic: Topic = topics.TICKET_COMMANDS, **options: Any,
) -> None:  # fmt: skip
    service, producer = bench
    service.stopping.clear()
    running = asyncio.create_task(consume(service, [topic], group=group, handle=handle, producer=producer, **options))
    waiting = asyncio.create_task(done.wait())
    finished, _ = await asyncio.wait({running, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert finished, "nothing happened within 30 s"
    service.stopping.set()
    await asyncio.wait_for(running, 20)


async def test_poison_goes_to_the_dead_letters_and_stops_nothing(bench: Bench) -> None:
    service, producer = bench
    name = topics.TICKET_COMMANDS.full_name(service.settings.topic_prefix)
    await producer.send(topics.TICKET_COMMANDS, note(1))
    await (await producer.post_raw(name, key=b"t", value=b"\xffnot json", headers=[("traceparent", b"00-x")]))
    await producer.send(topics.TICKET_COMMANDS, note(2))
    await producer.send(topics.TICKET_COMMANDS, note(3))
    seen: list[str] = []
    done = asyncio.Event()

    async def handle(inbound: Inbound) -> None:
        assert isinstance(inbound.message, AddNote)
        seen.append(inbound.message.id)
        if inbound.message.id == "c2":
            raise Poison("a number that nobody wants")
        if inbound.message.id == "c3":
            done.set()

    await run_until(bench, handle, done=done)
    assert seen == ["c1", "c2", "c3"]
    dead = [
        r
        async for r in read_to_end(service.settings, [topics.TICKET_COMMANDS.dead_name(service.settings.topic_prefix)])
    ]
    assert dead[0].value == b"\xffnot json"
    assert header(dead[0].headers, "traceparent") == "00-x"
    assert header(dead[0].headers, "mailroom_error_type") == "Undecodable"
    assert header(dead[1].headers, "mailroom_error") == "a number that nobody wants"
    assert header(dead[1].headers, "mailroom_topic") == name


async def test_a_dependency_that_is_away_pauses_and_empties_nothing_into_the_dead_letters(bench: Bench) -> None:
    service, producer = bench
    for number in range(3):
        await producer.send(topics.TICKET_COMMANDS, note(number))
    tries: list[str] = []
    done = asyncio.Event()

    async def handle(inbound: Inbound) -> None:
        assert isinstance(inbound.message, AddNote)
        tries.append(inbound.message.id)
        if len(tries) <= 6:
            raise Pause("Redis is away")
        if inbound.message.id == "c2":
            done.set()

    await run_until(bench, handle, done=done)
    assert tries == ["c0"] * 7 + ["c1", "c2"]
    dead = [
        r
        async for r in read_to_end(service.settings, [topics.TICKET_COMMANDS.dead_name(service.settings.topic_prefix)])
    ]
    assert dead == []


async def test_what_was_handled_is_not_handled_again(bench: Bench) -> None:
    _, producer = bench
    await producer.send(topics.TICKET_COMMANDS, note(1))
    seen: list[str] = []
    done = asyncio.Event()

    async def handle(inbound: Inbound) -> None:
        assert isinstance(inbound.message, AddNote)
        seen.append(inbound.message.id)
        done.set()

    await run_until(bench, handle, done=done)
    done.clear()
    await producer.send(topics.TICKET_COMMANDS, note(2))
    await run_until(bench, handle, done=done)
    assert seen == ["c1", "c2"]


async def test_a_group_that_was_behind_a_renewal_goes_on_at_its_beginning_with_what_it_missed(bench: Bench) -> None:
    """Events of partition 0, copies of which follow; the originals are deleted before all of them were read."""
    service, producer = bench
    name = topics.TICKET_EVENTS.full_name(service.settings.topic_prefix)
    seen: list[str] = []
    done = asyncio.Event()

    async def put(number: int, *more: tuple[str, bytes]) -> None:
        event = Unassigned(id=f"e{number}", ticket_id="t", portal_id="p", version=number, at=AT, causation_id=f"c{number}",
                           actor=Actor(kind="router"))  # fmt: skip
        record = encode(topics.TICKET_EVENTS, event, source="test")
        headers = [*record.headers, *more]
        await (await producer.post_raw(name, key=record.key, value=record.value, headers=headers, partition=0))

    async def handle(inbound: Inbound) -> None:
        assert isinstance(inbound.message, Unassigned)
        seen.append(inbound.message.id)
        if len(seen) in (2, 3, 5):
            done.set()

    async def run() -> None:
        done.clear()
        await run_until(bench, handle, done=done, group="autoreply", topic=topics.TICKET_EVENTS)

    await put(0)
    await put(1)
    await run()
    for number in range(2):  # a renewal that it saw from beginning to end
        await put(number, (COPY_OF, b"%d" % number))
    await put(2)
    await run()
    assert seen == ["e0", "e1", "e2"]
    await put(3)
    for number, offset in ((0, 2), (1, 3), (2, 4), (3, 5)):
        await put(number, (COPY_OF, b"%d" % offset))
    await put(4)
    admin = AIOKafkaAdminClient(bootstrap_servers=service.settings.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=6)})
    await admin.close()
    await run()
    assert seen == ["e0", "e1", "e2", "e3", "e4"]


@pytest.mark.parametrize("max_in_flight", [1, 10])
async def test_kinds_that_nobody_handles_are_passed_over_and_committed(bench: Bench, max_in_flight: int) -> None:
    service, producer = bench
    name = topics.TICKET_COMMANDS.full_name(service.settings.topic_prefix)
    other = [("ce_type", b"ticket.close")]
    await (await producer.post_raw(name, key=b"t", value=b"\xffnever read", headers=other))
    await producer.send(topics.TICKET_COMMANDS, note(1))
    await (await producer.post_raw(name, key=b"t", value=b"\xffnever read", headers=other))
    seen: list[str] = []
    committing: list[int] = []
    done = asyncio.Event()

    async def handle(inbound: Inbound) -> None:
        assert isinstance(inbound.message, AddNote)
        seen.append(inbound.message.id)

    async def before_commit() -> None:
        committing.append(len(seen))
        if len(committing) == 1:
            raise Pause("not yet")
        if seen:
            done.set()

    options: dict[str, Any] = {
        "kinds": ["ticket.add_note"], "before_commit": before_commit, "max_in_flight": max_in_flight,
    }  # fmt: skip
    await run_until(bench, handle, done=done, **options)
    assert (seen, committing[-1]) == (["c1"], 1)
    done.clear()
    await producer.send(topics.TICKET_COMMANDS, note(2))
    await run_until(bench, handle, done=done, **options)
    assert seen == ["c1", "c2"]  # what was passed over and handled was committed


async def test_too_many_dead_letters_in_a_row_stop_the_worker(bench: Bench) -> None:
    service, producer = bench
    for number in range(loop.DEAD_IN_A_ROW + 5):
        await producer.send(topics.TICKET_COMMANDS, note(number))

    async def handle(inbound: Inbound) -> None:
        raise Poison("everything is bad")

    with pytest.raises(Stopped, match="in a row"):
        await run_until(bench, handle, done=asyncio.Event())
    dead = [
        r
        async for r in read_to_end(service.settings, [topics.TICKET_COMMANDS.dead_name(service.settings.topic_prefix)])
    ]
    assert len(dead) == loop.DEAD_IN_A_ROW


async def test_lost_offsets_stop_the_worker_with_advice(bench: Bench) -> None:
    async def handle(inbound: Inbound) -> None:
        raise AssertionError("nothing may be handled")

    with pytest.raises(Stopped, match="mailroom topics create"):
        await run_until(bench, handle, done=asyncio.Event(), group="somebody.new")


async def test_topics_create_says_what_drifted_and_is_idempotent(bench: Bench) -> None:
    service, _ = bench
    again = await create(service.settings)
    assert again.created == []
    assert again.groups_started == []
    assert again.drift == []
    fewer = await create(service.settings.model_copy(update={"partitions": 3}))
    assert any("4 partitions" in line for line in fewer.drift)
