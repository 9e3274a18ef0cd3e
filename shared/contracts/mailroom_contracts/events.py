"""Ticket events: what happened, complete, in the past tense. Any read model can be rebuilt from them alone."""

from __future__ import annotations

from typing import Any, Literal

from .base import TicketRecord, Time, known, says
from .common import Actor, Answers, Delivery, Person, TicketMessage


class TicketEvent(TicketRecord):
    """What all events share. `id` is derived from cause and kind; `causation_id` is the input of the router."""

    id: str = says("Event id.", "e1f2...")
    type: str = says("Type of the event.", "ticket.created")
    ticket_id: str = says("Ticket.", "9f2c...")
    portal_id: str = says("Portal.", "p1")
    version: int = says("Counts the ticket's events.", 1)
    at: Time = says("When it happened.", "2026-11-24T11:55:01Z")
    causation_id: str = says("Root cause: id of the receipt, command or delivery report.", "77aa...")
    actor: Actor = says("Who did it.", {"kind": "router"})


class TicketCreated(TicketEvent):
    """A ticket was made. Its first message follows as ticket.message_added."""

    type: Literal["ticket.created"] = says("Type.", "ticket.created", default="ticket.created")
    number: str = says("Short number for people.", "MR-7K3F9Q2X")
    queue_id: str = says("Queue.", "q1")
    address_id: str = says("Address.", "ad1")
    status: str = says("Status.", "open", default="open")
    subject: str = says("Subject.", "My order", default="")
    customer: Person = says("Customer.", {"email": "jo@customer.example"})
    root: str = says("Root of the conversation.", "abc@customer.example")
    gmail_thread_id: str | None = says("Gmail thread.", None, default=None)
    follow_up_of: str | None = says("The closed ticket that this one follows.", None, default=None)
    linked_to: str | None = says("A ticket named without belonging to it.", None, default=None)
    receipt_id: str = says("The first mail; where an agent began it, the command.", "77aa...")
    received_at: Time = says("When that mail was accepted.", "2026-11-24T11:55:01Z")
    begun_by: str = says("mail, agent (who wrote first) or split.", "mail", default="mail",
                         json_schema_extra=known("mail", "agent", "split"))  # fmt: skip
    split_from: str | None = says("Ticket that its first message was split from.", None, default=None)
    imported: bool = says("By a mail from before its Gmail address was connected; not answered automatically.", False,
                          default=False)  # fmt: skip
    spam: bool = says("It is among the spam: its sender is blocked, or the mail was judged so.", False, default=False)


class MessageAdded(TicketEvent):
    """A mail was added to the ticket (or a copy, or an out-of-office note)."""

    type: Literal["ticket.message_added"] = says("Type.", "ticket.message_added", default="ticket.message_added")
    message: TicketMessage = says("The message, whole.", {"id": "5f0c...", "direction": "in"})


class Assigned(TicketEvent):
    """The ticket has an agent."""

    type: Literal["ticket.assigned"] = says("Type.", "ticket.assigned", default="ticket.assigned")
    assignee_id: str = says("Agent.", "a1")
    reason: str = says("online, came_online, agent or take.", "online", default="agent")


class Unassigned(TicketEvent):
    """The ticket has no agent any more."""

    type: Literal["ticket.unassigned"] = says("Type.", "ticket.unassigned", default="ticket.unassigned")
    previous_id: str | None = says("Agent before.", "a1", default=None)
    reason: str = says("agent, offline, moved or inactive.", "offline", default="agent")


class StatusChanged(TicketEvent):
    """Opened, set pending, closed or reopened."""

    type: Literal["ticket.status_changed"] = says("Type.", "ticket.status_changed", default="ticket.status_changed")
    status: str = says("Status.", "open")
    previous: str = says("Status before.", "closed")
    reason: str = says("agent, customer_replied, delivery_failed ...", "customer_replied", default="agent")


class QueueChanged(TicketEvent):
    """Moved to another queue."""

    type: Literal["ticket.queue_changed"] = says("Type.", "ticket.queue_changed", default="ticket.queue_changed")
    queue_id: str = says("Queue.", "q2")
    previous_id: str = says("Queue before.", "q1")


class NoteAdded(TicketEvent):
    """An internal note was added."""

    type: Literal["ticket.note_added"] = says("Type.", "ticket.note_added", default="ticket.note_added")
    message: TicketMessage = says("The note.", {"id": "5f0d...", "direction": "note"})


