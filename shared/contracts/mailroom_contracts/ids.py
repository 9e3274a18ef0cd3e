"""Derived ids: the same input gives the same id, so doing a thing twice changes nothing (DESIGN, "Ids")."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def derive(*parts: str) -> str:
    """A digest of the parts, 32 hexadecimal characters. Each part is length-prefixed: ("ab","c") != ("a","bc")."""
    told = [part.encode("utf-8", "surrogateescape") for part in parts]
    whole = b"".join([piece for data in told for piece in (len(data).to_bytes(4, "big"), data)])
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def receipt_id(identity: str, recipients: Iterable[str]) -> str:
    """Id of one accepted mail for one set of envelope recipients; their order and case do not matter."""
    return derive("receipt", identity, *sorted({r.lower() for r in recipients}))


def ticket_id(portal_id: str, queue_id: str, root: str, customer: str) -> str:
    """Id of the ticket that a conversation's root and the customer who began it make in a queue."""
    return derive("ticket", portal_id, queue_id, root, customer.lower())


def follow_up_id(ticket: str, closing_count: int) -> str:
    """Id of the one follow-up ticket that a closing can have."""
    return derive("follow-up", ticket, str(closing_count))


def routed_id(receipt: str, ticket: str, hop: int = 0) -> str:
    """Id of a routed mail: one receipt, one ticket, and how often it was sent on (0 or 1)."""
    return derive("routed", receipt, ticket, str(hop))


def message_id(ticket: str, cause: str) -> str:
    """Id of a message within a ticket, made from the receipt or command that brought it."""
    return derive("message", ticket, cause)


def event_id(cause: str, kind: str, discriminator: str = "", *, ticket: str = "") -> str:
    """Id of an event; `discriminator` where one cause yields several events of one kind, `ticket` where it may be the
    cause of several tickets' events (a command's id is its client's choice).
    """
    parts = [cause, kind, *([discriminator] if discriminator or ticket else []), *([ticket] if ticket else [])]
    return derive("event", *parts)


def command_id(portal_id: str, ticket: str, idempotency_key: str) -> str:
    """Id of a command from the client's Idempotency-Key (or draft id), the one id that is drawn."""
    return derive("command", portal_id, ticket, idempotency_key)


def outbound_id(ticket: str, message: str, generation: int = 0) -> str:
    """Id of an order to send a message; `generation` counts deliberate resends."""
    return derive("outbound", ticket, message, str(generation))


def delivery_id(outbound: str, state: str, attempt: int) -> str:
    """Id of a delivery report: one per order, state and attempt."""
    return derive("delivery", outbound, state, str(attempt))
