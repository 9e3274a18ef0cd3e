"""Which of our addresses a mail reached, and so which queues (DESIGN sections 1 and 2). Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from mailroom_contracts import Address, EmailReceived, Forwarder, Verdicts
from mailroom_mail import comparable
from mailroom_runtime.book import Book

from .authorship import Authorship, authorship, is_from_list

_EXPLAINABLE = frozenset({"fail", "softfail", "neutral", "none"})


@dataclass(frozen=True, slots=True)
class Place:
    """One queue that a mail reached, through which address, and what its verdicts and its author are worth there."""

    address_id: str
    queue_id: str
    verdicts: Verdicts
    spam: bool = False
    author: Authorship | None = None  # None: whom the mail is from


def places(received: EmailReceived, book: Book, chosen: str | None = None) -> list[Place]:
    """Where the mail belongs, one place per queue, in the order of the envelope's recipients.

    `chosen`: which of the addresses of `undecided` it is for; None: nobody knows.
    An address that was deleted since falls back to the portal's first queue: nothing accepted is lost.
    Empty only when the portal has no queue at all.
    """
    found: dict[str, Place] = {}
    for address in _reached(received, book, chosen):
        if address.queue_id and address.queue_id not in found:
            found[address.queue_id] = _place(received, address, book)
    if not found:
        spare = [queue.id for queue in book.queues_of(received.portal_id)]
        if spare:
            address_id = next(iter(received.address_ids), "")
            wrote = authorship(received, None, received.verdicts, book)
            found[spare[0]] = Place(address_id, spare[0], received.verdicts, received.content.spam, wrote)
    return list(found.values())


def undecided(received: EmailReceived, book: Book) -> list[Address]:
    """The addresses one of which the mail was forwarded for, where nothing says which: one server forwards several of them
    to one internal address, and the mail names none (a Bcc). Empty for all other mail."""
    found: list[Address] = []
    for address in _direct(received, book):
        if address.portal_id == received.portal_id and address.kind == "internal":
            learned = _learned(received, address, book)
            found += learned if len(learned) > 1 else []
    return found


def settled(among: list[Address], tickets: Iterable[str], last: str | None) -> str | None:
    """Which of them: that of a ticket that the mail answers (`tickets`: their addresses, nearest first), else the one that its
    sender wrote to last; None: the internal address's own queue takes it."""
    ids = {address.id for address in among}
    return next((a for a in (*tickets, last) if a in ids), None)


def shares_its_way(address: Address | None, book: Book) -> bool:
    """Whether other addresses are forwarded to where this one is: then it is remembered who wrote to it."""
    return address is not None and bool(address.forwards_to) and len(book.linked(address.forwards_to or "")) > 1


def _direct(received: EmailReceived, book: Book) -> list[Address]:
    """The addresses that the mail came to."""
    direct: list[Address] = []
    if received.gmail is not None:
        own = book.address(received.gmail.address_id)
        direct = [own] if own else []
    else:
        for recipient in received.envelope.rcpt_to:
            if (address := book.by_email(recipient)) is not None and address not in direct:
                direct.append(address)
        if not direct:
            direct = [a for i in received.address_ids if (a := book.address(i)) is not None]
    return direct


def _reached(received: EmailReceived, book: Book, chosen: str | None) -> list[Address]:
    reached: list[Address] = []
    for address in _direct(received, book):
        if address.portal_id != received.portal_id:
            continue
        through = _behind(received, address, book, chosen) if address.kind == "internal" else [address]
        reached += [a for a in through if a not in reached]
    return reached


def _behind(received: EmailReceived, internal: Address, book: Book, chosen: str | None) -> list[Address]:
    """The SMTP addresses whose forwarded mail this is, or the internal address itself, or both."""
    named = _named(received, internal, book)
    if named:
        return named
    learned = _learned(received, internal, book)
    if len(learned) > 1:
        learned = [a for a in learned if a.id == chosen]
    return learned or [internal]


def _learned(received: EmailReceived, internal: Address, book: Book) -> list[Address]:
    """Whose forwarder handed it over, where the mail itself names nobody."""
    if not book.linked(internal.id) or _named(received, internal, book):
        return []
    return [a for a in book.linked(internal.id) if known_forwarder(received, a)]


def _named(received: EmailReceived, internal: Address, book: Book) -> list[Address]:
    """Whom the mail's own header names: by a trace of forwarding, else among its visible recipients."""
    linked = book.linked(internal.id)
    if not linked:
        return []
    traced = {comparable(trace.address) for trace in received.content.traces}
    if by_trace := [a for a in linked if comparable(a.email) in traced]:
        return by_trace
    visible = {comparable(p.email) for p in (*received.content.to, *received.content.cc)}
    by_header = [a for a in linked if comparable(a.email) in visible]
    internal_visible = any(book.by_email(email) == internal for email in visible)
    if by_header:
        return [*by_header, internal] if internal_visible else by_header
    return [internal] if internal_visible else []


def known_forwarder(received: EmailReceived, address: Address) -> Forwarder | None:
    """The learned or named forwarder of this address that handed the mail over, or None."""
    return next((f for f in address.forwarders if _is(f, received)), None)


def _is(forwarder: Forwarder, received: EmailReceived) -> bool:
    verdicts, value = received.verdicts, forwarder.value.lower()
    if forwarder.kind == "list":
        post = received.content.list_post
        listed = comparable(forwarder.value)
        return post is not None and listed in post.addresses and is_from_list(listed, received, verdicts)
    if forwarder.kind == "spf_domain":
        return verdicts.spf == "pass" and (verdicts.spf_domain or "").lower() == value
    if forwarder.kind == "arc":
        return verdicts.arc == "pass" and (verdicts.arc_domain or "").lower() == value
    if forwarder.kind == "dkim":
        return any(d.result == "pass" and d.domain.lower() == value for d in verdicts.dkim)
    if forwarder.kind == "network" and received.envelope.client_ip:
        try:
            return ipaddress.ip_address(received.envelope.client_ip) in ipaddress.ip_network(value, strict=False)
        except ValueError:
            return False
    return False


def _place(received: EmailReceived, address: Address, book: Book) -> Place:
    verdicts, spam = received.verdicts, received.content.spam
    assert address.queue_id is not None
    # a mail that could be for one of several, and stays with the internal address, came from their forwarder all the same
    behind = [address, *_learned(received, address, book)]
    forwarder = next((f for a in behind if (f := known_forwarder(received, a)) is not None), None)
    if forwarder is not None and (verdicts.spf in _EXPLAINABLE or verdicts.dmarc == "fail"):
        # the forwarder's host is not in the author's SPF record: that says nothing about the author
        changes: dict[str, object] = {"forwarded_by": forwarder.value}
        if verdicts.spf in _EXPLAINABLE:
            changes["spf"] = "forwarded"
        if verdicts.dmarc == "fail":
            changes["dmarc"] = "forwarded"
            spam = spam and verdicts.dmarc_policy != "reject"
        verdicts = verdicts.model_copy(update=changes)
    return Place(address.id, address.queue_id, verdicts, spam, authorship(received, address, verdicts, book))
