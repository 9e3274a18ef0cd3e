"""Ticket commands: what agents, autoreply and other systems ask of a ticket. Imperative; each yields an event."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from .base import LATER_LIST, TicketRecord, Time, known, says
from .common import Actor, AttachmentRef, Person, TicketMessage
from .outbound import Quote
from .tickets import Answered


class TicketCommand(TicketRecord):
    """What all commands share. The id is derived from the client's Idempotency-Key, see `ids.command_id`."""

    id: str = says("Command id.", "c1d2...")
    type: str = says("Type of the command.", "ticket.reply")
    ticket_id: str = says("Ticket.", "9f2c...")
    portal_id: str = says("Portal; a command for another portal's ticket is refused.", "p1")
    actor: Actor = says("Who asks.", {"kind": "agent", "id": "a1"})
    at: Time = says("When it was asked.", "2026-11-24T11:57:00Z")
    redelivery: int = says("How often the auditor or a person put it back.", 0, default=0)

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, given: Any) -> Any:
        # generated code writes null where its programmer said nothing, for lists too
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


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
    answered_id: str | None = says("Message that it answers; None: the customer's last.", None, default=None)
    seen_id: str | None = says(
        "The conversation's last message that its writer saw. Refused (recipients_changed) when a later one came; "
        "None: not looked at.", None, default=None)  # fmt: skip
    quote: str = says("What is quoted: none, last (what it answers), or all (`quotes`).", "last", default="last",
                      json_schema_extra=known("none", "last", "all"))  # fmt: skip
    quotes: list[Quote] = says("The history to quote, newest first; for an older message, that one.", [],
                               **LATER_LIST)  # fmt: skip
    send_at: Time | None = says("Held until then.", None, default=None)
    hold: str | None = says("Why it is held: undo or later.", None, default=None,
                            json_schema_extra=known("undo", "later"))  # fmt: skip
    cancel_on_mail: bool = says("Not sent when the customer writes before `send_at`.", False, default=False)


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
    """Send a failed, bounced, refused or cancelled message again: to those whom it did not reach, unless named."""

    type: Literal["ticket.resend_message"] = says("Type.", "ticket.resend_message", default="ticket.resend_message")
    message_id: str = says("Message id within Mailroom.", "5f0c...")
    recipients: list[str] | None = says("To these of its recipients alone; null: to those whom it did not reach.",
                                        ["jo@customer.example"], default=None)  # fmt: skip


class CancelMessage(TicketCommand):
    """Do not send a message that still waits."""

    type: Literal["ticket.cancel_message"] = says("Type.", "ticket.cancel_message", default="ticket.cancel_message")
    message_id: str = says("Message id within Mailroom.", "5f0c...")


class Compose(TicketCommand):
    """Begin a ticket by writing first. The ticket's id is derived from the client's key."""

    type: Literal["ticket.compose"] = says("Type.", "ticket.compose", default="ticket.compose")
    from_address_id: str = says("Address it leaves from.", "ad3")
    queue_id: str | None = says("Queue of the ticket; None: the address's.", "q1", default=None)
    to: list[Person] = says("To; the first one is the customer.", [{"email": "jo@customer.example"}],
                            default_factory=list)  # fmt: skip
    cc: list[Person] = says("Cc.", [], default_factory=list)
    bcc: list[Person] = says("Bcc.", [], default_factory=list)
    subject: str = says("Subject.", "Your delivery", default="")
    text: str = says("Text.", "It comes on Friday.", default="")
    html: str | None = says("HTML.", None, default=None)
    attachments: list[AttachmentRef] = says("Attachments, already in the blob store.", [], default_factory=list)
    send_at: Time | None = says("Held until then.", None, default=None)
    hold: str | None = says("Why it is held: undo or later.", None, default=None,
                            json_schema_extra=known("undo", "later"))  # fmt: skip


