"""What the index learns from a ticket's change: ids, numbers, threads and who holds what. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from mailroom_contracts import DeliveryChanged, MessageSummary, TicketEvent, TicketState
from mailroom_mail import comparable


@dataclass(frozen=True, slots=True)
class Ordered:
    """A mail that was ordered: what reports and absence notes about it are found by."""

    message_id: str
    outbound_id: str
    recipients: tuple[str, ...]
    at: datetime
    answer: bool  # a person's, which an absence note may follow


@dataclass(frozen=True, slots=True)
class Facts:
    """What to write into the index; all of it idempotent."""

    ticket_id: str
    portal_id: str
    clue: str | None = None  # portal|queue|address|customer
    closed: date | None = None  # the day, with the clue: the index forgets a ticket that was closed for long
    message_ids: tuple[str, ...] = ()
    number: str | None = None
    thread: str | None = None
    their_numbers: tuple[str, ...] = ()  # another desk's numbers, each with its domain
    ordered: tuple[Ordered, ...] = ()
    forgotten: str = ""  # an address under which the ticket is not to be found any more
    gone: bool = False  # the ticket was erased: nothing of this is to be known any more
    leaves: str | None = None  # agent whose load the ticket leaves
    joins: str | None = None  # agent whose load it joins

    def names(self) -> list[tuple[str, str]]:
        """What the ticket is found by, each with a letter for its kind."""
        names = [("m", one) for one in self.message_ids] + [("d", one) for one in self.their_numbers]
        return names + [(kind, one) for kind, one in (("n", self.number), ("g", self.thread)) if one]

    @property
    def empty(self) -> bool:
        told = (self.clue, self.message_ids, self.number, self.thread, self.their_numbers, self.ordered)
        return not (any(told) or self.leaves or self.joins or self.forgotten)


@dataclass(frozen=True, slots=True)
class Learnt:
    """With what was told before it, the index knows the states of a partition of `tickets` up to this offset."""

    partition: int
    to: int


def clue_of(state: TicketState) -> str:
    """The ticket's line in the index."""
    return "|".join((state.portal_id, state.queue_id, state.address_id, comparable(state.customer.email)))


def closed_on(state: TicketState) -> date | None:
    """The day when a ticket that is closed was closed."""
    if state.status != "closed":
        return None
    return (state.closed_at or state.updated_at).date()


def holder(state: TicketState | None) -> str | None:
    """The agent for whom the ticket counts as open."""
    return state.assignee_id if state is not None and state.status == "open" else None


def message_ids_of(state: TicketState) -> dict[str, None]:
    """Every Message-ID that leads to a ticket, each once."""
    found = dict.fromkeys([m.message_id for m in state.messages if m.message_id])
    for message in state.messages:
        if message.other_ids:
            found.update(dict.fromkeys(message.other_ids))
    if state.root and not state.root.startswith(("identity:", "unproven:")):
        found[state.root] = None
    return found


def thread_of(state: TicketState) -> str | None:
    """The Gmail thread, by the account's address."""
    return f"{state.address_id}:{state.gmail_thread_id}" if state.gmail_thread_id else None


def facts(old: TicketState | None, new: TicketState, events: Iterable[TicketEvent] = ()) -> Facts:
    """What changed between two states; with `old` None everything of the ticket."""
    before = {m.id: m for m in old.messages} if old is not None else {}
    if old is None:
        message_ids = list(message_ids_of(new))
    else:
        message_ids = [m.message_id for m in new.messages if m.message_id and m.id not in before]
        message_ids += [
            i for m in new.messages if m.other_ids for i in m.other_ids if i not in _others(before.get(m.id))
        ]
    message_ids += [e.rfc_message_id for e in events if isinstance(e, DeliveryChanged) and e.rfc_message_id]
    ordered = [m for m in new.messages if m.outbound_id and m.message_id and _newly(before.get(m.id), m)]
    clue = clue_of(new)
    told = old is None or (clue, closed_on(new)) != (clue_of(old), closed_on(old))
    thread = thread_of(new) if old is None or old.gmail_thread_id != new.gmail_thread_id else None
    left, joined = holder(old), holder(new)
    return Facts(
        ticket_id=new.id,
        portal_id=new.portal_id,
        clue=clue if told else None,
        closed=closed_on(new),
        message_ids=tuple(dict.fromkeys(message_ids)),
        number=new.number if old is None else None,
        thread=thread,
        their_numbers=tuple(n for n in new.their_numbers if old is None or n not in old.their_numbers),
        ordered=tuple(
            Ordered(m.message_id or "", m.outbound_id or "", tuple(m.recipients), m.at, m.kind == "reply")
            for m in ordered
        ),
        leaves=left if left != joined else None,
        joins=joined if left != joined else None,
    )


def gone(state: TicketState) -> Facts:
    """What is to be forgotten of a ticket that was erased."""
    return replace(facts(None, state), gone=True, leaves=holder(state), joins=None)


def _others(before: MessageSummary | None) -> list[str]:
    return before.other_ids if before is not None else []


def _newly(before: MessageSummary | None, now: MessageSummary) -> bool:
    return before is None or before.outbound_id != now.outbound_id
