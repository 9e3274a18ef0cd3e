"""A partition of `ticket.events` is written anew without what erased tickets left in it: real Kafka, the real router."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mailroom_contracts import Actor, Erase, EventsRenewed, MessageAdded, RenewEvents, TicketState, copy_of, ids, topics
from mailroom_router.second_step import partition_of
from support.processes import ServiceProcess
from support.router_world import World, check_consistent, mail
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]
WORD = "xylophone"


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
