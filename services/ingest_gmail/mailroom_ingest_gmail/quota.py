"""Spending Google's quota evenly: a bucket of units per account."""

from __future__ import annotations


class Bucket:
    """Holds up to one second's units; times are monotonic seconds, passed in."""

    def __init__(self, per_second: float, now: float) -> None:
        self._rate, self._level, self._at = per_second, per_second, now

    def take(self, units: float, now: float) -> float:
        """Take `units`; the seconds to wait before they may be spent."""
        self._level = min(self._rate, self._level + (now - self._at) * self._rate)
        self._at = now
        self._level -= units
        return max(0.0, -self._level / self._rate)
