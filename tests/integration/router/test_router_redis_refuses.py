"""Redis runs and answers every command with an error: to the router and to outbound that is a Redis that is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio
from mailroom_contracts import Person
from mailroom_outbound.lease import Holder, Leases
from mailroom_router.agents import Agents
from mailroom_router.draft import Wanted
from mailroom_router.facts import Facts
from mailroom_router.first_step import Arrival, FirstStep
from mailroom_router.redis_gate import RedisGate
from mailroom_router.redis_index import Index
from mailroom_runtime.process.tasks import end
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import REDIS_DOWN, Shared, connect
from support.processes import ServiceProcess
from support.redis_faults import FAULTS, RedisFault
from support.router_desk import RING, book
from support.router_world import World, mail
from support.servers import ValkeyServer
from support.waiting import eventually


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Always a process: a container's server cannot be given its settings at the start."""
    made = ValkeyServer(tmp_path / "valkey")
    try:
        yield made.start()
    finally:
        made.kill()


@pytest_asyncio.fixture
async def client(server: ValkeyServer) -> AsyncIterator[redis.asyncio.Redis]:
    made = connect(server.url, timeout_s=1)
    yield made
    await made.aclose()


@pytest.fixture(params=sorted(FAULTS))
def fault(request: pytest.FixtureRequest) -> RedisFault:
    return FAULTS[request.param]


async def test_whatever_redis_answers_instead_of_working_is_redis_down(
    fault: RedisFault, server: ValkeyServer, client: redis.asyncio.Redis
) -> None:
    leases, shared, presence = Leases(client, "t", seconds=90), Shared(client), Presence(client, "t")
    works = {
        "a lease": lambda: leases.of("ad1", Holder("here", "1", 1)).take(),
        "a shared command": lambda: shared.execute("SET", "a", "b"),
        "a script": lambda: shared.script("return redis.call('SET', KEYS[1], '1')", ["k"], []),
        "presence": lambda: presence.set("p1", "a1", "online"),
        "the index": lambda: Index(client, "t", 35).learn([Facts("T1", "p1", clue="p1|q1|ad1|jo@customer.example")]),
    }
    fault.begin(server)
    for name, work in works.items():
        with pytest.raises(REDIS_DOWN):
            print(name, await work())
    fault.end(server)
    for work in works.values():
        await work()


async def test_mail_becomes_tickets_at_once_while_redis_refuses(
    fault: RedisFault, server: ValkeyServer, client: redis.asyncio.Redis
) -> None:
    index, agents = Index(client, "t", 35), Agents(client, "t")

    async def rebuild() -> None:
        await agents.forget_loads()
        await index.learn([Facts("T1", "p1", clue="p1|q1|ad1|jo@customer.example")])

    gate = RedisGate(client, "t")
    said: list[tuple[bool, bool]] = []
    watching = asyncio.create_task(gate.watch(rebuild, lambda up, ready: said.append((up, ready))))
    step = FirstStep(book(), index, gate, RING)
    await eventually(lambda: gate.ready)
    fault.begin(server)
    for number in range(2):  # after each of the gate's looks: it must not take such a Redis for one that works
        looked = len(said)
        received = mail(number, references=["known@x"])
        began = time.monotonic()
        (routed,) = await step.route([Arrival(received.model_dump_json(by_alias=True).encode(), [])])
        assert isinstance(routed, list), routed
        assert len(routed) == 1
        assert time.monotonic() - began < 5, "it does not wait for a rebuild that cannot be"
        chosen = await gate.attempt(agents.choose([("T1", Wanted("p1", "q1", "c", "online"), ["a1"])]), [None])
        assert chosen == [None]
        await eventually(lambda looked=looked: len(said) > looked)  # type: ignore[misc]
    assert not watching.done()
    await eventually(lambda: said[-1] == (False, False))
    count = len(said)
    await eventually(lambda: len(said) > count + 1)
    assert not any(up for up, _ in said[count:]), "a Redis that refuses is not called up between two errors"
    fault.end(server)
    await eventually(lambda: gate.ready, 30)
    assert not watching.done()
    await end(watching)


async def test_what_the_index_missed_is_told_by_the_next_router(
    world: World, valkey: ValkeyServer, start_service: Callable[..., ServiceProcess]
) -> None:
    """Redis full, tickets made without it, the router killed, Redis whole again: an answer still finds its ticket."""
    router = start_service("router", world.env())
    with valkey.client() as raw:
        raw.config_set("maxmemory", "1")
    for number in range(4):  # each by itself: what a crash always tells again is only the last transaction
        await world.put(mail(number, cc=[Person(email="bob@customer.example")]))
        await eventually(partial(_tickets, world, number + 1), 30)
    router.kill()
    with valkey.client() as raw:
        raw.config_set("maxmemory", "0")
    start_service("router", world.env())
    await world.put(mail("answer", sender="bob@customer.example", in_reply_to=["m0@customer.example"]))

    async def answered() -> bool:
        states = await world.states()
        return len(states) == 4 and sorted(s.message_count for s in states.values()) == [1, 1, 1, 2]

    await eventually(answered, 40, every=0.3)


async def _tickets(world: World, wanted: int) -> bool:
    return len(await world.states()) == wanted
