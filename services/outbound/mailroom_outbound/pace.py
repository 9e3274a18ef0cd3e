"""A provider's limit on messages per minute: when the next one may leave. Pure."""

from __future__ import annotations

from collections import deque

MINUTE_S = 60.0


class Pace:
    """At most `per_minute` starts in any 60 seconds; None: no limit. Times are monotonic seconds."""

    def __init__(self, per_minute: int | None = None) -> None:
        self.per_minute = per_minute
        self._starts: deque[float] = deque()

    def wait_s(self, now: float) -> float:
        """Seconds until one more may start."""
        if self.per_minute is None:
            return 0.0
        while self._starts and now - self._starts[0] >= MINUTE_S:
            self._starts.popleft()
        if len(self._starts) < max(self.per_minute, 1):
            return 0.0
        return MINUTE_S - (now - self._starts[0])

    def started(self, now: float) -> None:
        """One starts now."""
        if self.per_minute is not None:
            self._starts.append(now)
