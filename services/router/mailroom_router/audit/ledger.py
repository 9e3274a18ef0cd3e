"""Inputs without outcome yet, and how sure it is that they were passed over. Pure; the clock is passed in.

An input counts as passed over only when the router says (by its committed offsets) that it is beyond it, beyond all
mail that was routed by then, and the auditor has read every event that was written by then: a router that is merely
slow, or down, is left alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

Offsets = Mapping[tuple[str, int], int]


@dataclass(slots=True)
class Pending:
    """An input that waits for its outcome; where to read it again."""

    topic: str
    partition: int
    offset: int
    seen_at: float
    routed_by: Offsets | None = None  # ends of email.routed when the first step was found beyond it
    evented_by: Offsets | None = None  # ends of ticket.events when the second step was found beyond it


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at one moment: what the router committed, and where the topics end."""

    committed: Offsets  # by (topic, partition): next offset of the router for each of its inputs
    routed_ends: Offsets
    event_ends: Offsets
    event_positions: Offsets


@dataclass(slots=True)
class Ledger:
    """Bounded: `full` says that no further inputs should be read for now."""

    after_s: float
    remembered: int
    received: str  # full name of email.received, whose mail takes two steps
    pending: OrderedDict[str, Pending] = field(default_factory=OrderedDict)
    _outcomes: OrderedDict[str, None] = field(default_factory=OrderedDict)

    @property
    def full(self) -> bool:
        return len(self.pending) >= self.remembered

    def input(self, input_id: str, topic: str, partition: int, offset: int, now: float) -> None:
        """An input was read. One that was put back, or moved to its right partition, begins anew."""
        if input_id in self._outcomes:
            return
        self.pending.pop(input_id, None)
        self.pending[input_id] = Pending(topic, partition, offset, now)

    def outcome(self, causation_id: str) -> None:
        """An event with that root cause was read."""
        self.pending.pop(causation_id, None)
        self._outcomes[causation_id] = None
        self._outcomes.move_to_end(causation_id)
        while len(self._outcomes) > self.remembered:
            self._outcomes.popitem(last=False)

    def overdue(self, look: Look, now: float) -> list[tuple[str, Pending]]:
        """Inputs that were passed over; each then begins anew, so that it is not named again at once."""
        found: list[tuple[str, Pending]] = []
        for input_id, pending in self.pending.items():
            if now - pending.seen_at < self.after_s:
                break  # oldest first
            if self._passed_over(pending, look):
                found.append((input_id, pending))
        for input_id, pending in found:
            del self.pending[input_id]
            self.pending[input_id] = Pending(pending.topic, pending.partition, pending.offset, now)
        return found

    def _passed_over(self, pending: Pending, look: Look) -> bool:
        if pending.evented_by is None:
            if look.committed.get((pending.topic, pending.partition), 0) <= pending.offset:
                return False
            if pending.topic == self.received:
                if pending.routed_by is None:
                    pending.routed_by = look.routed_ends
                    return False
                if not _reached(look.committed, pending.routed_by):
                    return False
            pending.evented_by = look.event_ends
            return False
        return _reached(look.event_positions, pending.evented_by)

    def give_up(self, input_id: str) -> None:
        """A person must look: it is not watched any longer."""
        self.pending.pop(input_id, None)

    def keep_from(self) -> dict[tuple[str, int], int]:
        """The first offset still needed of each input partition that has pending ones."""
        first: dict[tuple[str, int], int] = {}
        for pending in self.pending.values():
            key = (pending.topic, pending.partition)
            first[key] = min(pending.offset, first.get(key, pending.offset))
        return first

    def oldest(self, now: float) -> float:
        """Since when the oldest pending input waits; `now` when there is none."""
        return next(iter(self.pending.values())).seen_at if self.pending else now


def _reached(positions: Offsets, wanted: Offsets) -> bool:
    return all(positions.get(key, 0) >= offset for key, offset in wanted.items())
