"""Mail that people send: answers, new messages and forwards, held for a while where asked; sent again, cancelled. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailroom_contracts import (
    Address,
    CancelMessage,
    Compose,
    Delivery,
    DeliveryChanged,
    Forward,
    Forwarded,
    MessageSummary,
    OutboundMail,
    Reply,
    ReplyRequested,
    ResendMessage,
    TicketCommand,
    TicketCreated,
    TicketMessage,
    TicketState,
    ids,
)
from mailroom_mail import comparable, strip_subject, ticket_number

from . import standing
from .authorship import people
from .draft import MOST_PEOPLE, Draft
from .orders import again, cancellation, first_order, forward_order, kept, own_id, reply_order

MOST_RECIPIENTS = 100
LONGEST_HOLD = timedelta(days=400)


def reply(draft: Draft, command: Reply) -> None:
    """Answer the customer, or whom the command names."""
    state, context = draft.ticket, draft.context
    if (address := _sending_address(draft, command)) is None:
        return
    if (late := _unseen(state, command.seen_id)) is not None:
        wrote = f"{late.from_email or 'Somebody'} wrote" if late.direction == "in" else "A colleague answered"
        draft.refuse("recipients_changed", f"{wrote} meanwhile. Look at it, then send the answer again.")
        return
    order = reply_order(state, command, address, keys=context.keys, now=draft.at, lasts=context.reply_lasts)
    if not any(p.email for p in (*order.to, *order.cc, *order.bcc)):
        draft.refuse("no_recipient", _nobody(state))
        return
    draft.emit(ReplyRequested, message=outgoing(command, order, kind="reply"), outbound_id=order.id)
    keep(draft, order, "reply", cancel_on_mail=command.cancel_on_mail and command.send_at is not None)
    # whoever an agent writes to takes part, but for those whom it was only forwarded to
    outside = set(draft.ticket.third_parties)
    known = [e for p in people((*order.to, *order.cc), state.lists) if (e := comparable(p.email)) not in outside]
    draft.change(participants=list(dict.fromkeys([*draft.ticket.participants, *known]))[:MOST_PEOPLE])


def _nobody(state: TicketState) -> str:
    if comparable(state.customer.email) in state.lists:
        return f"Nobody can tell who wrote behind {state.customer.email}: name a recipient."
    return "Nobody is known whom the answer could go to: name a recipient."


def compose(draft: Draft, command: Compose) -> None:
    """A ticket that an agent begins by writing first."""
    book = draft.context.book
    if draft.state is not None:
        draft.refuse("ticket_exists", "This ticket was begun before.")
        return
    address = book.address(command.from_address_id)
    if address is None or address.portal_id != command.portal_id:
        draft.refuse("unknown_address", "The address to write from does not exist (any more).")
        return
    queue = command.queue_id or address.queue_id
    if book.queue(queue, command.portal_id) is None or queue is None:
        draft.refuse("unknown_queue", "There is no such queue in this portal.")
        return
    if not command.to or not command.to[0].email:
        draft.refuse("no_recipient", "Name somebody to write to.")
        return
    written = [comparable(p.email) for p in (*command.to, *command.cc)]
    named = [email for email in dict.fromkeys(written) if book.is_named_list(email, command.portal_id)]
    message = ids.message_id(draft.ticket_id, command.id)
    signed = own_id(draft.ticket_id, message, address, draft.context.keys)
    state = TicketState(
        id=draft.ticket_id,
        number=ticket_number(draft.ticket_id),
        portal_id=command.portal_id,
        queue_id=queue,
        address_id=address.id,
        status="open",
        subject=command.subject[:1000],
        customer=command.to[0],
        root=signed,
        prefer_online=address.prefer_online,
        participants=[comparable(p.email) for p in people((*command.to, *command.cc), named)][:MOST_PEOPLE],
        lists=named,
        created_at=draft.at,
        updated_at=draft.at,
    )
    draft.state = state
    if (why := _may_not_send(draft, address) or _bad_hold(draft, command.send_at)) is not None:
        draft.state = None
        draft.refuse(*why)
        return
    order = first_order(state, command, address, signed, now=draft.at, lasts=draft.context.reply_lasts)
    draft.emit(
        TicketCreated,
        number=state.number,
        queue_id=queue,
        address_id=address.id,
        subject=state.subject,
        customer=state.customer,
        root=signed,
        receipt_id=command.id,
        received_at=command.at,
        begun_by="agent",
    )
    draft.emit(ReplyRequested, message=outgoing(command, order, kind="reply"), outbound_id=order.id)
    keep(draft, order, "reply")
    agent = command.actor.id if command.actor.kind == "agent" else None
    if agent is not None and book.agent(agent, command.portal_id) is not None:
        draft.assign(agent, "agent")


def forward(draft: Draft, command: Forward) -> None:
    """Show the conversation, or a part of it, to somebody else, who takes no part in it."""
    state, context = draft.ticket, draft.context
    if (address := _sending_address(draft, command)) is None:
        return
    if not any(p.email for p in (*command.to, *command.cc, *command.bcc)):
        draft.refuse("no_recipient", "Name somebody to forward it to.")
        return
    order = forward_order(state, command, address, keys=context.keys, now=draft.at, lasts=context.reply_lasts)
    message = outgoing(command, order, kind="forward")
    draft.emit(Forwarded, message=message, outbound_id=order.id, forwarded_id=command.message_id)
    keep(draft, order, "forward")
    told = [e for p in (*order.to, *order.cc) if (e := comparable(p.email)) not in state.participants]
    draft.change(third_parties=list(dict.fromkeys([*state.third_parties, *told]))[-MOST_PEOPLE:])


def _sending_address(draft: Draft, command: Reply | Forward) -> Address | None:
    """The address that the command's mail leaves from; None where it may not, which is told."""
    address = draft.context.book.address(command.from_address_id or draft.ticket.address_id)
    if (why := _may_not_send(draft, address) or _bad_hold(draft, command.send_at)) is not None:
        draft.refuse(*why)
        return None
    assert address is not None
    return address


