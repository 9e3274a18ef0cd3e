"""What agents, autoreply and other systems ask of a ticket: carried out, or refused with the reason. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from mailroom_contracts import (
    AddNote,
    Assign,
    AssignWaiting,
    AutoReplied,
    AutoReplyCommand,
    BeginFrom,
    CancelMessage,
    Compose,
    ConfirmSender,
    Erase,
    Erased,
    EventsRenewed,
    Expire,
    FilesRemoved,
    ForgetPerson,
    Forward,
    GiveBack,
    Merge,
    MessageSummary,
    MoveQueue,
    NoteAdded,
    PersonForgotten,
    QueueChanged,
    RemoveFiles,
    RenewEvents,
    Reply,
    ResendMessage,
    SenderConfirmed,
    SetSpam,
    SetStatus,
    SetTags,
    Snooze,
    Split,
    TakeIn,
    TicketCommand,
    TicketMessage,
    TicketState,
    Unmerge,
    Wake,
    ids,
)
from mailroom_mail import comparable
from mailroom_runtime.forgotten import Forgotten, digest_of

from . import merges, shelves
from . import outgoing as mails
from .command_reading import UnclearCommand
from .draft import MOST_PEOPLE, Draft
from .orders import auto_reply_order
from .outgoing import keep, outgoing

# what need not find a ticket: they decide by themselves
_WITHOUT_TICKET = (Compose, BeginFrom, TakeIn, GiveBack, Erase, RenewEvents)


def carry_out(draft: Draft, command: TicketCommand) -> None:
    """One command. Every way through here leaves at least one event."""
    if isinstance(command, UnclearCommand) and (draft.state is None or draft.state.portal_id == draft.portal_id):
        draft.refuse(command.code, command.problem)
        return
    if draft.state is None and not isinstance(command, _WITHOUT_TICKET):
        draft.refuse("unknown_ticket", "There is no such ticket.")
        return
    if draft.state is not None and draft.state.portal_id != command.portal_id and not isinstance(command, TakeIn):
        draft.refuse("wrong_portal", "The ticket belongs to another portal.")
        return
    act = _ACTS.get(type(command))
    if act is None:
        draft.refuse("unknown_type", f"This version knows no command {command.type[:80]!r}.")
        return
    act(draft, command)


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
    draft.emit(AutoReplied, message=outgoing(command, order, kind="auto_reply"), outbound_id=order.id)
    keep(draft, order, "auto_reply")
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


def _erase(draft: Draft, command: Erase) -> None:
    """Of mail that made no ticket (a bounce that fits nothing), too: its event names one that there is not."""
    draft.emit(Erased, reason=command.reason)
    draft.erased = True


def _expire(draft: Draft, command: Expire) -> None:
    if _is_due(draft, command.closed_before):
        draft.emit(Erased, reason="retention")
        draft.erased = True


def _forget_person(draft: Draft, command: ForgetPerson) -> None:
    state = draft.ticket
    if comparable(state.customer.email) == comparable(command.email):
        draft.refuse("is_customer", "It is this customer's ticket: it can only be forgotten whole.")
        return
    digest = digest_of(state.portal_id, command.email)
    draft.emit(PersonForgotten, person=digest)
    left = Forgotten(state.portal_id, digest).without(state.model_dump(mode="json", by_alias=True))
    draft.state = TicketState.model_validate(left)
    draft.forgotten = command.email


def _remove_files(draft: Draft, command: RemoveFiles) -> None:
    if _is_due(draft, command.closed_before):
        draft.emit(FilesRemoved, message_ids=command.message_ids, days=command.days)


def _is_due(draft: Draft, closed_before: datetime) -> bool:
    """Whether the ticket has been closed for so long: what was opened again since the command was sent is refused."""
    state = draft.ticket
    if state.status == "closed" and state.closed_at is not None and state.closed_at <= closed_before:
        return True
    draft.refuse("not_due", "The ticket is not closed, or has been for a shorter time.")
    return False


def _renewed(draft: Draft, command: RenewEvents) -> None:
    """It was carried out before, by the worker: see `renewals`."""
    found = draft.context.renewed.get(command.id)
    if found is None:
        draft.refuse("not_possible", "It lies on another partition than it names, or has no ce_type.")
    elif isinstance(found, str):
        draft.refuse("failed", found)
    else:
        draft.emit(EventsRenewed, partition=command.partition, copied=found.copied, left_out=found.left_out,
                   first_offset=found.first_offset)  # fmt: skip


_ACTS: dict[type[TicketCommand], Callable[[Draft, Any], None]] = {
    Reply: mails.reply,
    Compose: mails.compose,
    Forward: mails.forward,
    AutoReplyCommand: _auto_reply,
    AddNote: _note,
    Assign: _assign,
    AssignWaiting: _assign_waiting,
    SetStatus: _set_status,
    MoveQueue: _move,
    ConfirmSender: _confirm,
    ResendMessage: mails.resend,
    CancelMessage: mails.cancel,
    SetTags: shelves.set_tags,
    Snooze: shelves.snooze,
    Wake: shelves.wake_up,
    SetSpam: shelves.set_spam,
    Merge: merges.merge,
    Unmerge: merges.unmerge,
    TakeIn: merges.take_in,
    GiveBack: merges.give_back,
    Split: merges.split,
    BeginFrom: merges.begin_from,
    Erase: _erase,
    Expire: _expire,
    ForgetPerson: _forget_person,
    RemoveFiles: _remove_files,
    RenewEvents: _renewed,
}