class ReplyRequested(TicketEvent):
    """An agent's reply (or a resend of one) was accepted and is on its way."""

    type: Literal["ticket.reply_requested"] = says("Type.", "ticket.reply_requested", default="ticket.reply_requested")
    message: TicketMessage = says("The message.", {"id": "5f0e...", "direction": "out"})
    outbound_id: str = says("Order to send.", "91bc...")
    resend: bool = says("A deliberate resend of a message that is there already.", False, default=False)


class AutoReplied(TicketEvent):
    """The automatic reply was accepted and is on its way."""

    type: Literal["ticket.auto_replied"] = says("Type.", "ticket.auto_replied", default="ticket.auto_replied")
    message: TicketMessage = says("The message.", {"id": "5f0f...", "direction": "out"})
    outbound_id: str = says("Order to send.", "91bd...")


class DeliveryChanged(TicketEvent):
    """An outgoing message was sent, deferred, failed, bounced, refused or cancelled."""

    type: Literal["ticket.delivery_changed"] = says(
        "Type.", "ticket.delivery_changed", default="ticket.delivery_changed"
    )
    message_id: str = says("Message id within Mailroom.", "5f0e...")
    outbound_id: str = says("Order.", "91bc...")
    delivery: Delivery = says("How it stands now.", {"state": "sent"})
    bounce: TicketMessage | None = says("The bounce mail, when it came as one.", None, default=None)
    gmail_thread_id: str | None = says("Gmail thread that it got.", None, default=None)
    rfc_message_id: str | None = says("Message-ID under which it left, where the provider changed it.", None,
                                      default=None)  # fmt: skip


class Forwarded(TicketEvent):
    """A part of the conversation was sent to somebody else."""

    type: Literal["ticket.forwarded"] = says("Type.", "ticket.forwarded", default="ticket.forwarded")
    message: TicketMessage = says("The message.", {"id": "5f0e...", "direction": "out"})
    outbound_id: str = says("Order to send.", "91bc...")
    forwarded_id: str | None = says("Message that was forwarded; None: the conversation.", None, default=None)


class TagsChanged(TicketEvent):
    """The ticket's tags are others."""

    type: Literal["ticket.tags_changed"] = says("Type.", "ticket.tags_changed", default="ticket.tags_changed")
    tags: list[str] = says("Its tags.", ["refund"], default_factory=list)
    previous: list[str] = says("Its tags before.", [], default_factory=list)


class Snoozed(TicketEvent):
    """The ticket was put aside."""

    type: Literal["ticket.snoozed"] = says("Type.", "ticket.snoozed", default="ticket.snoozed")
    until: Time = says("When it comes back.", "2026-12-01T08:00:00Z")


class Woken(TicketEvent):
    """A ticket that was put aside came back."""

    type: Literal["ticket.woken"] = says("Type.", "ticket.woken", default="ticket.woken")
    reason: str = says("time, customer_replied, delivery_failed, closed or agent.", "time", default="time")


class Merged(TicketEvent):
    """The ticket's conversation goes on in another one."""

    type: Literal["ticket.merged"] = says("Type.", "ticket.merged", default="ticket.merged")
    into: str = says("The other ticket's id.", "8e1b...")


class Unmerged(TicketEvent):
    """The ticket stands by itself again."""

    type: Literal["ticket.unmerged"] = says("Type.", "ticket.unmerged", default="ticket.unmerged")
    previous: str = says("The ticket that it was merged into.", "8e1b...")


class TookIn(TicketEvent):
    """Another ticket was merged into this one."""

    type: Literal["ticket.took_in"] = says("Type.", "ticket.took_in", default="ticket.took_in")
    source_id: str = says("The other ticket's id.", "9f2c...")
    source_number: str = says("Its number.", "MR-7K3F9Q2X", default="")
    answers: Answers | None = says("Whom answers go to now.", None, default=None)


class GaveBack(TicketEvent):
    """A merge into this ticket was undone."""

    type: Literal["ticket.gave_back"] = says("Type.", "ticket.gave_back", default="ticket.gave_back")
    source_id: str = says("The other ticket's id.", "9f2c...")
    source_number: str = says("Its number.", "MR-7K3F9Q2X", default="")
    answers: Answers | None = says("Whom answers go to now.", None, default=None)


class MessageSplit(TicketEvent):
    """A message was moved into a ticket of its own."""

    type: Literal["ticket.message_split"] = says("Type.", "ticket.message_split", default="ticket.message_split")
    message_id: str = says("The message.", "5f0c...")
    to_ticket: str = says("The new ticket's id.", "8e1b...")


class SpamChanged(TicketEvent):
    """The ticket is among the spam now, or not any more."""

    type: Literal["ticket.spam_changed"] = says("Type.", "ticket.spam_changed", default="ticket.spam_changed")
    spam: bool = says("Spam, or not.", True)


