"""Lets what is written within a moment be written together.

A lane's records lie in one partition and its reports in eight others, and each of them alone would be a request to the
broker. The producer's own linger runs for each partition by itself, so here all wait for one beat.
"""

from __future__ import annotations

import asyncio

from mailroom_runtime.gathering import Rate

MANY_PER_S, CALM_S = 50.0, 0.002
ENOUGH = 40  # who wait are not kept waiting for more


class Pulse:
    """One beat for all who wait: soon while little is written, up to `busy_s` seconds later while much is."""

    def __init__(self, busy_s: float) -> None:
        self._busy_s = busy_s
        self._beat = asyncio.Event()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rate = Rate()

    async def next(self) -> None:
        """Wait for the next beat."""
        self._rate.add(1)
        self._waiting += 1
        if self._timer is None:
            pause_s = self._busy_s if self._rate.per_s() > MANY_PER_S else CALM_S
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._strike)
        beat = self._beat
        if self._waiting >= ENOUGH:
            self._strike()
        await beat.wait()

    def _strike(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        beat, self._beat, self._timer, self._waiting = self._beat, asyncio.Event(), None, 0
        beat.set()
