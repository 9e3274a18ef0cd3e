"""Which ticket a mail belongs to, orders 1 to 4 of DESIGN section 2 (order 0 is the index's memory). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mailroom_contracts import EmailReceived, EmailRouted, ids
from mailroom_mail import (
    comparable,
    is_thread_mark,
    numbers_in_subject,
    their_numbers,
    verify_message_id,
    verify_plus_address,
)

from .authorship import CERTAIN, PROVEN, Authorship, author
from .packed import customer_mark
from .placement import Place
from .told_ids import by_local_part

MOST_REFERENCES = 30
MOST_QUOTED = 20_000  # characters of a text that are looked at


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
    bounced_recipients: tuple[str, ...] = ()  # of a report that names no id at all
    their_numbers: tuple[str, ...] = ()  # another desk's, each with the sender's domain
    absent: str | None = None  # the sender of an absence note that names no mail of ours
    quotes_us: str | None = None  # the sender of a mail that names none either, but has our address in its text


@dataclass(frozen=True, slots=True)
class TicketClue:
    """What the index knows of a ticket."""

    portal_id: str
    queue_id: str
    address_id: str
    customer: str  # the address, or what stands for it

    def is_of(self, sender: str) -> bool:
        """Whether the ticket is this sender's."""
        return self.customer in (sender, customer_mark(sender))


@dataclass(slots=True)
class Known:
    """The index's answers for one mail; empty when the index is away."""

    numbers: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, list[str]] = field(default_factory=dict)
    thread: list[str] = field(default_factory=list)
    their_numbers: dict[str, list[str]] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)  # tickets in which the sender of an absence note was answered
    bounced: tuple[str, str] | None = None  # (ticket id, outbound id) by Message-ID or by recipient
    tickets: dict[str, TicketClue] = field(default_factory=dict)


def named_addresses(clues: Clues, known: Known) -> list[str]:
    """The addresses of the tickets that a mail names, nearest first."""
    numbers = [t for n in clues.numbers if len(t := known.numbers.get(n, [])) == 1]
    tickets = [*clues.signed, *clues.plus, *(t for one in numbers for t in one)]
    tickets += [t for r in clues.references for t in known.references.get(r, ())]
    return [known.tickets[t].address_id for t in tickets if t in known.tickets]


def root_of(received: EmailReceived) -> str:
    """The conversation's root: the first of References, else In-Reply-To, else the mail's own id, else its identity."""
    content = received.content
    for value in (*content.references, *content.in_reply_to, content.message_id or ""):
        if value:
            return value
    return f"identity:{received.identity}"


def unproven_root(received: EmailReceived) -> str:
    """A root of the mail's own, where it is not sure who wrote: it must never lead to somebody's ticket."""
    return f"unproven:{received.identity}"


def clues(received: EmailReceived, keys: Mapping[str, bytes]) -> Clues:
    """Everything in the mail that may name a ticket."""
    content = received.content
    references = _once((*content.in_reply_to, *content.receipt_of, *reversed(content.references)))[:MOST_REFERENCES]
    if content.answers_uid:
        references.append(f"uid:{content.answers_uid}")
    gmail = f"{received.gmail.address_id}:{received.gmail.thread_id}" if received.gmail else None
    if content.bounce is not None:
        about = _once(i for i in (content.bounce.mailroom_id, content.bounce.original_message_id) if i)
        # what the returned header names counts, and what the report itself refers to only where there is none
        named = about or references
        tickets = [t for i in named if (t := verify_message_id(i, keys))]
        guessed = not named and has_null_sender(received)
        recipients = _once(comparable(r.recipient) for r in content.bounce.recipients if r.recipient) if guessed else []
        return Clues(
            bounce=tickets[0] if tickets else None,
            bounced_ids=tuple(named),
            bounced_recipients=tuple(recipients),
            references=tuple(references),
            numbers=() if content.bounce.formal else numbers_in_subject(content.subject),
            thread=gmail,
        )
    own = next((t for i in own_ids(received) if (t := verify_message_id(i, keys))), None)
    recipients = [*received.envelope.rcpt_to, *(p.email for p in (*content.to, *content.cc))]
    domain = comparable(author(received).email).rpartition("@")[2]
    tags = () if content.is_list or own else their_numbers(content.subject)
    signed = tuple(_once(t for i in references if (t := verify_message_id(i, keys))))
    if references and not signed:
        nearest = _once((*content.in_reply_to, *content.references[-1:]))
        references += [one for one in by_local_part(nearest) if one not in references]
    who = comparable(author(received).email)
    return Clues(
        signed=signed,
        plus=tuple(_once(t for r in recipients if "+" in r and (t := verify_plus_address(r, keys)))),
        numbers=numbers_in_subject(content.subject),
        references=tuple(references),
        thread=gmail,
        own=own,
        their_numbers=tuple(f"{domain}|{tag}" for tag in tags) if domain else (),
        absent=who if content.out_of_office and not references else None,
        quotes_us=who if not (references or own or content.out_of_office) and _quotes_us(received) else None,
    )


def _quotes_us(received: EmailReceived) -> bool:
    """Whether an address that the mail went to stands in its text, as it does above a mail of ours that is quoted: Outlook
    leaves nothing else of the thread where its user changes the subject."""
    content = received.content
    text = content.text[:MOST_QUOTED].lower()
    return any(p.email and p.email.lower() in text for p in content.to[:5])


def has_null_sender(received: EmailReceived) -> bool:
    """Whether the mail came with the null sender, as reports do (RFC 5321 section 4.5.5)."""
    if "null-return-path" in received.content.automatic_signs:
        return True
    return received.gmail is None and received.envelope.mail_from.strip() in ("", "<>")