class SenderConfirmed(TicketEvent):
    """An agent confirmed that a new sender takes part."""

    type: Literal["ticket.sender_confirmed"] = says(
        "Type.", "ticket.sender_confirmed", default="ticket.sender_confirmed"
    )
    email: str = says("Sender.", "colleague@customer.example")


class CommandRefused(TicketEvent):
    """A command was not carried out. When there is no such ticket, version is 0."""

    type: Literal["ticket.command_refused"] = says("Type.", "ticket.command_refused", default="ticket.command_refused")
    command_type: str = says("Type of the command.", "ticket.reply")
    code: str = says(
        "receive_only, unknown_ticket, wrong_portal, inactive_address, already_assigned, already_auto_replied, "
        "unknown_agent, unknown_queue, bad_status, not_waiting, nobody_online, unknown_type, recipients_changed, "
        "no_recipient, merged, not_merged, unknown_message, not_due, is_customer ...", "receive_only")  # fmt: skip
    reason: str = says("In words for people.", "support@acme.example only receives.")


class InputIgnored(TicketEvent):
    """An input that changed nothing: already known, sent on, matched nothing."""

    type: Literal["ticket.input_ignored"] = says("Type.", "ticket.input_ignored", default="ticket.input_ignored")
    input_type: str = says("Type of the input.", "email.routed")
    code: str = says("already_known, sent_on, unmatched_bounce, own_mail, no_address, outdated ...", "already_known")
    reason: str = says("In words for people.", "This mail was added before.", default="")
    sent_on_to: str | None = says("Ticket that the mail was sent on to.", None, default=None)
    receipt_id: str | None = says("The mail, where it was one.", None, default=None)
    detail: TicketMessage | None = says("An unmatched bounce, to be listed.", None, default=None)


class Erased(TicketEvent):
    """The ticket was forgotten: its state is deleted from `tickets`, and who keeps something of it deletes that, too."""

    type: Literal["ticket.erased"] = says("Type.", "ticket.erased", default="ticket.erased")
    reason: str = says("person (who asked for it), portal (which was deleted) or retention (closed for as long as its portal "
                       "keeps tickets).", "person", default="person",
                       json_schema_extra=known("person", "portal", "retention"))  # fmt: skip


class PersonForgotten(TicketEvent):
    """A person was taken out of the ticket, which is another customer's. Who keeps something of it: the messages whose author
    that was have no content any more, and in all else the address is replaced by erased@erased.invalid.
    """

    type: Literal["ticket.person_forgotten"] = says(
        "Type.", "ticket.person_forgotten", default="ticket.person_forgotten"
    )
    person: str = says("SHA-256 of portal id, a bar, and the address in lower case: hexadecimal.", "5a1e...")  # fmt: skip


class FilesRemoved(TicketEvent):
    """The attachments and raw sources of these messages are deleted: their time was over. Names and sizes stay."""

    type: Literal["ticket.files_removed"] = says("Type.", "ticket.files_removed", default="ticket.files_removed")
    message_ids: list[str] = says("The messages.", ["5f0c..."], default_factory=list)
    days: int = says("How long the portal keeps them after closing.", 90)


class EventsRenewed(TicketEvent):
    """A partition of this topic was written anew, without what erased tickets left in it. Of no ticket (version 0).

    Its records before `first_offset` are deleted; what stays was written again from there on, with a header of its own.
    """

    type: Literal["events.renewed"] = says("Type.", "events.renewed", default="events.renewed")
    partition: int = says("The partition.", 3)
    copied: int = says("Records that were written again; 0 when there was nothing to leave out.", 51234, default=0)
    left_out: int = says("Records of erased tickets that were not.", 12, default=0)
    first_offset: int = says("Where the partition begins.", 88120, default=0)


EVENTS: dict[str, type[TicketEvent]] = {
    cls.model_fields["type"].default: cls
    for cls in (TicketCreated, MessageAdded, Assigned, Unassigned, StatusChanged, QueueChanged, NoteAdded,
                ReplyRequested, AutoReplied, DeliveryChanged, SenderConfirmed, CommandRefused, InputIgnored, Forwarded,
                TagsChanged, Snoozed, Woken, Merged, Unmerged, TookIn, GaveBack, MessageSplit, SpamChanged, Erased,
                FilesRemoved, PersonForgotten, EventsRenewed)
}  # fmt: skip


def event_class(kind: Any) -> type[TicketEvent] | None:
    """The class for an event type, or None for one that this version does not know (skip it)."""
    return EVENTS.get(kind) if isinstance(kind, str) else None
