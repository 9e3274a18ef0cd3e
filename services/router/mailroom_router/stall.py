"""Whether the first step stands still: mail waits on a partition and nothing is committed there. Pure.

faust's consumer thread was seen (chaos, seed 11) to get no more records after Kafka had been killed and paused while
the group was rebalancing; nothing failed, so nothing restarted it, and the auditor leaves alone what is not committed.
"""

from __future__ import annotations

from collections.abc import Mapping


class Standstill:
    """Told again and again how far each partition is; times are monotonic seconds, passed in."""

    def __init__(self, after_s: float) -> None:
        self._after = after_s
        self._since: dict[int, tuple[int, float]] = {}

    def forget(self) -> None:
        """There is no telling now (Kafka is away, or the step is at work): start to count anew."""
        self._since.clear()

    def look(self, committed: Mapping[int, int], ends: Mapping[int, int], now: float) -> list[int]:
        """The partitions with mail waiting whose committed offset has not moved for `after_s` seconds."""
        still: list[int] = []
        for partition, end in ends.items():
            offset = committed.get(partition, -1)
            if offset >= end:
                self._since.pop(partition, None)
                continue
            seen, since = self._since.get(partition, (offset, now))
            if seen != offset:
                since = now
            self._since[partition] = (offset, since)
            if now - since >= self._after:
                still.append(partition)
        return sorted(still)
