"""Whether a new ticket's first mail is answered automatically (RFC 3834 section 2; DESIGN section 5). Pure.

The limits that depend on what was sent before (`limits`) come after this.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailroom_contracts import Address, MessageAdded, Portal, TicketCreated
from mailroom_mail import comparable

NOT_AFTER = timedelta(hours=24)
_UNPRINTABLE = re.compile(r"[\s\x00-\x20]")


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer it, unless a limit forbids it. `sender` is the key for limits."""

    sender: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """Do not answer; `reason` is a short stable word for logs and metrics."""

    reason: str


def decide(
    created: TicketCreated,
    added: MessageAdded,
    *,
    address: Address | None,
    portal: Portal | None,
    is_ours: Callable[[str], bool],
    now: datetime,
) -> Answer | Silence:
    """`is_ours` says whether an email address is the portal's: an address of it, or at a domain that is hosted for it."""
    message = added.message
    recipient = created.customer.email
    wrote = message.written_by or message.from_
    sender = wrote.email if wrote else ""
    not_after = created.received_at + NOT_AFTER
    if message.direction != "in" or message.kind != "mail" or message.copy_of:
        return Silence("not_a_mail")
    if message.receipt_id != created.receipt_id:
        return Silence("not_the_first_mail")
    if address is None or not address.active or address.portal_id != created.portal_id:
        return Silence("address_inactive")
    if portal is not None and not portal.active:
        return Silence("portal_inactive")
    if not address.auto_reply.enabled:
        return Silence("switched_off")
    if created.imported:
        return Silence("imported")
    if message.automatic_signs:
        return Silence("automatic_mail")
    if message.lists and (
        message.written_by_grade in ("claimed", "unknown") or {recipient.lower(), sender.lower()} & {*message.lists}
    ):
        return Silence("mailing_list")  # never to the list, and to a person behind it only where that is sure
    if message.spam:
        return Silence("spam")
    if message.verdicts is not None and message.verdicts.dmarc_failed:
        return Silence("dmarc_failed")
    if not _sendable(recipient) or not _sendable(sender):
        return Silence("no_sender")
    if is_ours(sender) or is_ours(recipient):
        return Silence("own_address")
    if now > not_after:
        return Silence("too_late")
    return Answer(sender_key(recipient), not_after)


def sender_key(email: str) -> str:
    """One person's address without case and sub-address ("Jo+x@A" is "jo@a"): what limits count by."""
    local, _, domain = comparable(email).rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _sendable(email: str) -> bool:
    local, at, domain = email.rpartition("@")
    return bool(at and local and "." in domain.strip(".")) and _UNPRINTABLE.search(email) is None
