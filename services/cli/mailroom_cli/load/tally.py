"""The account of a run: when each step of each mail was seen, how often, and what is missing or double."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

STEPS = ("accepted", "received", "ticket", "outbound", "delivered")


@dataclass(slots=True)
class Fate:
    """What became of one mail. Times are seconds after the run's start."""

    due_s: float
    first: bool  # begins a conversation: an automatic reply may be expected
    seen: dict[str, float] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    tickets: set[str] = field(default_factory=set)


class Tally:
    """Counts by Message-ID; ticket and order ids are learned from the topics."""

    def __init__(self) -> None:
        self.fates: dict[str, Fate] = {}
        self.refused: dict[str, str] = {}
        self._by_ticket: dict[str, str] = {}  # ticket -> Message-ID of its first mail
        self._orders: dict[str, str] = {}  # order -> that Message-ID
        self._sent: dict[str, set[str]] = {}  # order -> event ids that say sent

    def expect(self, message_id: str, due_s: float, *, first: bool) -> None:
        """A mail is about to be sent."""
        self.fates[message_id] = Fate(due_s, first)

    def saw(self, step: str, message_id: str | None, at_s: float) -> None:
        """A step of a mail was seen; only the first time counts."""
        fate = self.fates.get(message_id or "")
        if fate is not None:
            fate.seen.setdefault(step, at_s)

    def refuse(self, message_id: str, reason: str) -> None:
        """The server did not take it for good; nothing more is expected of it."""
        self.refused[message_id] = reason
        self.fates.pop(message_id, None)

    def message(self, message_id: str | None, ticket_id: str, id_in_mailroom: str, at_s: float) -> None:
        """A message was added to a ticket."""
        fate = self.fates.get(message_id or "")
        if fate is None or message_id is None:
            return
        fate.seen.setdefault("ticket", at_s)
        fate.messages.add(id_in_mailroom)
        fate.tickets.add(ticket_id)
        if fate.first:
            self._by_ticket.setdefault(ticket_id, message_id)

    def order(self, ticket_id: str, order_id: str, at_s: float) -> None:
        """A mail to send was ordered for a ticket."""
        message_id = self._by_ticket.get(ticket_id)
        if message_id is not None:
            self._orders[order_id] = message_id
            self.saw("outbound", message_id, at_s)

    def sent(self, order_id: str, event_id: str, at_s: float) -> None:
        """An order was reported sent."""
        if order_id in self._orders:
            self._sent.setdefault(order_id, set()).add(event_id)
            self.saw("delivered", self._orders[order_id], at_s)

    def open(self, *, replies: bool) -> int:
        """How many mails still lack a step that they should have."""
        missing = 0
        for fate in self.fates.values():
            wanted = ["accepted", "ticket"] + (["delivered"] if replies and fate.first else [])
            missing += any(step not in fate.seen for step in wanted)
        return missing

    def result(self, seconds: float, *, replies: bool) -> dict[str, Any]:
        """The account: counts, percentiles per step (milliseconds from the due time), lost and doubled."""
        accepted = [m for m, fate in self.fates.items() if "accepted" in fate.seen]
        lost = [m for m in accepted if not self.fates[m].messages]
        doubled = [m for m in accepted if len(self.fates[m].messages) > 1 or len(self.fates[m].tickets) > 1]
        unanswered = [m for m in accepted if replies and self.fates[m].first and "delivered" not in self.fates[m].seen]
        orders_per_mail: dict[str, int] = {}
        for message_id in self._orders.values():
            orders_per_mail[message_id] = orders_per_mail.get(message_id, 0) + 1
        answered_twice = [m for m, n in orders_per_mail.items() if n > 1]
        answered_twice += [self._orders[o] for o, events in self._sent.items() if len(events) > 1]
        steps = {step: percentiles([(f.seen[step] - f.due_s) * 1000 for f in self.fates.values() if step in f.seen])
                 for step in STEPS}  # fmt: skip
        last = max((f.seen.get("ticket", 0.0) for f in self.fates.values()), default=0.0)
        return {
            "planned": len(self.fates) + len(self.refused),
            "accepted": len(accepted),
            "refused": len(self.refused),
            "lost": len(lost),
            "doubled": len(doubled),
            "unanswered": len(unanswered),
            "answered_twice": len(answered_twice),
            "seconds": round(seconds, 2),
            "tickets_per_second": round(len(accepted) / last, 1) if last else 0.0,
            "steps_ms": {step: values for step, values in steps.items() if values},
            "examples": {"lost": lost[:5], "doubled": doubled[:5], "answered_twice": answered_twice[:5]},
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99, p99.9 and the largest; nothing for no values."""
    if not values:
        return {}
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {
        "n": len(ordered),
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "p999": at(0.999),
        "max": round(ordered[-1], 1),
    }
