"""What agents, autoreply and other systems ask of a ticket: carried out, or refused with the reason. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailroom_contracts import (
    AddNote,
    Address,
    Assign,
    AssignWaiting,
    AutoReplied,
    AutoReplyCommand,
    CancelMessage,
    ConfirmSender,
    Delivery,
    DeliveryChanged,
    MessageSummary,
    MoveQueue,
    NoteAdded,
    OutboundMail,
    QueueChanged,
    Reply,
    ReplyRequested,
    ResendMessage,
    SenderConfirmed,
    SetStatus,
    TicketCommand,
    TicketMessage,
    ids,
)
from mailroom_mail import comparable

from .command_reading import UnclearCommand
from .draft import MOST_PEOPLE, Draft
from .orders import again, auto_reply_order, cancellation, kept, reply_order

MOST_RECIPIENTS = 20


def carry_out(draft: Draft, command: TicketCommand) -> None:
    """One command. Every way through here leaves at least one event."""
    if isinstance(command, UnclearCommand) and (draft.state is None or draft.state.portal_id == draft.portal_id):
        draft.refuse(command.code, command.problem)
        return
    if draft.state is None:
        draft.refuse("unknown_ticket", "There is no such ticket.")
        return
    if draft.state.portal_id != command.portal_id:
        draft.refuse("wrong_portal", "The ticket belongs to another portal.")
        return
    act = _ACTS.get(type(command))
    if act is None:
        draft.refuse("unknown_type", f"This version knows no command {command.type[:80]!r}.")
        return
    act(draft, command)


def _reply(draft: Draft, command: Reply) -> None:
    state, context = draft.ticket, draft.context
    address = context.book.address(command.from_address_id or state.address_id)
    if (why := _may_not_reply(draft, address)) is not None:
        draft.refuse(*why)
        return
    assert address is not None
    order = reply_order(state, command, address, keys=context.keys, now=draft.at, lasts=context.reply_lasts)
    if not order.to or not order.to[0].email:
        draft.refuse("no_recipient", "The ticket's customer has no mail address: name a recipient.")
        return
    message = _outgoing(command, order, kind="reply")
    draft.emit(ReplyRequested, message=message, outbound_id=order.id)
    _keep(draft, order, "reply")
    # whoever an agent writes to takes part
    known = [comparable(p.email) for p in (*order.to, *order.cc)]
    draft.change(participants=list(dict.fromkeys([*draft.ticket.participants, *known]))[:MOST_PEOPLE])


def _may_not_reply(draft: Draft, address: Address | None) -> tuple[str, str] | None:
    state, book = draft.ticket, draft.context.book
    if address is None or address.portal_id != state.portal_id:
        return "unknown_address", "The address to reply from does not exist (any more)."
    if address.kind not in ("gmail", "smtp"):
        others = [a.email for a in book.senders_of(state.queue_id, state.portal_id)]
        instead = f" Reply from {', '.join(others[:5])}." if others else ""
        return "receive_only", f"{address.email} only receives.{instead}"
    if not address.active:
        return "inactive_address", f"{address.email} is not active."
    return None


def _auto_reply(draft: Draft, command: AutoReplyCommand) -> None:
    state, context = draft.ticket, draft.context
    if state.auto_reply_message_id is not None:
        draft.refuse("already_auto_replied", "This ticket got its automatic reply already.")
        return
    address = context.book.address(command.address_id)
    if address is None or address.portal_id != state.portal_id:
        draft.refuse("unknown_address", "The address to reply from does not exist (any more).")
        return
    if not address.active:
        draft.refuse("inactive_address", f"{address.email} is not active.")
        return
    order = auto_reply_order(state, command, address, keys=context.keys)
    draft.emit(AutoReplied, message=_outgoing(command, order, kind="auto_reply"), outbound_id=order.id)
    _keep(draft, order, "auto_reply")
    draft.change(auto_reply_message_id=order.message_id)


def _note(draft: Draft, command: AddNote) -> None:
    message = TicketMessage(
        id=ids.message_id(draft.ticket_id, command.id),
        direction="note",
        kind="note",
        text=command.text,
        html=command.html,
        attachments=command.attachments,
        author=command.actor,
        sent_at=command.at,
        at=command.at,
    )
    draft.emit(NoteAdded, message=message)
    draft.add_summary(MessageSummary(id=message.id, direction="note", kind="note", at=message.at))


def _assign(draft: Draft, command: Assign) -> None:
    state = draft.ticket
    if command.only_if_unassigned and state.assignee_id is not None:
        draft.refuse("already_assigned", "Somebody has this ticket already.")
    elif command.assignee_id is None:
        if state.assignee_id is None:
            draft.ignore(command.type, "unchanged", "Nobody had it.")
        else:
            draft.unassign("agent")
            # an agent gave it back on purpose: it must not come straight back
            draft.change(wants_online=False)
    elif draft.context.book.agent(command.assignee_id, state.portal_id) is None:
        draft.refuse("unknown_agent", "There is no such active agent in this portal.")
    elif command.assignee_id == state.assignee_id:
        draft.ignore(command.type, "unchanged", "The agent has it already.")
    else:
        draft.assign(command.assignee_id, "take" if command.only_if_unassigned else "agent")


def _assign_waiting(draft: Draft, command: AssignWaiting) -> None:
    if not draft.ticket.wants_online or draft.ticket.assignee_id is not None:
        draft.refuse("not_waiting", "The ticket waits for nobody.")
    else:
        draft.want_agent("came_online", must=True)


def _set_status(draft: Draft, command: SetStatus) -> None:
    if command.status not in ("open", "pending", "closed"):
        draft.refuse("bad_status", "A ticket is open, pending or closed.")
    elif command.status == draft.ticket.status:
        draft.ignore(command.type, "unchanged", f"The ticket is {command.status} already.")
    else:
        draft.set_status(command.status)


def _move(draft: Draft, command: MoveQueue) -> None:
    state, book = draft.ticket, draft.context.book
    if book.queue(command.queue_id, state.portal_id) is None:
        draft.refuse("unknown_queue", "There is no such queue in this portal.")
        return
    if command.queue_id == state.queue_id:
        draft.ignore(command.type, "unchanged", "The ticket is in that queue already.")
        return
    draft.emit(QueueChanged, queue_id=command.queue_id, previous_id=state.queue_id)
    draft.change(queue_id=command.queue_id)
    if state.assignee_id is not None and state.assignee_id not in book.agents_of(command.queue_id, state.portal_id):
        draft.unassign("moved")
    if draft.ticket.assignee_id is None and state.prefer_online and state.status != "closed":
        draft.want_agent("online")


def _confirm(draft: Draft, command: ConfirmSender) -> None:
    state = draft.ticket
    wanted = comparable(command.email)
    email = next((e for e in state.unconfirmed if comparable(e) == wanted), None)
    if email is None:
        draft.refuse("unknown_sender", "No such sender waits to be confirmed.")
        return
    draft.emit(SenderConfirmed, email=email)
    draft.change(
        unconfirmed=[e for e in state.unconfirmed if e != email],
        participants=list(dict.fromkeys([*state.participants, email]))[:MOST_PEOPLE],
    )


def _resend(draft: Draft, command: ResendMessage) -> None:
    message = draft.find(id=command.message_id, direction="out")
    if message is None or message.outbound_id is None:
        draft.refuse("unknown_message", "The ticket has no such outgoing message.")
        return
    state = message.delivery.state if message.delivery else "queued"
    if state not in ("failed", "bounced", "refused", "cancelled"):
        draft.refuse("not_failed", f"The message is {state}: there is nothing to send again.")
        return
    order = next((o for o in draft.ticket.orders if o.message_id == message.id), None)
    if order is None:
        draft.refuse("too_old", "The message is too old or too long to be sent again: write a new reply.")
        return
    address = draft.context.book.address(order.address_id)
    why = _may_not_reply(draft, address) if order.kind == "reply" else None
    if why is not None:
        draft.refuse(*why)
        return
    order = again(order, message.generation + 1, now=draft.at, lasts=draft.context.reply_lasts)
    draft.emit(ReplyRequested, message=_outgoing(command, order, kind=message.kind), outbound_id=order.id, resend=True)
    draft.orders.append(order)
    draft.replace_summary(
        message.model_copy(
            update={
                "outbound_id": order.id,
                "generation": order.generation,
                "delivery": Delivery(state="queued", at=draft.at),
            }
        )
    )
    draft.change(orders=kept(draft.ticket.orders, order))


def _cancel(draft: Draft, command: CancelMessage) -> None:
    state = draft.ticket
    message = draft.find(id=command.message_id, direction="out")
    if message is None or message.outbound_id is None:
        draft.refuse("unknown_message", "The ticket has no such outgoing message.")
        return
    now = message.delivery or Delivery(state="queued")
    if now.state not in ("queued", "deferred"):
        draft.refuse("not_waiting", f"The message is {now.state}: it is too late to cancel it.")
        return
    delivery = now.model_copy(update={"reason": "Being cancelled."})
    draft.emit(DeliveryChanged, message_id=message.id, outbound_id=message.outbound_id, delivery=delivery)
    draft.orders.append(cancellation(state, message, draft.at))


def _outgoing(command: TicketCommand, order: OutboundMail, *, kind: str) -> TicketMessage:
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
        delivery=Delivery(state="queued", at=order.created_at),
        author=command.actor,
        sent_at=order.created_at,
        at=command.at,
    )


def _keep(draft: Draft, order: OutboundMail, kind: str) -> None:
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
            delivery=Delivery(state="queued", at=order.created_at),
        )
    )
    draft.change(orders=kept(draft.ticket.orders, order))


_ACTS: dict[type[TicketCommand], Callable[[Draft, Any], None]] = {
    Reply: _reply,
    AutoReplyCommand: _auto_reply,
    AddNote: _note,
    Assign: _assign,
    AssignWaiting: _assign_waiting,
    SetStatus: _set_status,
    MoveQueue: _move,
    ConfirmSender: _confirm,
    ResendMessage: _resend,
    CancelMessage: _cancel,
}
