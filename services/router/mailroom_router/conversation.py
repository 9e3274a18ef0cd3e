"""Which ticket a mail belongs to, orders 1 to 4 of DESIGN section 2 (order 0 is the index's memory). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailroom_contracts import EmailReceived, EmailRouted, Person, ids
from mailroom_mail import comparable, numbers_in_subject, verify_message_id, verify_plus_address

from .placement import Place

MOST_REFERENCES = 30


@dataclass(frozen=True, slots=True)
class Clues:
    """What a mail says about where it belongs; each nearest first."""

    signed: tuple[str, ...] = ()  # ticket ids from our own Message-IDs
    plus: tuple[str, ...] = ()  # ticket ids from plus addresses
    numbers: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    thread: str | None = None
    own: str | None = None  # ticket id of our own mail come back
    bounce: str | None = None  # ticket id that a bounce names with a MAC that holds
    bounced_ids: tuple[str, ...] = ()  # Message-IDs that a bounce is about
    bounced_recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketClue:
    """What the index knows of a ticket."""

    portal_id: str
    queue_id: str
    address_id: str
    customer: str


@dataclass(slots=True)
class Known:
    """The index's answers for one mail; empty when the index is away."""

    numbers: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, list[str]] = field(default_factory=dict)
    thread: list[str] = field(default_factory=list)
    bounced: tuple[str, str] | None = None  # (ticket id, outbound id) by Message-ID or by recipient
    tickets: dict[str, TicketClue] = field(default_factory=dict)


def author(received: EmailReceived) -> Person:
    """Who wrote the mail: From, else Sender, else the return path."""
    content = received.content
    return content.from_ or content.sender or Person(email=received.envelope.mail_from)


def root_of(received: EmailReceived) -> str:
    """The conversation's root: the first of References, else In-Reply-To, else the mail's own id, else its identity."""
    content = received.content
    for value in (*content.references, *content.in_reply_to, content.message_id or ""):
        if value:
            return value
    return f"identity:{received.identity}"


def unproven_root(received: EmailReceived) -> str:
    """A root of the mail's own, for an author whose From fails DMARC: it must never lead to somebody's ticket."""
    return f"unproven:{received.identity}"


def clues(received: EmailReceived, keys: Mapping[str, bytes]) -> Clues:
    """Everything in the mail that may name a ticket."""
    content = received.content
    references = _once((*content.in_reply_to, *reversed(content.references)))[:MOST_REFERENCES]
    gmail = f"{received.gmail.address_id}:{received.gmail.thread_id}" if received.gmail else None
    if content.bounce is not None:
        about = _once(i for i in (content.bounce.mailroom_id, content.bounce.original_message_id) if i)
        tickets = [t for i in (*about, *references) if (t := verify_message_id(i, keys))]
        return Clues(
            bounce=tickets[0] if tickets else None,
            bounced_ids=tuple(_once((*about, *references))),
            bounced_recipients=tuple(_once(comparable(r.recipient) for r in content.bounce.recipients)),
            references=tuple(references),
            numbers=() if content.bounce.formal else numbers_in_subject(content.subject),
            thread=gmail,
        )
    own = next((t for i in (content.message_id, content.mailroom_id) if i and (t := verify_message_id(i, keys))), None)
    recipients = [*received.envelope.rcpt_to, *(p.email for p in (*content.to, *content.cc))]
    return Clues(
        signed=tuple(_once(t for i in references if (t := verify_message_id(i, keys)))),
        plus=tuple(_once(t for r in recipients if "+" in r and (t := verify_plus_address(r, keys)))),
        numbers=numbers_in_subject(content.subject),
        references=tuple(references),
        thread=gmail,
        own=own,
    )


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def route(received: EmailReceived, reached: list[Place], found: Clues, known: Known) -> list[EmailRouted]:
    """The mail once per queue it reached, each with its ticket. Never empty: see `no_address`, `unmatched_bounce`."""
    if not reached:
        return [_unplaced(received, "no_address")]
    if received.content.bounce is not None and (bounced := _bounce(received, reached, found, known)) is not None:
        return [bounced]
    routed: list[EmailRouted] = []
    taken: set[str] = set()
    for place in reached:
        others = {p.queue_id for p in reached if p is not place}
        one = _one(received, place, found, known, others, taken)
        if one.ticket_id not in taken:
            taken.add(one.ticket_id)
            routed.append(one)
    return routed