class Forward(TicketCommand):
    """Send the conversation, or a part of it, to somebody else. Their answers are marked and stay internal."""

    type: Literal["ticket.forward"] = says("Type.", "ticket.forward", default="ticket.forward")
    message_id: str | None = says("Message that is forwarded; None: the conversation.", None, default=None)
    to: list[Person] = says("To.", [{"email": "lab@partner.example"}], default_factory=list)
    cc: list[Person] = says("Cc.", [], default_factory=list)
    bcc: list[Person] = says("Bcc.", [], default_factory=list)
    subject: str | None = says("Subject; None: Fwd: and the ticket's.", None, default=None)
    text: str = says("What is written above it.", "Can you look at this?", default="")
    html: str | None = says("HTML.", None, default=None)
    attachments: list[AttachmentRef] = says("Files, those of the forwarded messages included.", [],
                                            default_factory=list)  # fmt: skip
    quotes: list[Quote] = says("The messages, newest first.", [], default_factory=list)
    from_address_id: str | None = says("Address it leaves from; None: the ticket's own.", None, default=None)
    send_at: Time | None = says("Held until then.", None, default=None)
    hold: str | None = says("Why it is held: undo or later.", None, default=None,
                            json_schema_extra=known("undo", "later"))  # fmt: skip


class SetTags(TicketCommand):
    """Set the ticket's tags, or add and remove some."""

    type: Literal["ticket.set_tags"] = says("Type.", "ticket.set_tags", default="ticket.set_tags")
    tags: list[str] | None = says("All its tags; None: only `add` and `remove` count.", ["refund"], default=None)
    add: list[str] = says("Tags to add.", [], default_factory=list)
    remove: list[str] = says("Tags to take off.", [], default_factory=list)


class Snooze(TicketCommand):
    """Put the ticket aside until then, or until the customer writes."""

    type: Literal["ticket.snooze"] = says("Type.", "ticket.snooze", default="ticket.snooze")
    until: Time | None = says("When it comes back; None: now.", "2026-12-01T08:00:00Z", default=None)


class Wake(TicketCommand):
    """The router to itself: a snoozed ticket is due."""

    type: Literal["ticket.wake"] = says("Type.", "ticket.wake", default="ticket.wake")
    until: Time = says("The time that it was put aside until.", "2026-12-01T08:00:00Z")


class Merge(TicketCommand):
    """The ticket's conversation goes on in another ticket of the portal."""

    type: Literal["ticket.merge"] = says("Type.", "ticket.merge", default="ticket.merge")
    into: str = says("The other ticket's id.", "8e1b...")


class Unmerge(TicketCommand):
    """Undo a merge: the ticket stands by itself again."""

    type: Literal["ticket.unmerge"] = says("Type.", "ticket.unmerge", default="ticket.unmerge")


class TakeIn(TicketCommand):
    """The router to itself: another ticket was merged into this one."""

    type: Literal["ticket.take_in"] = says("Type.", "ticket.take_in", default="ticket.take_in")
    source_id: str = says("The ticket that was merged.", "9f2c...")
    source_number: str = says("Its number.", "MR-7K3F9Q2X")
    participants: list[str] = says("Who took part in it.", ["jo@customer.example"], default_factory=list)
    third_parties: list[str] = says("Whom it was forwarded to.", [], default_factory=list)
    lists: list[str] = says("Mailing lists met there: they take no part.", [], default_factory=list)
    last: Answered | None = says("Its customer's last mail, as answers need it.", None, default=None)


class GiveBack(TicketCommand):
    """The router to itself: a merge was undone."""

    type: Literal["ticket.give_back"] = says("Type.", "ticket.give_back", default="ticket.give_back")
    source_id: str = says("The ticket that stands by itself again.", "9f2c...")
    source_number: str = says("Its number.", "MR-7K3F9Q2X", default="")


class Split(TicketCommand):
    """Move a message into a ticket of its own."""

    type: Literal["ticket.split"] = says("Type.", "ticket.split", default="ticket.split")
    message_id: str = says("The message, one that came in.", "5f0c...")
    message: TicketMessage = says("The message, whole, as its event has it.", {"id": "5f0c...", "direction": "in"})


