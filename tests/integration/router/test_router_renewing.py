"""A partition of `ticket.events` is written anew without what erased tickets left in it: real Kafka, the real router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from mailroom_contracts import Actor, Erase, EventsRenewed, MessageAdded, RenewEvents, TicketState, copy_of, ids, topics
from mailroom_router.event_log import EventLog
from mailroom_router.inbox import INPUTS
from mailroom_router.partition import Partition
from mailroom_router.renewal import Renewal
from mailroom_router.second_step import GROUP, partition_of
from mailroom_router.transactions import Membership, Transactions
from mailroom_runtime.bus.groups import group_name
from support.processes import ServiceProcess
from support.router_world import World, check_consistent, mail
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]
WORD = "xylophone"


@pytest.fixture
def partitions() -> int:
    return 4


def renew(number: int, partitions: int, key: str = "1") -> RenewEvents:
    """The command, under a name that lies on that partition."""
    name = next(i for n in range(10_000) if partition_of(i := ids.derive("log", str(n)), partitions) == number)
    return RenewEvents(id=ids.command_id("", name, key), ticket_id=name, portal_id="", partition=number,
                       at=datetime.now(UTC), actor=Actor(kind="console"))  # fmt: skip


def erase(state: TicketState) -> Erase:
    return Erase(id=ids.command_id("p1", state.id, "e"), ticket_id=state.id, portal_id="p1", at=datetime.now(UTC),
                 actor=Actor(kind="console"), reason="person")  # fmt: skip


async def renewed(world: World, key: str = "1") -> list[EventsRenewed]:
    """Every partition, one after the other."""
    done: list[EventsRenewed] = []
    for number in range(world.settings.partitions):
        command = renew(number, world.settings.partitions, key)
        await world.producer.send(topics.TICKET_COMMANDS, command)

        async def answered(wanted: str = command.id) -> Any:
            return next((e for e in await world.events() if e.causation_id == wanted), None)

        event = await eventually(answered, 60, what=f"the renewal of partition {number}")
        assert isinstance(event, EventsRenewed), event
        done.append(event)
    return done


async def states(world: World, wanted: int) -> Any:
    found = await world.states()
    return found if len(found) == wanted else None


async def many(world: World, number: int, count: int) -> None:
    """Other tickets' events."""
    name = topics.TICKET_EVENTS.full_name(world.settings.topic_prefix)
    acks = [
        await world.producer.post_raw(name, key=b"%032x" % (n // 10), value=b'{"type": "ticket.other", "n": %d}' % n, partition=number,
                                      headers=[("ce_id", b"%d" % n), ("ce_type", b"ticket.other")])
        for n in range(count)
    ]  # fmt: skip
    await asyncio.gather(*acks)


async def beyond(log: EventLog, offset: int) -> bool:
    return await log.end() > offset


async def until_empty(world: World) -> None:
    """The dead router's place in its group is free."""

    async def empty() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka)
        await admin.start()
        try:
            (told,) = await admin.describe_consumer_groups([group_of(world)])
            return bool(told.groups[0][2] == "Empty")
        finally:
            await admin.close()

    await eventually(empty, 30, every=0.3, what="the group being empty")


def group_of(world: World) -> str:
    return group_name(world.settings.topic_prefix, GROUP)


async def offsets(world: World, number: int) -> dict[TopicPartition, int]:
    """What the router has committed of its inputs."""
    async with AIOKafkaConsumer(bootstrap_servers=world.settings.kafka, group_id=group_of(world),
                                enable_auto_commit=False) as consumer:  # fmt: skip
        parts = [TopicPartition(t.full_name(world.settings.topic_prefix), number) for t in INPUTS]
        consumer.assign(parts)
        return {tp: await consumer.committed(tp) or 0 for tp in parts}


def told(records: list[Any]) -> list[tuple[Any, ...]]:
    """What a reader that starts at the beginning is given, without what says that it is a copy."""
    return [
        (r.partition, r.key, r.value, r.timestamp, *((n, v) for n, v in r.headers if n != "mailroom_copy_of"))
        for r in sorted(records, key=lambda r: (r.partition, r.offset)) if b"events.renewed" not in r.value
    ]  # fmt: skip


