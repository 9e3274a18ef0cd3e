"""Orders to send: our signed Message-ID, references, subject, quote, and where an answer finds back to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mailroom_contracts import (
    Address,
    AutoReplyCommand,
    Compose,
    Forward,
    MessageSummary,
    OutboundMail,
    Person,
    Quote,
    Recipients,
    Reply,
    TicketState,
    ids,
)
from mailroom_mail import (
    ascii_domain,
    numbers_in_subject,
    plus_address,
    sign_message_id,
    strip_subject,
    subject_tag,
    thread_mark,
)

from .authorship import people

MOST_REFERENCES = 20
QUOTED_TEXT = 8_000
QUOTED_HTML = 16_000
KEPT_ORDERS = 3
KEPT_BYTES = 40_000


def reply_order(
    state: TicketState,
    command: Reply,
    address: Address,
    *,
    keys: Mapping[str, bytes],
    now: datetime,
    lasts: timedelta,
) -> OutboundMail:
    """An agent's answer to the customer."""
    message = ids.message_id(state.id, command.id)
    answered = _answered(state, command.answered_id)
    parent = answered.message_id if answered is not None else _last_in(state)
    subject = strip_subject((answered.subject if answered is not None else None) or state.subject)
    default = state.answers.reply if state.answers is not None else Recipients(to=_answered_before(state))
    quotes = _quotes(state, command)
    common = _common(state, command, address, message, keys=keys, now=now, lasts=lasts)
    return OutboundMail(
        **common,
        to=command.to or (default.to if not (command.cc or command.bcc) or default.to else []),
        cc=command.cc,
        bcc=command.bcc,
        reply_to=_reply_to(state.id, address, keys),
        subject=_numbered(f"Re: {subject}" if subject else "Re:", state, address),
        quote=quotes[0] if quotes else None,
        quotes=quotes[1:],
        in_reply_to=parent,
        references=_references(state, parent, common["rfc_message_id"]),
        gmail_thread_id=state.gmail_thread_id if address.kind == "gmail" and address.id == state.address_id else None,
    )


def _answered_before(state: TicketState) -> list[Person]:
    """Whom a ticket is answered that no mail has decided it for: never a list."""
    return people([state.answer_to or state.customer], state.lists)


def first_order(
    state: TicketState, command: Compose, address: Address, signed: str, *, now: datetime, lasts: timedelta
) -> OutboundMail:
    """The mail that a ticket begins with, under its signed Message-ID."""
    message = ids.message_id(state.id, command.id)
    return OutboundMail(
        **_common(state, command, address, message, signed=signed, now=now, lasts=lasts),
        to=command.to,
        cc=command.cc,
        bcc=command.bcc,
        reply_to=[],
        subject=_numbered(command.subject, state, address),
        references=[thread_mark(signed, first=True)],
    )


def forward_order(
    state: TicketState,
    command: Forward,
    address: Address,
    *,
    keys: Mapping[str, bytes],
    now: datetime,
    lasts: timedelta,
) -> OutboundMail:
    """A part of the conversation for somebody else: a thread of its own to whoever gets it."""
    message = ids.message_id(state.id, command.id)
    subject = " ".join((command.subject or f"Fwd: {strip_subject(state.subject)}").split())
    common = _common(state, command, address, message, keys=keys, now=now, lasts=lasts)
    return OutboundMail(
        **common,
        to=command.to,
        cc=command.cc,
        bcc=command.bcc,
        reply_to=_reply_to(state.id, address, keys),
        subject=_numbered(subject, state, address),
        quote=command.quotes[0] if command.quotes else None,
        quotes=command.quotes[1:],
        quote_style="forward",
        references=[thread_mark(common["rfc_message_id"], first=True)],
    )


def _common(
    state: TicketState,
    command: Reply | Compose | Forward,
    address: Address,
    message: str,
    *,
    now: datetime,
    lasts: timedelta,
    keys: Mapping[str, bytes] | None = None,
    signed: str | None = None,
) -> dict[str, Any]:
    """What every mail of a person has."""
    held = command.send_at if command.send_at is not None and command.send_at > now else None
    return {
        "id": ids.outbound_id(state.id, message),
        "portal_id": state.portal_id,
        "ticket_id": state.id,
        "message_id": message,
        "address_id": address.id,
        "kind": "reply",
        "from_": Person(email=address.email, name=address.full_name),
        "text": command.text,
        "html": command.html,
        "attachments": command.attachments,
        "rfc_message_id": signed or own_id(state.id, message, address, keys or {}),
        "created_at": command.at,
        "not_before": held,
        "not_after": (held or now) + lasts,
    }


