"""Mail that the first step of this process has just routed, for its second step: what comes back is not decoded again.

The second step reads everything from Kafka, and what it finds here has exactly the bytes that came from there: this is
how they are decoded, kept from when they were made. Without it (another worker's, after a restart, long ago) they are
decoded as ever.
"""

from __future__ import annotations

from collections import OrderedDict

from mailroom_contracts import EmailRouted

MOST_BYTES = 8 << 20  # of JSON; decoded it is about four times as much
LARGEST = 64 << 10


class Handed:
    """The newest routed mails by the bytes of their records."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[bytes, EmailRouted] = OrderedDict()
        self._bytes = 0

    def put(self, value: bytes | None, routed: EmailRouted) -> None:
        """It is written as `value`."""
        if value is None or len(value) > LARGEST or value in self._kept:
            return
        self._kept[value] = routed
        self._bytes += len(value)
        while self._bytes > self._most:
            oldest, _ = self._kept.popitem(last=False)
            self._bytes -= len(oldest)

    def take(self, value: bytes | None) -> EmailRouted | None:
        """What was written as `value`, once; None where that is not known here."""
        found = self._kept.pop(value, None) if value is not None else None
        if found is not None and value is not None:
            self._bytes -= len(value)
        return found
