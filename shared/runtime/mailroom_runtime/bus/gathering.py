"""Small and at once while little comes, together while much comes: how consumers keep requests and commits few.

A fetch that is answered for every single record costs the broker and the reader more than the record's own work. While
a consumer reads many records a second, it asks the broker to wait a moment for more; else it gets each at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

WINDOW_S = 1.0
TOGETHER_BYTES = 256 * 1024
ALONE_BYTES = 1


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


class Gathering:
    """Sets how long a consumer's fetches wait. Above `many_per_s` records a second: up to `wait_ms` for 256 kB.

    With `longest_ms` the wait grows with what comes, from `wait_ms` at `many_per_s` on.
    """

    def __init__(
        self, consumer: Any, *, many_per_s: float = 50.0, wait_ms: int = 50, longest_ms: int = 0,
        rate: Rate | None = None,
    ) -> None:  # fmt: skip
        self._consumer, self._many, self._wait_ms = consumer, many_per_s, wait_ms
        self._longest_ms = max(longest_ms, wait_ms)
        self._rate = rate or Rate()
        self._alone_ms: int | None = None
        self.together = False  # whether many come now

    def saw(self, batches: Any) -> None:
        """After each poll: what it brought (records by partition)."""
        self.counted(sum(len(records) for records in batches.values()))

    def counted(self, records: int) -> None:
        """After each poll: how many records it brought."""
        self._rate.add(records)
        fetcher = self._consumer._fetcher  # aiokafka reads both for every request, and has no setter
        if self._alone_ms is None:
            self._alone_ms = fetcher._fetch_max_wait_ms
        per_s = self._rate.per_s()
        self.together = per_s > self._many
        wait_ms = min(self._longest_ms, int(self._wait_ms * per_s / self._many)) if self.together else self._alone_ms
        fetcher._fetch_min_bytes = TOGETHER_BYTES if self.together else ALONE_BYTES
        fetcher._fetch_max_wait_ms = wait_ms
