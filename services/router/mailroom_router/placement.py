"""Which of our addresses a mail reached, and so which queues (DESIGN sections 1 and 2). Pure."""

from __future__ import annotations

import ipaddress
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


def places(received: EmailReceived, book: Book) -> list[Place]:
    """Where the mail belongs, one place per queue, in the order of the envelope's recipients.

    An address that was deleted since falls back to the portal's first queue: nothing accepted is lost.
    Empty only when the portal has no queue at all.
    """
    found: dict[str, Place] = {}
    for address in _reached(received, book):
        if address.queue_id and address.queue_id not in found:
            found[address.queue_id] = _place(received, address, book)
    if not found:
        spare = sorted(q.id for q in book.queues.values() if q.portal_id == received.portal_id)
        if spare:
            address_id = next(iter(received.address_ids), "")
            wrote = authorship(received, None, received.verdicts, book)
            found[spare[0]] = Place(address_id, spare[0], received.verdicts, received.content.spam, wrote)
    return list(found.values())


def _reached(received: EmailReceived, book: Book) -> list[Address]:
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
    reached: list[Address] = []
    for address in direct:
        if address.portal_id != received.portal_id:
            continue
        through = _behind(received, address, book) if address.kind == "internal" else [address]
        reached += [a for a in through if a not in reached]
    return reached


def _behind(received: EmailReceived, internal: Address, book: Book) -> list[Address]:
    """The SMTP addresses whose forwarded mail this is, or the internal address itself, or both."""
    linked = book.linked(internal.id)
    if not linked:
        return [internal]
    traced = {comparable(trace.address) for trace in received.content.traces}
    if by_trace := [a for a in linked if comparable(a.email) in traced]:
        return by_trace
    visible = {comparable(p.email) for p in (*received.content.to, *received.content.cc)}
    by_header = [a for a in linked if comparable(a.email) in visible]
    internal_visible = any(book.by_email(email) == internal for email in visible)
    if by_header:
        return [*by_header, internal] if internal_visible else by_header
    if not internal_visible and (learned := [a for a in linked if known_forwarder(received, a)]):
        return learned
    return [internal]


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
    forwarder = known_forwarder(received, address)
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
