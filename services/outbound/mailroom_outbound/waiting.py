"""The mails that wait in one lane: in which order they are due, and what is recorded when something happens to one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from mailroom_contracts import LaneEntry

from . import lane
from .agenda import Agenda
from .desk import Desk

_SAME_HOLD = timedelta(seconds=1)  # a mail's outcome is recorded a moment after its account began to hold still


class Waiting:
    """`writer` names this assignment in every record; `on_done` is told the id of each mail that is finished."""

    def __init__(self, desk: Desk, writer: str, on_done: Callable[[str], None]) -> None:
        self.agenda = Agenda()
        self._desk, self._writer, self._on_done = desk, writer, on_done
        self._seen_at: dict[str, float] = {}
        self.unsent: set[str] = set()  # recorded as attempted by us, and certainly not sent

    def add(self, entry: LaneEntry) -> bool:
        """A mail that waits here: new, or changed by whoever had this lane before. Whether that changes anything."""
        if self.agenda.is_under_way(entry.outbound_id):
            return False
        self._seen_at.setdefault(entry.outbound_id, time.monotonic())
        self.agenda.put(entry)
        return True

    def forget(self, outbound_id: str) -> bool:
        """Another process finished it. Whether that changes anything."""
        if self.agenda.is_under_way(outbound_id):
            return False
        self.agenda.drop(outbound_id)
        return True

    def cancel(self, outbound_id: str) -> bool:
        """Somebody asks not to send it. Whether it still waits here."""
        entry = self.agenda.entries.get(outbound_id)
        if entry is None:
            return False
        entry = entry.model_copy(update={"cancel": True, "next_at": None})
        if self.agenda.is_under_way(outbound_id):
            self.agenda.note(entry)
        else:
            self.agenda.put(entry)
        return True

    def cancelled(self, entry: LaneEntry) -> bool:
        """Whether somebody asked not to send it, also while it was under way."""
        current = self.agenda.entries.get(entry.outbound_id)
        return entry.cancel or (current is not None and current.cancel)

    async def begin(self, entry: LaneEntry, now: datetime) -> LaneEntry:
        """Record an attempt before it is made. Raises `BusDown` and `RecordTooLarge`."""
        begun = lane.begin(entry, now)
        await self._desk.records.put(begun, self._writer)
        self.agenda.note(begun if not self.cancelled(begun) else begun.model_copy(update={"cancel": True}))
        self.unsent.discard(entry.outbound_id)
        return begun

    async def finish(self, entry: LaneEntry, step: lane.Step) -> None:
        """Record a step, and go on from it."""
        await self._desk.records.keep(entry, step, self._writer)
        if step.entry is None:
            self.agenda.drop(entry.outbound_id)
            self._seen_at.pop(entry.outbound_id, None)
            self._on_done(entry.outbound_id)
        else:
            self.agenda.give_back(entry.outbound_id)
            cancelled = self.cancelled(entry) and not step.entry.cancel
            self.agenda.put(step.entry.model_copy(update={"cancel": True}) if cancelled else step.entry)

    def back(self, entry: LaneEntry, at: datetime) -> None:
        """Nothing happened: it is due again then."""
        self.agenda.give_back(entry.outbound_id)
        self.agenda.put(entry.model_copy(update={"next_at": at, "cancel": self.cancelled(entry)}))

    def hurry(self, held_until: datetime, now: datetime) -> None:
        """What was tried and waited for its account, which held still until then, is due now."""
        for entry in list(self.agenda.entries.values()):
            waits = entry.attempts and entry.next_at is not None and now < entry.next_at <= held_until + _SAME_HOLD
            if waits and not self.agenda.is_under_way(entry.outbound_id):
                self.agenda.put(entry.model_copy(update={"next_at": now}))

    def unsendable(self, entry: LaneEntry, now: datetime) -> lane.Step | None:
        """The end of a mail that is cancelled, too old, or may not leave from here any more; None where it may."""
        step = lane.expire(entry, policy=self._desk.policy, now=now)
        if step is not None:
            return step
        reason = self._desk.why_refused(entry, self._seen_at.get(entry.outbound_id, time.monotonic()))
        return lane.refuse(entry, reason, now) if reason is not None else None

    async def sweep(self, now: datetime) -> None:
        """End what may not be sent any more."""
        for entry in list(self.agenda.entries.values()):
            if self.agenda.is_under_way(entry.outbound_id):
                continue
            step = self.unsendable(entry, now)
            if step is not None and self.agenda.entries.get(entry.outbound_id) is entry:
                await self.finish(entry, step)

    async def park_all(self, reason: str, now: datetime, goes_on: Callable[[], bool]) -> None:
        """The account waits to be mended, and with it all mail, while `goes_on`."""
        for entry in list(self.agenda.entries.values()):
            still = self.agenda.entries.get(entry.outbound_id) is entry and goes_on()
            if still and entry.state != "parked" and not self.agenda.is_under_way(entry.outbound_id):
                await self.finish(entry, lane.park(entry, reason, now))
