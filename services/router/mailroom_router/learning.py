"""What tickets' changes say goes into the index, in order, whenever Redis takes it; and how far it got stands there too.

So a router that ends while Redis is away loses nothing of it: whoever opens the partition next reads `tickets` on from
where the index stood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mailroom_runtime.process.logs import get_logger

from .agents import Agents
from .facts import Facts, Learnt
from .redis_gate import RedisGate
from .redis_index import Index

log = get_logger()
MOST = 100_000  # facts that wait for a Redis that is away; then the index is rebuilt instead
AT_ONCE = 500
TOGETHER_S = 0.05  # what tickets' changes say goes into the index together
AWAY_S = 0.1
UP_S = 2.0


class Learning:
    """`learn` takes facts, `run` writes them; `learnt_to` says from where a partition's states are to be told again."""

    def __init__(self, gate: RedisGate, index: Index, agents: Agents) -> None:
        self._gate, self._index, self._agents = gate, index, agents
        self._pending: list[Facts | Learnt] = []
        self._fed = asyncio.Event()
        self._spoilt = False

    def learn(self, facts: Sequence[Facts], learnt: Learnt | None = None) -> None:
        """These are to be in the index; with them it knows everything up to `learnt`."""
        self._pending.extend(facts)
        if learnt is not None:
            self._pending.append(learnt)
        self._fed.set()

    async def learnt_to(self, partition: int) -> int | None:
        """The offset of `tickets` up to which the index knows everything; None where it does not say.

        With Redis away nobody knows what is missing there: the index is rebuilt once it is back.
        """
        if await self._gate.wait_up(UP_S):
            found = await self._gate.attempt(self._index.learnt_to(partition), -1)
            if found != -1:
                return found
        self._spoilt = True
        self._fed.set()
        return None

    async def run(self) -> None:
        """Never ends."""
        while True:
            if not self._pending and not self._spoilt:
                self._fed.clear()
                await self._fed.wait()
            if not self._gate.up:
                if len(self._pending) > MOST:
                    self._pending.clear()
                    log.warning("index.spoilt", reason="Redis was away for too long")
                    self._spoilt = True
                await asyncio.sleep(AWAY_S)
                continue
            if self._spoilt:
                self._spoilt = False
                await self._gate.spoil()
            if len(self._pending) < AT_ONCE:
                await asyncio.sleep(TOGETHER_S)
            batch, self._pending[:] = self._pending[:AT_ONCE], self._pending[AT_ONCE:]
            if not await self._gate.attempt(self._write(batch), False):
                self._pending[:0] = batch

    async def _write(self, batch: Sequence[Facts | Learnt]) -> bool:
        facts = [one for one in batch if isinstance(one, Facts)]
        await self._index.learn(facts)
        await self._agents.learn(facts)
        marks: dict[int, Any] = {one.partition: one.to for one in batch if isinstance(one, Learnt)}
        if marks:
            await self._index.note_learnt(marks)
        return True
