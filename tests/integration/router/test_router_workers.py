"""Several router workers: taken over after kill -9, joined and left again and again, stopped and resumed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import Assigned, topics
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import connect
from support.processes import ServiceProcess
from support.router_world import World, check_consistent, mail
from support.waiting import eventually, wait_until, while_it_moves

Starter = Callable[..., ServiceProcess]


@pytest.fixture
def partitions() -> int:
    return 4


def metric(process: ServiceProcess, name: str) -> float:
    lines = [line for line in process.metrics().splitlines() if line.startswith(name) and "_created" not in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


class Load:
    """Mails at a steady rate, from as many customers, until told to stop; a third of them answers."""

    def __init__(self, world: World, rate: int) -> None:
        self.world, self.rate = world, rate
        self.sent: list[str] = []
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            started = time.monotonic()
            batch = []
            for _ in range(max(1, self.rate // 10)):
                customer = number // 3
                more: dict[str, Any] = {} if number % 3 == 0 else {"references": [f"mc{customer}-0@customer.example"]}
                received = mail(f"c{customer}-{number % 3}", sender=f"c{customer}@customer.example", **more)
                batch.append(received)
                self.sent.append(received.id)
                number += 1
            await self.world.put(*batch)
            await asyncio.sleep(max(0.0, started + 0.1 - time.monotonic()))

    async def sends(self, more: int) -> None:
        """Wait until so many further mails were sent."""
        await while_it_moves(lambda: len(self.sent), len(self.sent) + more, what="mails that are sent")

    async def end(self) -> list[str]:
        self._stop.set()
        await self._task
        return self.sent


async def everything_has_an_outcome(world: World, sent: list[str], stalled: float) -> None:
    """Wait for an outcome of each mail; fails when for `stalled` seconds none came."""

    async def done() -> int:
        causes = {e.causation_id for e in await world.events()}
        return sum(one in causes for one in sent)

    await while_it_moves(done, len(sent), stalled=stalled, every=1.0, what="mails with an outcome")


async def check_whole(world: World, sent: list[str]) -> None:
    """Each mail made one message; tickets and messages are as many as they should be; states agree with events."""
    events, states = await world.events(), await world.states()
    check_consistent(events, states)
    added = Counter(e.causation_id for e in events if e.type == "ticket.message_added")
    assert set(added) == set(sent)
    assert set(added.values()) == {1}
    assert len(states) == (len(sent) + 2) // 3
    assert sum(s.message_count for s in states.values()) == len(sent)
    agents = [e for e in events if isinstance(e, Assigned)]
    assert all(n == 1 for n in Counter(e.ticket_id for e in agents).values()), "one ticket to two agents"
    assert all(states[e.ticket_id].assignee_id == e.assignee_id for e in agents)


async def test_a_killed_worker_is_taken_over_without_loss_or_double(world: World, start_service: Starter) -> None:
    redis = connect(world.settings.redis)
    presence = Presence(redis, world.settings.topic_prefix)
    await presence.set("p1", "a1", "online")
    await presence.set("p1", "a2", "online")
    first, second = start_service("router", world.env()), start_service("router", world.env())
    load = Load(world, 60)
    await eventually(lambda: len(load.sent) > 150, 20)
    first.kill()
    killed_at = time.monotonic()
    await eventually(lambda: time.monotonic() - killed_at > 4, 10)
    sent = await load.end()
    await everything_has_an_outcome(world, sent, 60)
    print(f"killed worker: everything had its outcome {time.monotonic() - killed_at:.1f} s after the kill")
    await check_whole(world, sent)
    loads = {a: await redis.scard(f"{world.settings.topic_prefix}:load:p1:{a}") for a in ("a1", "a2")}
    assert sum(loads.values()) == len(await world.states())
    assert abs(loads["a1"] - loads["a2"]) <= 1, f"the one with the fewest gets the next: {loads}"
    assert second.running
    await redis.aclose()


async def test_a_worker_that_slept_and_wakes_up_commits_nothing_any_more(world: World, start_service: Starter) -> None:
    first = start_service("router", world.env())
    second = start_service("router", world.env())
    load = Load(world, 40)
    await eventually(lambda: len(load.sent) > 100, 20)
    first.pause()
    slept_at = time.monotonic()
    # longer than the session: the other one takes its partitions over
    await eventually(lambda: "partitions.assigned" in second.output() and time.monotonic() - slept_at > 10, 30)
    first.resume()
    woken_at = time.monotonic()
    await eventually(lambda: time.monotonic() - woken_at > 5, 10)
    sent = await load.end()
    await everything_has_an_outcome(world, sent, 60)
    await check_whole(world, sent)
    assert first.running, first.tail()


@pytest.mark.timeout(900)  # all waits are for what happens
@pytest.mark.parametrize("joins", [4, pytest.param(20, marks=pytest.mark.slow)])
async def test_joins_and_leaves_under_load_lose_nothing(world: World, start_service: Starter, joins: int) -> None:
    audit_env = world.env(MAILROOM_AUDIT_AFTER_S="5", MAILROOM_AUDIT_EVERY_S="1")
    auditor = start_service("router_audit", audit_env, module="mailroom_router.audit", timeout=180)
    stays = start_service("router", world.env(), timeout=180)
    load = Load(world, 30)
    for number in range(joins):
        guest = start_service("router", world.env(), timeout=180)
        await load.sends(15)
        if number % 4 == 3:
            guest.kill()
        else:
            guest.terminate(120)
    sent = await load.end()
    await everything_has_an_outcome(world, sent, 90)
    back = metric(auditor, "mailroom_audit_brought_back_total")
    repeats = sum(getattr(e, "code", "") == "already_known" for e in await world.events())
    print(
        f"{joins} joins and leaves, {len(sent)} mails: the auditor brought back {back:.0f}, {repeats} repeats were known"
    )
    await check_whole(world, sent)
    assert stays.running
    assert back <= max(len(sent) * 0.01, 1)


async def test_the_auditor_puts_back_what_had_no_outcome_and_leaves_a_slow_router_alone(
    world: World, start_service: Starter
) -> None:
    auditor = start_service(
        "router_audit", world.env(MAILROOM_AUDIT_AFTER_S="3", MAILROOM_AUDIT_EVERY_S="0.5"),
        module="mailroom_router.audit",
    )  # fmt: skip
    early = mail("early")
    await world.put(early)
    since = time.monotonic()
    # no router runs: nothing was passed over, it is only late
    await eventually(lambda: time.monotonic() - since > 6, 10)
    assert metric(auditor, "mailroom_audit_brought_back_total") == 0
    # a mail that the first step's offsets pass over, as a fault of its engine would
    lost = mail("lost", sender="lost@customer.example")
    await world.put(lost)
    await world.skip(topics.EMAIL_RECEIVED, "router.place")
    start_service("router", world.env())
    wait_until(lambda: metric(auditor, "mailroom_audit_brought_back_total") >= 2, 40)
    await everything_has_an_outcome(world, [early.id, lost.id], 30)
    check_consistent(await world.events(), await world.states())
    assert len(await world.states()) == 2
    (again,) = [
        r
        for r in await world.records(topics.EMAIL_RECEIVED)
        if b'"redelivery":1' in r.value and r.key == lost.record_key.encode()
    ]
    assert again
    settled = time.monotonic()
    await eventually(lambda: time.monotonic() - settled > 5, 10)
    assert metric(auditor, "mailroom_audit_brought_back_total") == 2


async def test_a_worker_stops_in_the_midst_of_a_rebalance(world: World, start_service: Starter, tmp_path: Path) -> None:
    stays = start_service("router", world.env(MAILROOM_ROUTER_SESSION_TIMEOUT_S="60"))
    guest = ServiceProcess("router", world.env(MAILROOM_DATA=str(tmp_path / "guest")), tmp_path / "guest.log")
    guest.launch()
    try:
        await eventually(lambda: "service.started" in guest.output(), 20)
        # the groups wait for this one until its session ends, and whoever joins meanwhile waits with them
        stays.pause()
        await eventually(lambda: "redis.found" in guest.output(), 20)
        assert guest.terminate(20) == 0
        assert "drain_timed_out" not in guest.output()
    finally:
        stays.resume()
        guest.kill()
    received = mail("after", sender="c@customer.example")
    await world.put(received)
    await everything_has_an_outcome(world, [received.id], 60)
