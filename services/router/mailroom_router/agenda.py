"""Which inputs the next transaction takes, and when it may begin. Pure: it is told the time, in monotonic seconds.

What people wait for (mail, their commands, how their replies went) starts a transaction at once while little comes, and
takes everything else along. While mail is late, since more comes than is worked on or others use the processor, what
concerns automatic replies waits: it would make mail later, here and in every service that it leads to.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailroom_runtime.bus.pace import Pace

from .inbox import Inbox, Raw

BATCH_BYTES = 4_000_000
MANY = 400  # inputs that need not wait for more
LONGEST_S = 0.1  # between two beginnings, at most
PATIENT_S = 0.25  # how long patient inputs wait for company
PATIENT_LONGEST_S = 60.0  # how long they wait while mail is late
PATIENT_MOST, PATIENT_MOST_S = 40, 1.0  # so many in a transaction while mail comes, which waits for its end
LATE_S, LATE_FOR_S = 0.05, 0.5  # from acceptance to the event, as is asked; how long one late transaction counts


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing begins before so many seconds have gone; `until_fed`: look again as soon as anything comes, too."""

    seconds: float  # inf: nothing waits
    until_fed: bool


class Agenda:
    """At most `most` inputs in a transaction."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0.0
        self._pace = Pace(calm_per_s=150, step_s=0.03, longest_s=LONGEST_S, clock=lambda: self._now)  # by the urgent
        self._late_until = float("-inf")
        self._urgent_at = float("-inf")

    def next(self, inboxes: Mapping[int, Inbox], now: float) -> list[Raw] | Pause:
        """The inputs of the next transaction, taken from these partitions, or how long to wait."""
        self._now = now
        lanes = [lane for inbox in inboxes.values() for lane in inbox.lanes if lane.open]
        urgent = [lane for lane in lanes if lane.urgent]
        due, many = self._pace.due(), sum(map(len, urgent or lanes)) >= MANY
        if not urgent:
            since = min((lane.since for lane in lanes), default=float("inf"))
            late_until = min(self._late_until, since + PATIENT_LONGEST_S)
            due, many = max(due, since + PATIENT_S, late_until), many and now >= late_until
        if due > now and not many:
            return Pause(due - now, until_fed=not urgent)
        return self._take(inboxes, now)

    def settled(self, latencies: Sequence[float], now: float) -> None:
        """A transaction ended: the seconds from acceptance to the event of each mail in it."""
        if latencies and statistics.median(latencies) > LATE_S:
            self._late_until = now + LATE_FOR_S

    def _take(self, inboxes: Mapping[int, Inbox], now: float) -> list[Raw]:
        """Each partition its share, people's first."""
        share = max(1, self._most // max(1, len(inboxes)))
        taken: list[Raw] = []
        for inbox in inboxes.values():
            taken += inbox.take(share, patient=False)
        self._pace.began(len(taken))
        if taken:
            self._urgent_at = now
        along, left = self._along(list(inboxes.values()), now)
        for inbox in along:
            room = min(share, self._most - len(taken), left)
            if room > 0:
                taken += (more := inbox.take(room, patient=True))
                left -= len(more)
        return _within(taken, inboxes)

    def _along(self, inboxes: list[Inbox], now: float) -> tuple[list[Inbox], int]:
        """Whose patient inputs a transaction takes along, and how many in all."""
        if now < self._late_until or any(lane.urgent for inbox in inboxes for lane in inbox.lanes):
            overdue = [i for i in inboxes if any(now >= lane.since + PATIENT_LONGEST_S for lane in i.lanes)]
            longest = max((now - lane.since for i in overdue for lane in i.lanes), default=0.0)
            return overdue, int(PATIENT_MOST * (1.0 + max(0.0, longest - PATIENT_LONGEST_S)))  # the longer, the more
        return inboxes, PATIENT_MOST if now - self._urgent_at < PATIENT_MOST_S else self._most


def _within(raws: list[Raw], inboxes: Mapping[int, Inbox]) -> list[Raw]:
    """No more than a transaction should write; the rest goes back to where it was."""
    size = 0
    for number, raw in enumerate(raws):
        size += len(raw.value or b"")
        if size > BATCH_BYTES and number:
            for partition, inbox in inboxes.items():
                inbox.put_back([r for r in raws[number:] if r.partition == partition])
            return raws[:number]
    return raws