async def test_erased_tickets_leave_the_log_and_nothing_else_of_it_changes(
    world: World, start_service: Starter
) -> None:
    start_service("router", world.env())
    people = [f"p{n}@customer.example" for n in range(24)]
    await world.put(*(mail(n, sender=p, text=f"{WORD if n < 3 else 'hello'} {p}") for n, p in enumerate(people)))
    found = await eventually(lambda: states(world, 24), 60)
    for state in found.values():
        await world.reply(state)
    gone = [s for s in found.values() if s.customer.email in people[:3]]
    for state in gone:
        await world.producer.send(topics.TICKET_COMMANDS, erase(state))
    await eventually(lambda: states(world, 21), 30)
    # one of them writes again: a ticket with the same name, which begins anew and stays
    await world.put(mail(100, sender=gone[0].customer.email, references=["m0@customer.example"], text="again"))
    await eventually(lambda: states(world, 22), 30)
    before = await world.records(topics.TICKET_EVENTS)
    kept = await settled(world)

    answers = await renewed(world)

    after = await world.records(topics.TICKET_EVENTS)
    dirty = {a.partition for a in answers if a.left_out}
    assert dirty == {r.partition for r in before if WORD.encode() in r.value}
    assert not [r for r in after if WORD.encode() in r.value]
    erased_at = {r.key: r.offset for r in before if b'"ticket.erased"' in r.value}
    stays = [r for r in before if r.offset > erased_at.get(r.key, -1) or b'"ticket.erased"' in r.value]
    assert told(after) == told(stays), "in their order, unchanged, with their times"
    assert sum(a.left_out for a in answers) == len(before) - len(stays)
    assert await settled(world) == kept
    for answer in answers:
        copies = [r for r in after if r.partition == answer.partition and copy_of(r.headers) is not None]
        assert len(copies) == answer.copied
        assert next(r for r in after if r.partition == answer.partition).offset >= answer.first_offset
    # there is nothing more to do, and what comes later goes where it went
    assert [(a.copied, a.left_out) for a in await renewed(world, "2")] == [(0, 0)] * 4
    await world.put(mail(101, sender=people[5], references=["m5@customer.example"], text="later"))
    again = await eventually(lambda: added(world, "later"), 30)
    check_consistent(await world.events(again), {again: (await world.states())[again]})


async def added(world: World, text: str) -> str | None:
    events = [e for e in await world.events() if isinstance(e, MessageAdded) and e.message.text == text]
    return events[0].ticket_id if events else None


async def settled(world: World) -> dict[str, int]:
    """The versions of all tickets, by their events alone."""
    found: dict[str, int] = {}
    for event in await world.events():
        if event.type == "ticket.erased":
            found.pop(event.ticket_id, None)
        elif event.version:
            assert event.version > found.get(event.ticket_id, 0), "a version went back"
            found[event.ticket_id] = event.version
    return found


class Gone(Exception):
    """As if the process had ended here."""


async def test_a_router_that_dies_while_it_copies_or_before_it_deletes_loses_nothing(
    world: World, start_service: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = start_service("router", world.env())
    await world.put(*(mail(n, sender=f"p{n}@customer.example", text=WORD) for n in range(8)))
    gone = next(iter((await eventually(lambda: states(world, 8), 60)).values()))
    await world.producer.send(topics.TICKET_COMMANDS, erase(gone))
    await eventually(lambda: states(world, 7), 30)
    number = partition_of(gone.id, world.settings.partitions)
    await many(world, number, 20_000)
    before = await world.records(topics.TICKET_EVENTS)
    command = renew(number, world.settings.partitions)

    # while it copies
    await world.producer.send(topics.TICKET_COMMANDS, command)
    log = EventLog(world.settings, number, lambda _: None)
    end = max(r.offset for r in before if r.partition == number) + 1
    await eventually(lambda: beyond(log, end + 1_000), 60, every=0.005, what="the first copies")
    router.kill()
    assert [e for e in await world.events() if e.causation_id == command.id] == []

    # before it deletes: all is copied, and then there is nobody
    deleted: list[int] = []

    async def ends(_: EventLog, offset: int) -> None:
        deleted.append(offset)
        if len(deleted) > 1:
            raise Gone

    monkeypatch.setattr(EventLog, "delete_before", ends)
    transactions = Transactions(world.settings, f"{world.settings.topic_prefix}.router.dead", group_of(world))
    await until_empty(world)
    await transactions.open()
    owner = cast(Partition, SimpleNamespace(number=number, offsets=await offsets(world, number)))
    renewal = Renewal(world.settings, owner, command, lambda _: None, lambda: None)
    while not isinstance(renewal.failure, Gone):
        assert renewal.failure is None, renewal.failure
        if renewal.has_work:
            await renewal.step(transactions, Membership(-1, ""))
        await asyncio.sleep(0.01)
    await transactions.close()
    between = await world.records(topics.TICKET_EVENTS)
    assert next(r.offset for r in between if r.partition == number) == 0, "nothing is deleted"
    monkeypatch.undo()

    # the next router finds the command, and does it
    start_service("router", world.env())

    async def answered() -> Any:
        return next((e for e in await world.events() if e.causation_id == command.id), None)

    answer = await eventually(answered, 90, every=0.5, what="the renewal")
    assert isinstance(answer, EventsRenewed), answer
    assert answer.left_out == sum(r.key == gone.id.encode() and b'"ticket.erased"' not in r.value for r in before)
    after = await world.records(topics.TICKET_EVENTS)
    stays = [r for r in before if r.key != gone.id.encode() or b'"ticket.erased"' in r.value]
    assert told([r for r in after if r.partition == number]) == told([r for r in stays if r.partition == number])
    # one who read all the time, and drops ids that it knows, was given all of it, too
    ids_of = [dict(r.headers)["ce_id"] for r in between if r.partition == number]
    assert set(ids_of) == {dict(r.headers)["ce_id"] for r in before if r.partition == number}
