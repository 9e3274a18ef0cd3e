"""Small and at once while little comes, together while much comes: how consumers keep requests and commits few.

A fetch that is answered for every single record costs the broker and the reader more than the record's own work. While
a consumer reads many records a second, it asks the broker to wait a moment for more; else it gets each at once.
"""

from __future__ import annotations

from typing import Any

from .aiokafka_private import fetch_wait_ms, set_fetch
from .pace import Rate

TOGETHER_BYTES = 256 * 1024
ALONE_BYTES = 1


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
        if self._alone_ms is None:
            self._alone_ms = fetch_wait_ms(self._consumer)
        per_s = self._rate.per_s()
        self.together = per_s > self._many
        wait_ms = min(self._longest_ms, int(self._wait_ms * per_s / self._many)) if self.together else self._alone_ms
        set_fetch(self._consumer, min_bytes=TOGETHER_BYTES if self.together else ALONE_BYTES, wait_ms=wait_ms)
