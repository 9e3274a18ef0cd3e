"""How much comes, and how far apart batches begin for it. Pure: the clock is handed in."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 1.0


class Rate:
    """Records a second over the last second. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._count = 0

    def add(self, count: int) -> None:
        """So many came now."""
        if count:
            self._seen.append((self._clock(), count))
            self._count += count

    def per_s(self) -> float:
        """How many came within the last second."""
        end = self._clock() - WINDOW_S
        while self._seen and self._seen[0][0] < end:
            self._count -= self._seen.popleft()[1]
        return self._count / WINDOW_S


class Pace:
    """How far apart batches begin: a batch has costs of its own, which are worth sharing only where much comes.

    Up to `calm_per_s` records a second nothing waits; then `step_s` for each `calm_per_s` more, `longest_s` at most.
    """

    def __init__(
        self, *, calm_per_s: float, step_s: float, longest_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calm, self._step_s, self._longest_s, self._clock = calm_per_s, step_s, longest_s, clock
        self._rate = Rate(clock)
        self._began_at = float("-inf")

    def began(self, count: int) -> None:
        """A batch of so many records begins now."""
        self._rate.add(count)
        self._began_at = self._clock()

    def due(self) -> float:
        """When the next may begin, by the same clock."""
        more = self._rate.per_s() / self._calm - 1
        return self._began_at + min(self._longest_s, max(0.0, more * self._step_s))
