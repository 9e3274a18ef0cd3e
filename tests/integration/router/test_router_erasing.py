"""A ticket is erased by the real router: no state of it stays in `tickets`, its tables or Valkey; another mail begins
it anew, and one that is read again does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from mailroom_contracts import Actor, Erase, InputIgnored, ids, topics
from mailroom_runtime.redis.valkey import connect
from support.known import known_by
from support.processes import ServiceProcess
from support.router_world import World, mail
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]


async def test_a_ticket_is_erased_and_a_restart_does_not_bring_it_back(world: World, start_service: Starter) -> None:
    router = start_service("router", world.env())
    prefix = world.settings.topic_prefix
    await world.put(mail(1), mail(2, sender="kim@customer.example"))
    states = await eventually(lambda: _states(world, 2), 30)
    (gone,) = [s for s in states.values() if s.customer.email == "jo@customer.example"]
    redis = connect(world.settings.redis)
    await eventually(lambda: known_by(redis, prefix, "n", gone.number), 20)
    erase = Erase(id=ids.command_id("p1", gone.id, "e"), ticket_id=gone.id, portal_id="p1", at=datetime.now(UTC),
                  actor=Actor(kind="console"), reason="person")  # fmt: skip
    await world.producer.send(topics.TICKET_COMMANDS, erase)
    await eventually(lambda: _states(world, 1), 30)

    async def unknown() -> bool:
        return await known_by(redis, prefix, "n", gone.number) == []

    await eventually(unknown, 20)
    await redis.aclose()
    # as after a crash before the first step's offsets are committed: what it routed is routed again
    await world.put(mail(1))
    await eventually(lambda: _ignored(world, gone.id, 1), 20, what="the mail that was read again being passed over")
    router.kill()
    start_service("router", world.env())
    await world.put(mail(1))
    await eventually(lambda: _ignored(world, gone.id, 2), 30, what="a restart knowing it, too")
    assert gone.id not in await world.states()
    await world.put(mail(3, references=["m1@customer.example"]))
    states = await eventually(lambda: _states(world, 2), 30)
    (again,) = [s for s in states.values() if s.customer.email == "jo@customer.example"]
    assert again.message_count == 1, "it begins anew"


async def _ignored(world: World, ticket_id: str, times: int) -> bool:
    """Whether inputs of this ticket were known so often."""
    events = await world.events(ticket_id)
    return sum(isinstance(e, InputIgnored) and e.code == "already_known" for e in events) >= times


async def _states(world: World, wanted: int) -> object:
    found = await world.states()
    return found if len(found) == wanted else None