def resend(draft: Draft, command: ResendMessage) -> None:
    """Send a message that did not arrive once more: to those whom it did not reach, unless the command names others."""
    message = draft.find(id=command.message_id, direction="out")
    if message is None or message.outbound_id is None:
        draft.refuse("unknown_message", "The ticket has no such outgoing message.")
        return
    known = standing.of_message(message)
    if (refusal := standing.not_again(known, command.recipients)) is not None:
        draft.refuse(*refusal)
        return
    wanted = standing.whom_again(known, command.recipients)
    order = next((o for o in draft.ticket.orders if o.message_id == message.id), None)
    if order is None:
        draft.refuse("too_old", "The message is too old or too long to be sent again: write a new reply.")
        return
    address = draft.context.book.address(order.address_id)
    why = _may_not_send(draft, address) if order.kind == "reply" else None
    if why is not None:
        draft.refuse(*why)
        return
    envelope = wanted if len(wanted) < len(known) else []
    order = again(order, message.generation + 1, envelope=envelope, now=draft.at, lasts=draft.context.reply_lasts)
    now = standing.begun_again(known, wanted)
    delivery = Delivery(
        state=standing.summed(now), reason=standing.reason_of(now), recipients=standing.shown(now), at=draft.at
    )
    once_more = outgoing(command, order, kind=message.kind).model_copy(update={"delivery": delivery})
    draft.emit(ReplyRequested, message=once_more, outbound_id=order.id, resend=True)
    draft.orders.append(order)
    draft.replace_summary(
        message.model_copy(
            update={
                "outbound_id": order.id,
                "generation": order.generation,
                "delivery": standing.short(delivery),
                "held_until": None,
                "cancel_on_mail": False,
            }
        )
    )
    draft.change(orders=kept(draft.ticket.orders, order))


def cancel(draft: Draft, command: CancelMessage) -> None:
    """Do not send what still waits."""
    message = draft.find(id=command.message_id, direction="out")
    if message is None or message.outbound_id is None:
        draft.refuse("unknown_message", "The ticket has no such outgoing message.")
        return
    known = standing.of_message(message)
    if not standing.is_waiting(known):
        draft.refuse("not_waiting", f"The message is {standing.summed(known)}: it is too late to cancel it.")
        return
    call_off(draft, message, "Being cancelled.")


