"""Ticket commands: what agents, autoreply and other systems ask of a ticket. Imperative; each yields an event."""

from __future__ import annotations

from typing import Any, Literal

from .base import Message, Time, says
from .common import Actor, AttachmentRef, Person


class TicketCommand(Message):
    """What all commands share. The id is derived from the client's Idempotency-Key, see `ids.command_id`."""

    id: str = says("Command id.", "c1d2...")
    type: str = says("Type of the command.", "ticket.reply")
    ticket_id: str = says("Ticket.", "9f2c...")
    portal_id: str = says("Portal; a command for another portal's ticket is refused.", "p1")
    actor: Actor = says("Who asks.", {"kind": "agent", "id": "a1"})
    at: Time = says("When it was asked.", "2026-11-24T11:57:00Z")
    redelivery: int = says("How often the auditor or a person put it back.", 0, default=0)

    @property
    def record_key(self) -> str:
        return self.ticket_id

    @property
    def ce_id(self) -> str:
        return self.id

    @property
    def ce_type(self) -> str:
        return self.type

    @property
    def ce_time(self) -> Time:
        return self.at


class Reply(TicketCommand):
    """Answer the customer."""

    type: Literal["ticket.reply"] = says("Type.", "ticket.reply", default="ticket.reply")
    text: str = says("Text.", "It left today.", default="")
    html: str | None = says("HTML; made from the text when missing.", "<p>It left today.</p>", default=None)
    to: list[Person] = says("Recipients; empty: the customer.", [], default_factory=list)
    cc: list[Person] = says("Cc.", [], default_factory=list)
    bcc: list[Person] = says("Bcc.", [], default_factory=list)
    attachments: list[AttachmentRef] = says("Attachments, already in the blob store.", [], default_factory=list)
    from_address_id: str | None = says("Address it leaves from; None: the ticket's own.", None, default=None)


class AutoReplyCommand(TicketCommand):
    """Send the automatic reply; the router accepts one per ticket."""

    type: Literal["ticket.auto_reply"] = says("Type.", "ticket.auto_reply", default="ticket.auto_reply")
    receipt_id: str = says("The mail it answers.", "77aa...")
    address_id: str = says("Address it leaves from.", "ad1")
    to: Person = says("Recipient.", {"email": "jo@customer.example"})
    subject: str = says("Rendered subject.", "We got it: My order")
    text: str = says("Rendered text.", "Dear Jo, ...")
    not_after: Time = says("Never sent later than this (24 h after receipt).", "2026-11-25T11:55:01Z")


class AddNote(TicketCommand):
    """Add an internal note."""

    type: Literal["ticket.add_note"] = says("Type.", "ticket.add_note", default="ticket.add_note")
    text: str = says("Text.", "Called the carrier.", default="")
    html: str | None = says("HTML.", None, default=None)
    attachments: list[AttachmentRef] = says("Attachments.", [], default_factory=list)


class Assign(TicketCommand):
    """Assign the ticket to an agent, or to nobody."""

    type: Literal["ticket.assign"] = says("Type.", "ticket.assign", default="ticket.assign")
    assignee_id: str | None = says("Agent, or None for nobody.", "a1", default=None)
    only_if_unassigned: bool = says("Take: refused when somebody has it already.", False, default=False)


class AssignWaiting(TicketCommand):
    """The router to itself: somebody of the queue is online, choose."""

    type: Literal["ticket.assign_waiting"] = says("Type.", "ticket.assign_waiting", default="ticket.assign_waiting")


class SetStatus(TicketCommand):
    """Open, set pending, or close the ticket."""

    type: Literal["ticket.set_status"] = says("Type.", "ticket.set_status", default="ticket.set_status")
    status: str = says("open, pending or closed.", "closed")


class MoveQueue(TicketCommand):
    """Move the ticket to another queue of the portal."""

    type: Literal["ticket.move_queue"] = says("Type.", "ticket.move_queue", default="ticket.move_queue")
    queue_id: str = says("Queue.", "q2")


class ConfirmSender(TicketCommand):
    """An agent confirms that a new sender takes part."""

    type: Literal["ticket.confirm_sender"] = says("Type.", "ticket.confirm_sender", default="ticket.confirm_sender")
    email: str = says("Sender.", "colleague@customer.example")


class ResendMessage(TicketCommand):
    """Send a failed, bounced, refused or cancelled message again."""

    type: Literal["ticket.resend_message"] = says("Type.", "ticket.resend_message", default="ticket.resend_message")
    message_id: str = says("Message id within Mailroom.", "5f0c...")


class CancelMessage(TicketCommand):
    """Do not send a message that still waits."""

    type: Literal["ticket.cancel_message"] = says("Type.", "ticket.cancel_message", default="ticket.cancel_message")
    message_id: str = says("Message id within Mailroom.", "5f0c...")


COMMANDS: dict[str, type[TicketCommand]] = {
    cls.model_fields["type"].default: cls
    for cls in (Reply, AutoReplyCommand, AddNote, Assign, AssignWaiting, SetStatus, MoveQueue, ConfirmSender,
                ResendMessage, CancelMessage)
}  # fmt: skip


def command_class(kind: Any) -> type[TicketCommand] | None:
    """The class for a command type, or None for one that this version does not know."""
    return COMMANDS.get(kind) if isinstance(kind, str) else None