def own_ids(received: EmailReceived) -> list[str]:
    """Ids that, where we gave them, make the mail our own come back: Message-ID, the id that we put beside it, and behind
    a list that gave it another Message-ID our mark right before the parent, which In-Reply-To names; an answer to such a
    mail adds that mail's own id to both. Earlier versions wrote their own Message-ID last instead of the mark."""
    content = received.content
    found = [content.message_id, content.mailroom_id]
    post = content.list_post
    if post is not None and post.rewritten and content.references:
        *before, last = content.references
        if last not in content.in_reply_to:
            if content.in_reply_to or is_thread_mark(last, first=True):
                found.append(last)
        elif before and is_thread_mark(before[-1]):
            found.append(before[-1])
    return [one for one in found if one]


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def is_redirected(received: EmailReceived, ours: Callable[[str], bool]) -> bool:
    """Whether somebody else handed the mail to us on purpose, as it was (Resent-From, RFC 5322 section 3.6.6)."""
    sender = received.content.resent_from
    return sender is not None and bool(sender.email) and not ours(sender.email)


def route(
    received: EmailReceived,
    reached: list[Place],
    found: Clues,
    known: Known,
    ours: Callable[[str], bool] = lambda _: False,
) -> list[EmailRouted]:
    """The mail once per queue it reached, each with its ticket. Never empty: see `no_address`, `unmatched_bounce`.

    `ours` tells whether an address is one of the portal's own.
    """
    if not reached:
        return [_unplaced(received, "no_address")]
    if received.content.bounce is not None and (bounced := _bounce(received, reached, found, known)) is not None:
        return [bounced]
    routed: list[EmailRouted] = []
    taken: set[str] = set()
    for place in reached:
        others = {p.queue_id for p in reached if p is not place}
        one = _one(received, place, found, known, others, taken, ours)
        if one.ticket_id not in taken:
            taken.add(one.ticket_id)
            routed.append(one)
    return routed


def _one(
    received: EmailReceived,
    place: Place,
    found: Clues,
    known: Known,
    others: set[str],
    taken: set[str],
    ours: Callable[[str], bool],
) -> EmailRouted:
    wrote = place.author or Authorship(author(received))
    mine = wrote.person
    failed = place.verdicts.dmarc_failed and wrote.grade != PROVEN
    unproven = failed or wrote.grade not in CERTAIN  # then it joins a ticket by our own signed id at most
    named: str | None = None
    if found.own and _in_portal(found.own, received, known):
        own = known.tickets.get(found.own)
        # our own mail come back to the address or queue it left from; to another queue it is a mail like any other
        if own is None or place.queue_id == own.queue_id or place.address_id == own.address_id:
            passed_on = is_redirected(received, ours)
            return _routed(received, place, found.own, "redirected" if passed_on else "own_mail")
    for reason, tickets in (
        ("signed_id", list(found.signed)),
        ("plus_address", list(found.plus)),
        ("number", _unambiguous(known.numbers[n] for n in found.numbers if n in known.numbers)),
        ("reference", [t for r in found.references for t in known.references.get(r, ())]),
        ("their_number", [t for n in found.their_numbers for t in known.their_numbers.get(n, ())]),
        ("absence", _only([t for t in known.answered if found.absent and _near(t, place, known)])),
        ("gmail_thread", known.thread),
    ):
        for ticket in _nearest(tickets, received, place, known, comparable(mine.email)):
            clue = known.tickets.get(ticket)
            if ticket in taken or (clue is not None and clue.queue_id != place.queue_id and clue.queue_id in others):
                continue  # another place of this same mail is nearer to that ticket
            if failed or (unproven and reason not in ("signed_id", "plus_address")):
                named = named or ticket
                continue
            return _routed(received, place, ticket, reason)
    if received.content.is_receipt and received.content.receipt_of and not named:
        return _unplaced(received, "unmatched_receipt", place)
    if (
        named is None and found.quotes_us
    ):  # it is not said to belong there: the ticket where its sender was answered is linked
        named = next(iter(_only([t for t in known.answered if _near(t, place, known)])), None)
    root = unproven_root(received) if unproven else root_of(received)
    ticket = ids.ticket_id(received.portal_id, place.queue_id, root, mine.email)
    return _routed(received, place, ticket, "new", root=root, linked_to=named)


def _nearest(tickets: Iterable[str], received: EmailReceived, place: Place, known: Known, sender: str) -> list[str]:
    """Candidates of the mail's portal: the address's own first, then its queue's, then the sender's own."""

    def distance(ticket: str) -> tuple[bool, bool, bool]:
        clue = known.tickets.get(ticket)
        if clue is None:
            return (True, True, True)
        return (clue.address_id != place.address_id, clue.queue_id != place.queue_id, not clue.is_of(sender))

    return sorted((t for t in _once(tickets) if _in_portal(t, received, known)), key=distance)


def _near(ticket: str, place: Place, known: Known) -> bool:
    clue = known.tickets.get(ticket)
    return clue is not None and (clue.address_id == place.address_id or clue.queue_id == place.queue_id)


def _only(tickets: list[str]) -> list[str]:
    """The one that fits, where exactly one does."""
    return tickets if len(tickets) == 1 else []


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
        # a provider's own id, under which our mail left
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
    wrote = place.author or Authorship(author(received))
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
        customer=wrote.person,
        author_grade=wrote.grade,
        list_named=wrote.named,
        reason=reason,
        linked_to=linked_to,
        follow_up_of=None,
        hop=0,
        verdicts=place.verdicts,
        bounced_outbound_id=outbound,
        received=received,
    )