def auto_reply_order(
    state: TicketState, command: AutoReplyCommand, address: Address, *, keys: Mapping[str, bytes]
) -> OutboundMail:
    """The one automatic answer of a ticket (RFC 3834 section 3)."""
    message = ids.message_id(state.id, command.id)
    own = own_id(state.id, message, address, keys)
    wanted = ids.message_id(state.id, command.receipt_id)
    answered = next((m for m in state.messages if m.id == wanted), None)
    in_reply_to = answered.message_id if answered else _last_in(state)
    return OutboundMail(
        id=ids.outbound_id(state.id, message),
        portal_id=state.portal_id,
        ticket_id=state.id,
        message_id=message,
        address_id=address.id,
        kind="auto_reply",
        from_=Person(email=address.email, name=address.full_name),
        to=[command.to],
        reply_to=_reply_to(state.id, address, keys),
        subject=command.subject,
        text=command.text,
        rfc_message_id=own,
        in_reply_to=in_reply_to,
        references=_references(state, in_reply_to, own),
        auto_submitted="auto-replied",
        gmail_thread_id=state.gmail_thread_id if address.kind == "gmail" and address.id == state.address_id else None,
        created_at=command.at,
        not_after=command.not_after,
        received_at=answered.at if answered else state.created_at,
    )


def again(
    order: OutboundMail, generation: int, *, envelope: list[str], now: datetime, lasts: timedelta
) -> OutboundMail:
    """The same mail once more, to those of the `envelope` alone (empty: to all), with the same Message-ID: whoever got
    it already can see that.
    """
    return order.model_copy(
        update={
            "id": ids.outbound_id(order.ticket_id, order.message_id, generation),
            "generation": generation,
            "envelope": envelope,
            "created_at": now,
            "not_before": None,
            "not_after": now + lasts,
        }
    )


def cancellation(state: TicketState, message: MessageSummary, now: datetime) -> OutboundMail:
    """The order not to send what still waits."""
    return OutboundMail(
        id=message.outbound_id or "",
        action="cancel",
        portal_id=state.portal_id,
        ticket_id=state.id,
        message_id=message.id,
        address_id=message.address_id or state.address_id,
        kind=message.kind,
        created_at=now,
    )


def kept(orders: list[OutboundMail], new: OutboundMail) -> list[OutboundMail]:
    """The last orders, for sending again; long ones are not kept, so that the state stays small."""
    rest = [o for o in orders if o.message_id != new.message_id]
    size = len(new.text) + len(new.html or "") + len(new.quote.text if new.quote else "")
    size += len((new.quote.html if new.quote else None) or "")
    size += sum(len(q.text) + len(q.html or "") for q in new.quotes)
    return [*rest, new][-KEPT_ORDERS:] if size <= KEPT_BYTES else rest


def quote_of(author: Person, date: datetime | None, text: str, html: str | None, **refs: object) -> Quote:
    """What a reply quotes, cut so that the ticket's state stays small."""
    short = html if html is not None and len(html) <= QUOTED_HTML else None
    return Quote.model_validate({"from_": author, "date": date, "text": text[:QUOTED_TEXT], "html": short, **refs})


def own_id(ticket: str, message: str, address: Address, keys: Mapping[str, bytes]) -> str:
    """The signed Message-ID of a mail of ours."""
    domain = address.email.rpartition("@")[2]
    return sign_message_id(ticket, message, ascii_domain(domain), keys)


def _reply_to(ticket: str, address: Address, keys: Mapping[str, bytes]) -> list[Person]:
    """A plus address where we are the mail server ourselves, or where a check saw that the address's server takes them."""
    if address.kind != "internal" and not address.plus_replies:
        return []
    return [Person(email=plus_address(address.email, ticket, keys), name=address.full_name)]


def _numbered(subject: str, state: TicketState, address: Address) -> str:
    """The subject, with the ticket's number where the address asks for it (its last resort as a mark of the thread)."""
    if not address.number_in_subject or state.number in numbers_in_subject(subject):
        return subject
    return f"{subject} {subject_tag(state.id)}"


def _answered(state: TicketState, wanted: str | None) -> MessageSummary | None:
    """The mail that is answered: the one that is named, else the customer's last."""
    named = next((m for m in state.messages if m.id == wanted), None) if wanted else None
    return named or state.answered


def _quotes(state: TicketState, command: Reply) -> list[Quote]:
    if command.quote == "none":
        return []
    if command.quote == "all" and command.quotes:
        return command.quotes
    named = command.answered_id
    if named is not None and state.answered is not None and named != state.answered.id:
        return command.quotes[:1]  # the state keeps the last mail only
    return [state.quote] if state.quote is not None else []


def _last_in(state: TicketState) -> str | None:
    return next((m.message_id for m in reversed(state.messages) if m.direction == "in" and m.message_id), None)


def _references(state: TicketState, parent: str | None, own: str) -> list[str]:
    """The root, what came before the parent in the order of time, our own mark for providers that replace our Message-ID,
    and the parent, once and last (RFC 5322 section 3.6.4)."""
    chain = [m.message_id for m in state.messages if m.message_id and m.direction != "note"]
    if parent in chain:
        chain = chain[: chain.index(parent)]
    root = state.root if "@" in state.root and ":" not in state.root.split("@", 1)[0] else None
    middle = list(dict.fromkeys(i for i in chain if i not in (root, own, parent)))[-MOST_REFERENCES:]
    return [i for i in (root if root != parent else None, *middle, thread_mark(own, first=parent is None), parent) if i]
