"""Orders to send: our signed Message-ID, references, subject, quote, and where an answer finds back to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from mailroom_contracts import (
    Address,
    AutoReplyCommand,
    MessageSummary,
    OutboundMail,
    Person,
    Quote,
    Reply,
    TicketState,
    ids,
)
from mailroom_mail import ascii_domain, plus_address, sign_message_id, strip_subject

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
    recipients = command.to or [state.answer_to or state.customer]
    own = _signed(state.id, message, address, keys)
    answered = _last_in(state)
    subject = strip_subject(state.subject)
    return OutboundMail(
        id=ids.outbound_id(state.id, message),
        portal_id=state.portal_id,
        ticket_id=state.id,
        message_id=message,
        address_id=address.id,
        kind="reply",
        from_=Person(email=address.email, name=address.full_name),
        to=recipients,
        cc=command.cc,
        bcc=command.bcc,
        subject=f"Re: {subject}" if subject else "Re:",
        text=command.text,
        html=command.html,
        quote=state.quote,
        attachments=command.attachments,
        rfc_message_id=own,
        in_reply_to=answered,
        references=_references(state, answered, own),
        gmail_thread_id=state.gmail_thread_id if address.kind == "gmail" and address.id == state.address_id else None,
        created_at=command.at,
        not_after=now + lasts,
    )


def auto_reply_order(
    state: TicketState, command: AutoReplyCommand, address: Address, *, keys: Mapping[str, bytes]
) -> OutboundMail:
    """The one automatic answer of a ticket (RFC 3834 section 3)."""
    message = ids.message_id(state.id, command.id)
    own = _signed(state.id, message, address, keys)
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


def again(order: OutboundMail, generation: int, *, now: datetime, lasts: timedelta) -> OutboundMail:
    """The same mail once more, with the same Message-ID: whoever got it already can see that."""
    return order.model_copy(
        update={
            "id": ids.outbound_id(order.ticket_id, order.message_id, generation),
            "generation": generation,
            "created_at": now,
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
    return [*rest, new][-KEPT_ORDERS:] if size <= KEPT_BYTES else rest


def quote_of(author: Person, date: datetime | None, text: str, html: str | None, **refs: object) -> Quote:
    """What a reply quotes, cut so that the ticket's state stays small."""
    short = html if html is not None and len(html) <= QUOTED_HTML else None
    return Quote.model_validate({"from_": author, "date": date, "text": text[:QUOTED_TEXT], "html": short, **refs})


def _signed(ticket: str, message: str, address: Address, keys: Mapping[str, bytes]) -> str:
    domain = address.email.rpartition("@")[2]
    return sign_message_id(ticket, message, ascii_domain(domain), keys)


def _reply_to(ticket: str, address: Address, keys: Mapping[str, bytes]) -> list[Person]:
    """A plus address where we are the mail server ourselves: an SMTP or Gmail host may not deliver those."""
    if address.kind != "internal":
        return []
    return [Person(email=plus_address(address.email, ticket, keys), name=address.full_name)]


def _last_in(state: TicketState) -> str | None:
    return next((m.message_id for m in reversed(state.messages) if m.direction == "in" and m.message_id), None)


def _references(state: TicketState, answered: str | None, own: str) -> list[str]:
    """Root first, then the conversation, then what is answered, and our own id last: some providers replace ours."""
    chain = [m.message_id for m in state.messages if m.message_id and m.direction != "note"]
    root = state.root if "@" in state.root and ":" not in state.root.split("@", 1)[0] else None
    middle = [i for i in dict.fromkeys(chain) if i not in (root, answered, own)][-MOST_REFERENCES:]
    return [i for i in dict.fromkeys([root, *middle, answered, own]) if i]