def call_off(draft: Draft, message: MessageSummary, reason: str) -> None:
    """Ask for a waiting message not to be sent; how that went, the report says."""
    delivery = (message.delivery or Delivery(state="queued")).model_copy(update={"reason": reason, "next_try_at": None})
    draft.emit(
        DeliveryChanged,
        discriminator=message.id,
        message_id=message.id,
        outbound_id=message.outbound_id or "",
        delivery=delivery,
    )
    draft.orders.append(cancellation(draft.ticket, message, draft.at))


def call_off_held(draft: Draft) -> None:
    """The customer wrote: what was to be sent only if they did not is not sent."""
    for message in draft.ticket.messages:
        waits = message.delivery is not None and message.delivery.state == "queued"
        if message.cancel_on_mail and waits and message.held_until is not None and message.held_until > draft.at:
            draft.replace_summary(message.model_copy(update={"cancel_on_mail": False}))
            call_off(draft, message, "Being cancelled: the customer wrote meanwhile.")


def keep(draft: Draft, order: OutboundMail, kind: str, *, cancel_on_mail: bool = False) -> None:
    """Order the mail, and keep what reports and resends will need."""
    draft.orders.append(order)
    recipients = [comparable(p.email) for p in (*order.to, *order.cc, *order.bcc)][:MOST_RECIPIENTS]
    draft.add_summary(
        MessageSummary(
            id=order.message_id,
            direction="out",
            kind=kind,
            message_id=order.rfc_message_id,
            from_email=order.from_.email if order.from_ else None,
            at=order.created_at,
            outbound_id=order.id,
            address_id=order.address_id,
            recipients=recipients,
            delivery=Delivery(state="queued", at=order.created_at, next_try_at=order.not_before),
            held_until=order.not_before,
            cancel_on_mail=cancel_on_mail,
        )
    )
    draft.change(orders=kept(draft.ticket.orders, order))


def outgoing(command: TicketCommand, order: OutboundMail, *, kind: str) -> TicketMessage:
    """The message of an order, as events show it."""
    return TicketMessage(
        id=order.message_id,
        direction="out",
        kind=kind,
        message_id=order.rfc_message_id,
        from_=order.from_,
        to=order.to,
        cc=order.cc,
        bcc=order.bcc,
        reply_to=order.reply_to,
        subject=order.subject,
        text=order.text,
        html=order.html,
        attachments=order.attachments,
        address_id=order.address_id,
        in_reply_to=order.in_reply_to,
        outbound_id=order.id,
        delivery=Delivery(state="queued", at=order.created_at, next_try_at=order.not_before),
        author=command.actor,
        sent_at=order.created_at,
        at=command.at,
        send_at=order.not_before,
        hold=getattr(command, "hold", None) if order.not_before is not None else None,
    )


def subject_of(subject: str, state: TicketState) -> str | None:
    """A message's subject, where it is another than the ticket's: what answers to it must carry (threads, tags)."""
    return None if strip_subject(subject) == strip_subject(state.subject) else subject[:300]


def _unseen(state: TicketState, seen_id: str | None) -> MessageSummary | None:
    """The first mail of a person that came after the last message that was seen."""
    if seen_id is None:
        return None
    position = next((n for n, m in enumerate(state.messages) if m.id == seen_id), None)
    if position is None:
        return None  # a note, a copy, or a message of a merged ticket: nothing can be said
    return next((m for m in state.messages[position + 1 :] if m.kind in ("mail", "reply", "external_reply")), None)


def _bad_hold(draft: Draft, send_at: datetime | None) -> tuple[str, str] | None:
    if send_at is not None and send_at > draft.at + LONGEST_HOLD:
        return "too_late", "A message can be held for 400 days at most."
    return None


def _may_not_send(draft: Draft, address: Address | None) -> tuple[str, str] | None:
    state, book = draft.ticket, draft.context.book
    if state.merged_into is not None:
        return "merged", "This ticket was merged into another one: write there."
    if address is None or address.portal_id != state.portal_id:
        return "unknown_address", "The address to reply from does not exist (any more)."
    if address.kind not in ("gmail", "smtp"):
        others = [a.email for a in book.senders_of(state.queue_id, state.portal_id)]
        instead = f" Reply from {', '.join(others[:5])}." if others else ""
        return "receive_only", f"{address.email} only receives.{instead}"
    if not address.active:
        return "inactive_address", f"{address.email} is not active."
    return None
