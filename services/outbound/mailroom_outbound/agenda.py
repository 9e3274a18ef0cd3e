"""The order in which a lane's mails are due: a queue by time, and a queue of those that are due, oldest first. Pure.

Two mails of one ticket never go at once, so that they cannot overtake each other.
"""

from __future__ import annotations

import heapq
from collections import deque
from datetime import datetime

from mailroom_contracts import LaneEntry


class Agenda:
    """Entries by id. Times are datetimes in UTC."""

    def __init__(self) -> None:
        self.entries: dict[str, LaneEntry] = {}
        self._later: list[tuple[datetime, int, str]] = []
        self._due: list[tuple[datetime, int, str]] = []
        self._numbers: dict[str, int] = {}
        self._taken: dict[str, str] = {}  # entry id -> ticket id
        self._busy: set[str] = set()  # tickets of these
        self._behind: dict[str, deque[str]] = {}  # ticket id -> entries that wait for the one under way
        self._count = 0

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def under_way(self) -> int:
        return len(self._taken)

    def is_under_way(self, outbound_id: str) -> bool:
        return outbound_id in self._taken

    def put(self, entry: LaneEntry) -> None:
        """Add or change an entry; it is due at its `next_at`, or now. Not for one that is under way."""
        if entry.outbound_id not in self._numbers:
            self._count += 1
            self._numbers[entry.outbound_id] = self._count
        self.entries[entry.outbound_id] = entry
        self._schedule(entry)

    def note(self, entry: LaneEntry) -> None:
        """Change an entry that is under way."""
        self.entries[entry.outbound_id] = entry

    def drop(self, outbound_id: str) -> None:
        """It is done."""
        self.entries.pop(outbound_id, None)
        self._numbers.pop(outbound_id, None)
        self.give_back(outbound_id)

    def give_back(self, outbound_id: str) -> None:
        """It is not under way any more; the next of its ticket may go."""
        ticket = self._taken.pop(outbound_id, None)
        if ticket is None:
            return
        self._busy.discard(ticket)
        for other in self._behind.pop(ticket, ()):
            if (entry := self.entries.get(other)) is not None:
                self._schedule(entry)

    def take(self, now: datetime) -> LaneEntry | None:
        """The oldest entry that is due and may go, now under way; None when there is none."""
        self._move(now)
        while self._due:
            _, number, outbound_id = heapq.heappop(self._due)
            entry = self._current(outbound_id, number)
            if entry is None or not _is_due(entry, now):
                continue
            ticket = entry.order.ticket_id
            if ticket in self._busy:
                self._behind.setdefault(ticket, deque()).append(outbound_id)
                continue
            self._taken[outbound_id] = ticket
            self._busy.add(ticket)
            return entry
        return None

    def next_at(self, now: datetime) -> datetime | None:
        """When the next entry is due (`now` when one is); None when nothing waits."""
        self._move(now)
        if self._due:
            return now
        return self._later[0][0] if self._later else None

    def _schedule(self, entry: LaneEntry) -> None:
        number = self._numbers[entry.outbound_id]
        if entry.next_at is None:
            heapq.heappush(self._due, (entry.queued_at, number, entry.outbound_id))
        else:
            heapq.heappush(self._later, (entry.next_at, number, entry.outbound_id))

    def _move(self, now: datetime) -> None:
        while self._later and self._later[0][0] <= now:
            _, number, outbound_id = heapq.heappop(self._later)
            if (entry := self._current(outbound_id, number)) is not None and _is_due(entry, now):
                heapq.heappush(self._due, (entry.queued_at, number, outbound_id))

    def _current(self, outbound_id: str, number: int) -> LaneEntry | None:
        if outbound_id in self._taken or self._numbers.get(outbound_id) != number:
            return None
        return self.entries.get(outbound_id)


def _is_due(entry: LaneEntry, now: datetime) -> bool:
    return entry.next_at is None or entry.next_at <= now
