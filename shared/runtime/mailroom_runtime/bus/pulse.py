"""Lets what is written within a moment be written together.

A record by itself costs a request to the broker, and each reader after it another one. The producer's own linger runs
for each partition by itself, and records of different keys lie in different ones; so here all wait for one beat.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from .pace import Rate

ENOUGH = 40  # who wait are not kept waiting for more
WORTH = 1.3  # so many in a beat, or waiting is for nothing; then each PROBE-th tries whether that has changed
PROBE = 40
ACTIVE_S = 1.0  # who came within this may come again


class Pulse:
    """One beat for all who wait, up to `busy_s` seconds later while more than `many_per_s` come, else after `calm_s`.

    Nobody waits for longer than `calm_s` above `most_per_s`, where what comes while one batch is written is company
    enough, nor when waiting brings none (a sender that sends one after the other).
    """

    def __init__(
        self, busy_s: float, *, calm_s: float = 0.0, many_per_s: float = 50.0, most_per_s: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._busy_s, self._calm_s, self._many, self._most, self._clock = busy_s, calm_s, many_per_s, most_per_s, clock
        self._active: OrderedDict[Hashable, float] = OrderedDict()  # when each came last, the latest at the end
        self._beat = asyncio.Event()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._rate = Rate(clock)
        self._company = 2.0
        self._passed = 0

    async def next(self, who: Hashable = None) -> None:
        """Wait for the next beat. `who`: one that comes again only after this; when all such wait, nobody else comes."""
        self._rate.add(1)
        enough = ENOUGH if who is None else min(ENOUGH, self._active_with(who))
        if self._timer is None:
            self._busy = self._is_worth_it()
            pause_s = self._busy_s if self._busy else self._calm_s
            if not pause_s:
                return
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._strike)
        self._waiting += 1
        beat = self._beat
        if self._waiting >= enough:
            self._strike()
        await beat.wait()

    def _active_with(self, who: Hashable) -> int:
        now = self._clock()
        self._active[who] = now
        self._active.move_to_end(who)
        while now - next(iter(self._active.values())) > ACTIVE_S:
            self._active.popitem(last=False)
        return len(self._active)

    def _is_worth_it(self) -> bool:
        if not self._many < self._rate.per_s() <= self._most:
            return False
        self._passed += 1
        return self._company >= WORTH or self._passed % PROBE == 0

    def _strike(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._busy:
            self._company += 0.2 * (self._waiting - self._company)
        beat, self._beat, self._timer, self._waiting = self._beat, asyncio.Event(), None, 0
        beat.set()