class BeginFrom(TicketCommand):
    """The router to itself: a message was split from another ticket and begins this one."""

    type: Literal["ticket.begin_from"] = says("Type.", "ticket.begin_from", default="ticket.begin_from")
    source_id: str = says("The ticket that it was split from.", "9f2c...")
    queue_id: str = says("Queue.", "q1")
    address_id: str = says("Address.", "ad1")
    assignee_id: str | None = says("Agent.", "a1", default=None)
    message: TicketMessage = says("The message, whole.", {"id": "5f0c...", "direction": "in"})


class SetSpam(TicketCommand):
    """Put the ticket among the spam, or take it out."""

    type: Literal["ticket.set_spam"] = says("Type.", "ticket.set_spam", default="ticket.set_spam")
    spam: bool = says("Spam, or not.", True, default=True)


class Erase(TicketCommand):
    """The console: forget the ticket, with everything that is known of it."""

    type: Literal["ticket.erase"] = says("Type.", "ticket.erase", default="ticket.erase")
    reason: str = says("person (who asked for it) or portal (which was deleted).", "person", default="person",
                       json_schema_extra=known("person", "portal"))  # fmt: skip


class Expire(TicketCommand):
    """The console: forget the ticket, which has been closed for as long as its portal keeps tickets.

    A type of its own, not a field of `ticket.erase`: a router that does not know it must refuse, not erase.
    """

    type: Literal["ticket.expire"] = says("Type.", "ticket.expire", default="ticket.expire")
    closed_before: Time = says("Only when it has been closed since then or longer, else refused (not_due).",
                               "2025-11-24T02:00:00Z")  # fmt: skip


class ForgetPerson(TicketCommand):
    """The console: take a person out of the ticket, which is another customer's (else refused: is_customer)."""

    type: Literal["ticket.forget_person"] = says("Type.", "ticket.forget_person", default="ticket.forget_person")
    email: str = says("The person's address.", "pat@customer.example")


class RemoveFiles(TicketCommand):
    """The console: the time of a closed ticket's attachments and raw sources is over."""

    type: Literal["ticket.remove_files"] = says("Type.", "ticket.remove_files", default="ticket.remove_files")
    message_ids: list[str] = says("The messages whose files go.", ["5f0c..."], default_factory=list)
    days: int = says("How long the portal keeps them after closing.", 90)
    closed_before: Time = says("Only when it has been closed since then or longer, else refused (not_due).",
                               "2026-08-26T02:00:00Z")  # fmt: skip


class RenewEvents(TicketCommand):
    """The console: write a partition of `ticket.events` anew without what erased tickets left in it. Of no ticket: its
    `ticket_id` is a name that Kafka's default partitioner puts on that partition."""

    type: Literal["events.renew"] = says("Type.", "events.renew", default="events.renew")
    partition: int = says("The partition; it must be the one that the command lies on.", 3)
    again: bool = says("Though nothing is to be left out: so that what was deleted leaves the brokers' disks, too.", False,
                       default=False)  # fmt: skip


COMMANDS: dict[str, type[TicketCommand]] = {
    cls.model_fields["type"].default: cls
    for cls in (Reply, AutoReplyCommand, AddNote, Assign, AssignWaiting, SetStatus, MoveQueue, ConfirmSender,
                ResendMessage, CancelMessage, Compose, Forward, SetTags, Snooze, Wake, Merge, Unmerge, TakeIn, GiveBack, Split,
                BeginFrom, SetSpam, Erase, Expire, ForgetPerson, RemoveFiles, RenewEvents)
}  # fmt: skip


def command_class(kind: Any) -> type[TicketCommand] | None:
    """The class for a command type, or None for one that this version does not know."""
    return COMMANDS.get(kind) if isinstance(kind, str) else None