def _one(
    received: EmailReceived, place: Place, found: Clues, known: Known, others: set[str], taken: set[str]
) -> EmailRouted:
    mine = author(received)
    named: str | None = None
    if found.own and _in_portal(found.own, received, known):
        own = known.tickets.get(found.own)
        # our own mail come back to the address or queue it left from; to another queue it is a mail like any other
        if own is None or place.queue_id == own.queue_id or place.address_id == own.address_id:
            return _routed(received, place, found.own, "own_mail")
    for reason, tickets in (
        ("signed_id", list(found.signed)),
        ("plus_address", list(found.plus)),
        ("number", _unambiguous(known.numbers[n] for n in found.numbers if n in known.numbers)),
        ("reference", [t for r in found.references for t in known.references.get(r, ())]),
        ("gmail_thread", known.thread),
    ):
        for ticket in _nearest(tickets, received, place, known, comparable(mine.email)):
            clue = known.tickets.get(ticket)
            if ticket in taken or (clue is not None and clue.queue_id != place.queue_id and clue.queue_id in others):
                continue  # another place of this same mail is nearer to that ticket
            if place.verdicts.dmarc_failed:
                named = named or ticket
                continue
            return _routed(received, place, ticket, reason)
    root = unproven_root(received) if place.verdicts.dmarc_failed else root_of(received)
    ticket = ids.ticket_id(received.portal_id, place.queue_id, root, mine.email)
    return _routed(received, place, ticket, "new", root=root, linked_to=named)


def _nearest(tickets: Iterable[str], received: EmailReceived, place: Place, known: Known, sender: str) -> list[str]:
    """Candidates of the mail's portal: the address's own first, then its queue's, then the sender's own."""

    def distance(ticket: str) -> tuple[bool, bool, bool]:
        clue = known.tickets.get(ticket)
        if clue is None:
            return (True, True, True)
        return (clue.address_id != place.address_id, clue.queue_id != place.queue_id, clue.customer != sender)

    return sorted((t for t in _once(tickets) if _in_portal(t, received, known)), key=distance)


def _in_portal(ticket: str, received: EmailReceived, known: Known) -> bool:
    clue = known.tickets.get(ticket)
    return clue is None or clue.portal_id == received.portal_id


def _unambiguous(found: Iterable[list[str]]) -> list[str]:
    """A number that stands for two tickets matches none."""
    return [tickets[0] for tickets in found if len(tickets) == 1]


def _bounce(received: EmailReceived, reached: list[Place], found: Clues, known: Known) -> EmailRouted | None:
    """The bounce on its ticket; a formal one without a match on the list of unmatched ones; else None: a mail."""
    bounce = received.content.bounce
    assert bounce is not None
    ticket, outbound = found.bounce, None
    if known.bounced is not None and (ticket is None or known.bounced[0] == ticket):
        ticket, outbound = known.bounced
    if ticket is None:
        ticket = next((t for r in found.bounced_ids for t in known.references.get(r, ())), None)
    if ticket is not None and _in_portal(ticket, received, known):
        return _routed(received, reached[0], ticket, "bounce", outbound=outbound)
    return _unplaced(received, "unmatched_bounce", reached[0]) if bounce.formal else None


def _unplaced(received: EmailReceived, reason: str, place: Place | None = None) -> EmailRouted:
    place = place or Place("", "", received.verdicts)
    return _routed(received, place, ids.derive(reason, received.id), reason)


def _routed(
    received: EmailReceived,
    place: Place,
    ticket: str,
    reason: str,
    *,
    root: str | None = None,
    linked_to: str | None = None,
    outbound: str | None = None,
) -> EmailRouted:
    if place.spam != received.content.spam:
        received = received.model_copy(update={"content": received.content.model_copy(update={"spam": place.spam})})
    return EmailRouted(
        id=ids.routed_id(received.id, ticket),
        receipt_id=received.id,
        portal_id=received.portal_id,
        ticket_id=ticket,
        address_id=place.address_id,
        queue_id=place.queue_id,
        root=root or root_of(received),
        customer=author(received),
        reason=reason,
        linked_to=linked_to,
        follow_up_of=None,
        hop=0,
        verdicts=place.verdicts,
        bounced_outbound_id=outbound,
        received=received,
    )
