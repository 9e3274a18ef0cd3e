"""What the index is told while Redis is away is neither lost nor told out of order, and it says how far it got."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition
from mailroom_router.agents import Agents
from mailroom_router.audit.auditor import MOST_HISTORY, thinned
from mailroom_router.facts import Facts, Learnt
from mailroom_router.learning import Learning
from mailroom_router.redis_gate import RedisGate
from mailroom_router.redis_index import Index
from mailroom_router.second_step import FULL, ROOM, SecondStep
from mailroom_runtime.process.tasks import end
from support.waiting import eventually


class _Redis:
    """Index, agents and gate in one; `fails` is how many writes it does not take."""

    def __init__(self) -> None:
        self.up, self.fails, self.spoilt = True, 0, 0
        self.known: list[str] = []
        self.to: dict[int, int] = {}

    async def wait_up(self, timeout_s: float) -> bool:
        return self.up

    async def attempt(self, work: Awaitable[Any], default: Any) -> Any:
        if not self.up:
            work.close()  # type: ignore[attr-defined]
            return default
        try:
            return await work
        except ConnectionError:
            return default

    async def spoil(self) -> None:
        self.spoilt += 1

    async def learn(self, many: Sequence[Facts]) -> None:
        if self.fails:
            self.fails -= 1
            raise ConnectionError
        self.known += [facts.ticket_id for facts in many]

    async def learnt_to(self, partition: int) -> int | None:
        return self.to.get(partition)

    async def note_learnt(self, to: dict[int, int]) -> None:
        self.to |= to


class _Agents:
    async def learn(self, many: Sequence[Facts]) -> None:
        return None


def _learning(redis: _Redis) -> Learning:
    return Learning(cast(RedisGate, redis), cast(Index, redis), cast(Agents, _Agents()))


async def test_how_far_the_index_knows_is_said_only_after_it_knows() -> None:
    redis = _Redis()
    redis.fails = 3
    learning = _learning(redis)
    running = asyncio.create_task(learning.run())
    learning.learn([Facts("T1", "p1")], Learnt(0, 5))
    learning.learn([Facts("T2", "p1")], Learnt(0, 9))
    await eventually(lambda: redis.to == {0: 9})
    assert redis.known == ["T1", "T2"]
    assert redis.fails == 0
    assert await learning.learnt_to(0) == 9
    assert await learning.learnt_to(1) is None
    assert redis.spoilt == 0
    await end(running)


async def test_a_partition_that_opens_while_redis_is_away_has_the_index_rebuilt() -> None:
    redis = _Redis()
    redis.up = False
    learning = _learning(redis)
    running = asyncio.create_task(learning.run())
    assert await learning.learnt_to(0) is None
    learning.learn([Facts("T1", "p1")], Learnt(0, 5))
    await asyncio.sleep(0)
    assert redis.known == []
    redis.up = True
    await eventually(lambda: redis.to == {0: 5})
    assert redis.spoilt == 1
    await end(running)


def test_the_auditors_history_stays_short_and_keeps_its_beginning() -> None:
    history: deque[Any] = deque()
    for moment in range(20_000):
        history = thinned(history, (float(moment), {}))
        assert len(history) <= MOST_HISTORY
    times = [moment for moment, _ in history]
    assert times == sorted(times)
    assert times[0] == 0.0
    assert times[-1] == 19_999.0


class _Consumer:
    """Of aiokafka what matters here: a rebalance begins to read what was paused."""

    def __init__(self, parts: set[Any]) -> None:
        self.parts, self.held = parts, set[Any]()

    def assignment(self) -> set[Any]:
        return self.parts

    def paused(self) -> set[Any]:
        return set(self.held)

    def pause(self, tp: Any) -> None:
        self.held.add(tp)

    def resume(self, tp: Any) -> None:
        self.held.discard(tp)


def test_what_was_paused_before_a_rebalance_is_paused_after_it() -> None:
    tp = TopicPartition("routed", 0)
    queued = {"now": FULL + 1}
    step = cast(Any, SimpleNamespace(_by_name={"routed": "topic"}))
    partition = SimpleNamespace(inbox=SimpleNamespace(lane=lambda topic: range(queued["now"])))
    worker = cast(Any, SimpleNamespace(partitions={0: partition}))
    consumer = _Consumer({tp})
    SecondStep._balance(step, worker, cast(Any, consumer))
    assert consumer.held == {tp}
    consumer.held.clear()  # a rebalance
    SecondStep._balance(step, worker, cast(Any, consumer))
    assert consumer.held == {tp}
    queued["now"] = ROOM - 1
    SecondStep._balance(step, worker, cast(Any, consumer))
    assert consumer.held == set()
