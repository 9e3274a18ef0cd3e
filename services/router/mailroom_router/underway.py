"""Mails whose tickets the index does not know yet: what refers to them waits for a moment. Pure, the clock is passed in.

Routed mail is in the index only once the second step has decided on it. A conversation that arrives together (a question
and its answers; a backlog after an outage) must give the tickets that it gives one mail at a time, so a mail that shares
a name with one that is still under way is looked up again when that one is known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from mailroom_contracts import EmailReceived, EmailRouted
from mailroom_mail import ticket_number

from .authorship import author
from .conversation import Clues, Known, TicketClue, root_of

PATIENCE_S = 10.0  # how long a mail waits for others; then what was decided on them so far counts
REMEMBERED_S = 600.0  # how long the second step may be behind
NAMELESS_S = 1.0  # one without a Message-ID cannot be seen to be known: it counts as known then
MOST = 20_000
STORM = 20  # so many with one name are no conversation but a newsletter's readers: only who takes part waits
LOOKED_AT = 200  # of a storm, the latest
MOST_NAMES = 60  # of the mails that one waited for: memory is linear in mails, not in their square
_NOT_PART = ("bounce", "own_mail", "no_address", "unmatched_bounce", "unmatched_receipt")

Key = tuple[str, str, str]
"""Portal, kind of name (m: message id, n: ticket number, g: Gmail thread), name."""


@dataclass(frozen=True, slots=True)
class _Going:
    """A mail under way, and where the first step sent it (nowhere yet, when it waits itself)."""

    id: str
    own: str | None
    names: frozenset[Key]
    people: frozenset[str]
    at: float
    tickets: dict[str, TicketClue] = field(default_factory=dict)
    of_others: frozenset[Key] = frozenset()
    """Names of the mails that it waited for: whoever refers to these waits for it, too, since it may put people in."""


class Underway:
    """Filled with what was routed; emptied by what the index knows. One round of looking at mails at a time."""

    def __init__(self) -> None:
        self._mails: OrderedDict[str, _Going] = OrderedDict()
        self._by_name: dict[Key, dict[str, None]] = {}
        self._held: OrderedDict[str, tuple[float, frozenset[Key]]] = OrderedDict()  # since when, and whose names
        self._behind: list[str] = []  # of this round: they wait themselves

    def begin(self, now: float) -> None:
        """A round begins; `now` in monotonic seconds."""
        for receipt in self._behind:
            self._drop(receipt)
        self._behind.clear()
        while self._mails and (len(self._mails) > MOST or next(iter(self._mails.values())).at < now - REMEMBERED_S):
            self._drop(next(iter(self._mails)))
        while len(self._held) > MOST:
            self._held.popitem(last=False)

    def related(self, received: EmailReceived, clues: Clues) -> list[str]:
        """Message-IDs of mails under way that bear on where this one goes: the index is to be asked for them too."""
        return [going.own for going in self._rivals(received, clues) if going.own is not None]

    def note(self, received: EmailReceived, routed: Sequence[EmailRouted], now: float) -> None:
        """A mail was routed; the index will know its names."""
        _, of_others = self._held.pop(received.id, (now, frozenset()))
        if received.gmail is not None and received.gmail.sent:
            return  # of no ticket, as a rule
        tickets = {
            one.ticket_id: TicketClue(one.portal_id, one.queue_id, one.address_id, one.customer.email.lower())
            for one in routed
            if one.reason not in _NOT_PART
        }
        if tickets:
            self._add(received, now, tickets, of_others)

    def waits(self, received: EmailReceived, clues: Clues, known: Known, now: float, *, index: bool) -> bool:
        """Whether to look again later, since the index does not know all yet that bears on where the mail goes.

        Without an index, and after `PATIENCE_S`, it does not wait: then `known` is given what is under way.
        """
        rivals: list[_Going] = []
        for going in self._rivals(received, clues):
            if going.tickets and _is_known(going, known, now):
                self._drop(going.id)
            else:
                rivals.append(going)
        since, of_others = self._held.get(received.id, (now, frozenset()))
        if rivals and index and now - since < PATIENCE_S:
            # what names the same mail must not overtake it
            names = (name for going in rivals for name in (*going.names, *going.of_others))
            of_others = frozenset(islice(dict.fromkeys([*wanted(received, clues), *of_others, *names]), MOST_NAMES))
            self._held[received.id] = since, of_others
            self._add(received, now, {}, of_others)
            self._behind.append(received.id)
            return True
        for going in rivals:
            for key in wanted(received, clues):
                if key in going.names and going.tickets:
                    _tell(known, key, going.tickets)
        return False

    def _rivals(self, received: EmailReceived, clues: Clues) -> list[_Going]:
        """Mails under way that it shares a name with, as far as they bear on where it goes."""
        if not self._mails:
            return []
        sender = author(received).email.lower()
        found: dict[str, _Going] = {}
        for key in wanted(received, clues):
            of_name = self._by_name.get(key, {})
            for receipt in islice(reversed(of_name), LOOKED_AT):
                going = self._mails[receipt]
                if len(of_name) <= STORM or sender in going.people or going.own in clues.references:
                    found[receipt] = going
        found.pop(received.id, None)
        return list(found.values())

    def _add(
        self, received: EmailReceived, now: float, tickets: dict[str, TicketClue], of_others: frozenset[Key]
    ) -> None:
        self._drop(received.id)
        content, portal = received.content, received.portal_id
        names = {(portal, "n", ticket_number(ticket)) for ticket in tickets}
        names |= {(portal, "m", name) for name in (content.message_id, root_of(received)) if name}
        if received.gmail is not None:
            names.add((portal, "g", f"{received.gmail.address_id}:{received.gmail.thread_id}"))
        people = frozenset(p.email.lower() for p in (author(received), *content.to, *content.cc))
        going = _Going(received.id, content.message_id, frozenset(names), people, now, tickets, of_others - names)
        self._mails[received.id] = going
        for name in (*going.names, *going.of_others):
            self._by_name.setdefault(name, {})[received.id] = None

    def _drop(self, receipt: str) -> None:
        if (going := self._mails.pop(receipt, None)) is None:
            return
        for name in (*going.names, *going.of_others):
            of_name = self._by_name[name]
            del of_name[receipt]
            if not of_name:
                del self._by_name[name]


def wanted(received: EmailReceived, clues: Clues) -> list[Key]:
    """Which names a mail refers to."""
    portal = received.portal_id
    found = [(portal, "m", reference) for reference in clues.references]
    found += [(portal, "n", number) for number in clues.numbers]
    if clues.thread:
        found.append((portal, "g", clues.thread))
    return found


def _is_known(going: _Going, known: Known, now: float) -> bool:
    if going.own is None:
        return now - going.at > NAMELESS_S
    return len(known.references.get(going.own, ())) >= len(going.tickets)


def _tell(known: Known, key: Key, tickets: dict[str, TicketClue]) -> None:
    _, kind, name = key
    if kind == "m":
        known.references[name] = sorted({*known.references.get(name, ()), *tickets})
    elif kind == "n":
        known.numbers[name] = sorted({*known.numbers.get(name, ()), *tickets})
    else:
        known.thread = sorted({*known.thread, *tickets})
    known.tickets = {**tickets, **known.tickets}
