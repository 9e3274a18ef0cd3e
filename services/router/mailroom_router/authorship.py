"""Who wrote a mail, and how sure that is: behind a list, behind a form of our own, or as From says. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailroom_contracts import Address, EmailReceived, Person, Verdicts
from mailroom_mail import comparable, is_list_control, is_machine_address
from mailroom_runtime.book import Book

# Grades. DIRECT: From says it, and the verdicts say what From is worth. PROVEN: the author's own signature holds behind
# the list. VOUCHED: a list that the address's settings name says so, or an address of our own that DMARC confirms.
# CLAIMED: anybody could have written it. UNKNOWN: nobody can tell.
DIRECT, PROVEN, VOUCHED, CLAIMED, UNKNOWN = "direct", "proven", "vouched", "claimed", "unknown"
CERTAIN = frozenset({DIRECT, PROVEN})


@dataclass(frozen=True, slots=True)
class Authorship:
    """`person` is who wrote the mail; where nobody can tell, it is the list or the program that sent it, which is never
    answered. `named`: the mail came through a list that the address's settings name, and that list can be believed."""

    person: Person
    grade: str = DIRECT
    named: bool = False


def author(received: EmailReceived) -> Person:
    """Who the mail is from: From, else Sender, else the return path."""
    content = received.content
    return content.from_ or content.sender or Person(email=received.envelope.mail_from)


def authorship(received: EmailReceived, address: Address | None, verdicts: Verdicts, book: Book) -> Authorship:
    """Who wrote a mail that reached this address. `verdicts` are those at the address, forwarding taken into account."""
    sender, post = author(received), received.content.list_post
    if post is None:
        return _behind_ourselves(received, sender, verdicts, book)
    named = any(is_named(one, address) and is_from_list(one, received, verdicts) for one in post.addresses)
    # through a list comes what we sent to it, too: we are nobody to be answered
    if post.author is None or book.is_ours(post.author.email, received.portal_id):
        return Authorship(sender, UNKNOWN, named)
    if not post.rewritten and not post.notice:
        return Authorship(sender, DIRECT, named)
    if verdicts.list_author is not None and comparable(verdicts.list_author) == comparable(post.author.email):
        return Authorship(post.author, PROVEN, named)
    ours = book.is_ours(sender.email, received.portal_id) and verdicts.dmarc == "pass"
    return Authorship(post.author, VOUCHED if named or ours else CLAIMED, named)


def _behind_ourselves(received: EmailReceived, sender: Person, verdicts: Verdicts, book: Book) -> Authorship:
    """A form or shop of our own writes From our address with the customer in Reply-To."""
    portal = received.portal_id
    if received.gmail is not None and received.gmail.sent:
        return Authorship(sender)
    if not received.content.reply_to or not book.is_ours(sender.email, portal):
        return Authorship(sender)
    others = [box for box in received.content.reply_to if not book.is_ours(box.email, portal)]
    if len(others) != 1 or is_machine_address(others[0].email):
        return Authorship(sender)
    return Authorship(others[0], VOUCHED if verdicts.dmarc == "pass" else CLAIMED)


def is_named(list_address: str, address: Address | None) -> bool:
    """Whether an address's settings name this list."""
    if address is None:
        return False
    return any(one.kind == "list" and comparable(one.value) == list_address for one in address.forwarders)


def is_from_list(list_address: str, received: EmailReceived, verdicts: Verdicts) -> bool:
    """Whether it was the list's host that sent the mail: by SPF, by a signature or a seal of the list's domain, by DMARC
    where From is the list's, or because another named forwarder handed it over."""
    domain = list_address.rpartition("@")[2].lower()

    def is_of_list(other: str | None) -> bool:
        return other is not None and (other.lower() == domain or other.lower().endswith("." + domain))

    return (
        verdicts.forwarded_by is not None
        or (verdicts.spf == "pass" and is_of_list(verdicts.spf_domain))
        or (verdicts.arc == "pass" and is_of_list(verdicts.arc_domain))
        or any(one.result == "pass" and is_of_list(one.domain) for one in verdicts.dkim)
        or (verdicts.dmarc == "pass" and comparable(author(received).email) == list_address)
    )


def not_people(received: EmailReceived) -> list[str]:
    """The addresses of a mail that take no part and get no answers: those of the list that it came through."""
    post = received.content.list_post
    return [] if post is None else list(post.addresses)


def people(boxes: Iterable[Person], lists: Iterable[str]) -> list[Person]:
    """Those of some mailboxes that are no list's, no list program's and not empty, each once."""
    without = {comparable(address) for address in lists}
    found: dict[str, Person] = {}
    for box in boxes:
        email = comparable(box.email)
        if email and email not in without and not is_list_control(email):
            found.setdefault(email, box)
    return list(found.values())
