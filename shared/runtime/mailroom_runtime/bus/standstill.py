"""Whether a reader stands still: records wait for it, and nothing of them is done. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Standstill(Generic[K]):
    """Told again and again how far each partition is; times are monotonic seconds, passed in."""

    def __init__(self, after_s: float) -> None:
        self._after = after_s
        self._since: dict[K, tuple[object, float]] = {}

    def forget(self) -> None:
        """There is no telling now (Kafka is away, or the reader is at work): start to count anew."""
        self._since.clear()

    def look(self, done: Mapping[K, int], ends: Mapping[K, int], now: float, work: object = None) -> list[K]:
        """The partitions with records waiting of which nothing was done for `after_s` seconds.

        `done`: the next offset of each (a missing one counts as -1). `work` changes whenever anything at all was done.
        """
        still: list[K] = []
        for gone in self._since.keys() - ends.keys():
            del self._since[gone]
        for partition, end in ends.items():
            offset = done.get(partition, -1)
            if offset >= end:
                self._since.pop(partition, None)
                continue
            seen, since = self._since.get(partition, ((offset, work), now))
            if seen != (offset, work):
                since = now
            self._since[partition] = ((offset, work), since)
            if now - since >= self._after:
                still.append(partition)
        return sorted(still)  # type: ignore[type-var]
