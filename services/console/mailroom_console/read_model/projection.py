"""From ticket events to rows of the read model. Pure: rows that were there go in, rows to write come out.

Rules that make repeats and late records harmless: a message is added once, by its id; status, agent and queue change
only by an event whose version is not below the ticket's; a delivery only by one not below the message's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mailroom_contracts import (
    Answers,
    Assigned,
    AutoReplied,
    CommandRefused,
    DeliveryChanged,
    Erased,
    EventsRenewed,
    FilesRemoved,
    Forwarded,
    GaveBack,
    InputIgnored,
    Merged,
    MessageAdded,
    MessageSplit,
    NoteAdded,
    PersonForgotten,
    QueueChanged,
    ReplyRequested,
    SenderConfirmed,
    Snoozed,
    SpamChanged,
    StatusChanged,
    TagsChanged,
    TicketCreated,
    TicketEvent,
    TicketMessage,
    TookIn,
    Unassigned,
    Unmerged,
    Woken,
)
from mailroom_mail import comparable
from mailroom_runtime.forgotten import Forgotten

from mailroom_console.times import DAY, HOUR, micros

from .outcomes import outcome_of
from .persons import without_person
from .told import TELLING, excerpt, searched

Row = dict[str, Any]
FAILED_STATES = frozenset({"failed", "bounced", "refused"})
_BASE = {"id", "type", "ticket_id", "portal_id", "version", "at", "causation_id"}


@dataclass(slots=True)
class Batch:
    """Rows known before, and what a batch of events makes of them."""

    tickets: dict[str, Row]
    messages: dict[str, Row]  # id, ticket_id, delivery_state, version of those that were there
    new_tickets: dict[str, Row] = field(default_factory=dict)
    changed_tickets: set[str] = field(default_factory=set)
    new_messages: dict[str, Row] = field(default_factory=dict)
    changed_messages: dict[str, Row] = field(default_factory=dict)
    history: dict[tuple[str, str], Row] = field(default_factory=dict)
    counters: dict[tuple[str, int, int, str], list[int]] = field(default_factory=dict)
    bounces: dict[str, Row] = field(default_factory=dict)
    outcomes: dict[str, Row] = field(default_factory=dict)
    tagged: dict[str, Row] = field(default_factory=dict)  # tickets whose tags changed
    split: list[tuple[str, str]] = field(default_factory=list)  # (message, ticket that it was moved to)
    without_files: dict[str, int] = field(default_factory=dict)  # messages, by the days that these were kept
    confirmed: list[tuple[str, str]] = field(default_factory=list)
    searchable: dict[str, list[str]] = field(default_factory=dict)
    forgotten: list[tuple[str, Forgotten]] = field(default_factory=list)  # (ticket, person that is in it no more)
    erased: set[str] = field(default_factory=set)  # tickets that are to be there no more
    orphans: int = 0  # events of tickets that were never created

    def apply(self, event: TicketEvent) -> None:
        """Take one event in. Events of a ticket come in the order of the log."""
        self._outcome(event)
        if isinstance(event, CommandRefused | EventsRenewed):
            return
        if isinstance(event, InputIgnored):
            self._ignored(event)
            return
        if isinstance(event, TicketCreated):
            self._created(event)
            return
        if isinstance(event, Erased):
            self._erase(event.ticket_id, event.causation_id)
            return
        ticket = self.tickets.get(event.ticket_id)
        if ticket is None:
            self.orphans += 1
            return
        current = event.version >= ticket["version"]
        match event:
            case MessageAdded() | NoteAdded() | AutoReplied() | Forwarded():
                self._message(ticket, event.message, event)
            case ReplyRequested():
                self._reply(ticket, event)
            case DeliveryChanged():
                self._delivery(ticket, event)
            case SenderConfirmed():
                self.confirmed.append((event.ticket_id, comparable(event.email)))
                for row in self.new_messages.values():
                    if row["ticket_id"] == event.ticket_id and row["from_email"] == comparable(event.email):
                        row["new_sender"] = False
                self._history(event)
            case Assigned():
                self._history(event)
                if current:
                    ticket["assignee_id"] = event.assignee_id
            case Unassigned():
                self._history(event)
                if current:
                    ticket["assignee_id"] = None
            case StatusChanged():
                self._history(event)
                if current:
                    ticket["status"] = event.status
                    ticket["closed_at"] = micros(event.at) if event.status == "closed" else None
            case QueueChanged():
                self._history(event)
                if current:
                    ticket["queue_id"] = event.queue_id
            case TagsChanged() | Snoozed() | Woken() | Merged() | Unmerged() | SpamChanged():
                self._history(event)
                if current:
                    self._shelf(ticket, event)
            case TookIn() | GaveBack():
                self._history(event)
                if current and event.answers is not None:
                    ticket["answers"] = _answers(event.answers, None)
            case MessageSplit():
                self._history(event)
                self.split.append((event.message_id, event.to_ticket))
                if (known := self.new_messages.get(event.message_id)) is not None:
                    known["split_to"] = event.to_ticket
            case PersonForgotten():
                self._history(event)
                self._without_person(ticket, Forgotten(event.portal_id, event.person))
            case FilesRemoved():
                self._history(event)
                self._without_files(ticket, event)
            case _:
                return
        ticket["version"] = max(ticket["version"], event.version)
        if not isinstance(event, FilesRemoved):  # lists need not move it
            ticket["updated_at"] = max(ticket["updated_at"], micros(event.at))
        customer, answered = ticket["customer_at"], ticket["answered_at"]
        ticket["place"] = _place(ticket)
        ticket["waiting"] = (
            ticket["place"] in ("open", "pending")
            and customer is not None
            and (answered is None or customer > answered)
        )
        self.changed_tickets.add(event.ticket_id)

    def _erase(self, ticket_id: str, causation_id: str) -> None:
        """Nothing of the ticket is written, and what is there is deleted."""
        self.erased.add(ticket_id)
        self.tickets.pop(ticket_id, None)
        self.new_tickets.pop(ticket_id, None)
        self.changed_tickets.discard(ticket_id)
        self.tagged.pop(ticket_id, None)
        self.searchable.pop(ticket_id, None)
        mine = {name for name, row in self.messages.items() if row["ticket_id"] == ticket_id}
        for name in mine:
            self.messages.pop(name)
            self.new_messages.pop(name, None)
            self.changed_messages.pop(name, None)
        self.split = [one for one in self.split if one[0] not in mine]
        self.without_files = {name: days for name, days in self.without_files.items() if name not in mine}
        self.confirmed = [one for one in self.confirmed if one[0] != ticket_id]
        self.history = {key: row for key, row in self.history.items() if row["ticket_id"] != ticket_id}
        self.bounces = {key: row for key, row in self.bounces.items() if row["ticket_id"] != ticket_id}
        self.outcomes = {
            cause: row for cause, row in self.outcomes.items() if row["ticket_id"] != ticket_id or cause == causation_id
        }

    def _without_person(self, ticket: Row, person: Forgotten) -> None:
        """Taken out of what is not stored yet; `store` does it in what is."""
        self.forgotten.append((ticket["id"], person))
        ticket["answers"] = person.without(ticket["answers"])
        for row in (*self.messages.values(), *self.history.values()):
            row |= without_person(row, person) if row["ticket_id"] == ticket["id"] else {}

    def _without_files(self, ticket: Row, event: FilesRemoved) -> None:
        for name in event.message_ids:
            self.without_files[name] = event.days
            self.new_messages.get(name, {})["files_removed"] = event.days
        if event.version >= ticket["version"]:
            ticket["has_files"] = False

    def _created(self, event: TicketCreated) -> None:
        if event.ticket_id in self.tickets:
            return
        at = micros(event.at)
        self.tickets[event.ticket_id] = self.new_tickets[event.ticket_id] = {
            "id": event.ticket_id, "number": event.number, "portal_id": event.portal_id, "queue_id": event.queue_id,
            "address_id": event.address_id, "status": event.status, "assignee_id": None, "subject": event.subject,
            "customer_email": event.customer.email, "customer_key": comparable(event.customer.email),
            "customer_name": event.customer.name,
            "follow_up_of": event.follow_up_of, "linked_to": event.linked_to,
            "gmail_thread_id": event.gmail_thread_id, "created_at": at, "updated_at": at, "version": event.version,
            "message_count": 0, "last_text": "", "closed_at": None, "has_files": False, "customer_at": None, "answered_at": None, "waiting": False,
            "failed": 0, "place": "spam" if event.spam else event.status, "tags": [], "snoozed_until": None,
            "merged_into": None, "spam": event.spam, "answers": None,
        }  # fmt: skip
        self.searchable[event.ticket_id] = [event.number, event.subject, event.customer.name, event.customer.email]

    def _message(self, ticket: Row, message: TicketMessage, event: TicketEvent) -> None:
        if message.id in self.messages:
            return
        at = micros(message.at)
        writer, delivery = message.written_by or message.from_, message.delivery
        state = delivery.state if delivery else ("queued" if message.outbound_id else None)
        row: Row = {
            "id": message.id, "ticket_id": event.ticket_id, "portal_id": event.portal_id,
            "direction": message.direction, "kind": message.kind, "at": at, "version": event.version,
            "address_id": message.address_id, "outbound_id": message.outbound_id, "delivery_state": state,
            "delivery": delivery.model_dump(mode="json", exclude_none=True) if delivery else None,
            "new_sender": message.new_sender, "split_to": None, "files_removed": None,
            "document": message.__pydantic_serializer__.to_json(message, by_alias=True, exclude_none=True).decode(),
            "from_email": comparable(writer.email if writer else ""),
        }  # fmt: skip
        self.messages[message.id] = self.new_messages[message.id] = row
        ticket["message_count"] += 1
        ticket["has_files"] |= bool(message.attachments or message.raw)
        text = message.reply_text or message.text
        if message.kind in TELLING:
            ticket["last_text"] = excerpt(text)
        wrote = message.direction == "in" and message.kind == "mail" and not message.copy_of
        if wrote and not (message.third_party or message.quiet):
            ticket["customer_at"] = max(ticket["customer_at"] or 0, at)
        if message.sets_answers and message.answers is not None and event.version >= ticket["version"]:
            ticket["answers"] = _answers(message.answers, message.id)
        if message.direction == "out" and message.kind in ("reply", "external_reply"):
            ticket["answered_at"] = max(ticket["answered_at"] or 0, at)
        if state in FAILED_STATES:
            ticket["failed"] += 1
        if message.direction == "in":
            self._count(message.address_id or ticket["address_id"], event, at, incoming=True)
        elif state == "sent":
            self._count(message.address_id or ticket["address_id"], event, at, incoming=False)
        self.searchable.setdefault(event.ticket_id, []).extend(searched(message))

    def _shelf(self, ticket: Row, event: TicketEvent) -> None:
        """Where the ticket lies: its tags, put aside, among the spam, in another ticket."""
        match event:
            case TagsChanged():
                ticket["tags"] = list(event.tags)
                self.tagged[ticket["id"]] = ticket
            case Snoozed():
                ticket["snoozed_until"] = micros(event.until)
            case Woken():
                ticket["snoozed_until"] = None
            case Merged():
                ticket["merged_into"] = event.into
            case Unmerged():
                ticket["merged_into"] = None
            case SpamChanged():
                ticket["spam"] = event.spam

    def _reply(self, ticket: Row, event: ReplyRequested) -> None:
        known = self.messages.get(event.message.id)
        if known is None:
            self._message(ticket, event.message, event)
        elif event.resend and event.version >= known["version"]:
            delivery = event.message.delivery
            self._set_delivery(
                ticket, known, "queued" if delivery is None else delivery.state,
                delivery.model_dump(mode="json", exclude_none=True) if delivery else None, event,
            )  # fmt: skip
            known["outbound_id"] = event.outbound_id

    def _delivery(self, ticket: Row, event: DeliveryChanged) -> None:
        known = self.messages.get(event.message_id)
        if known is not None and event.version >= known["version"]:
            self._set_delivery(
                ticket, known, event.delivery.state, event.delivery.model_dump(mode="json", exclude_none=True), event
            )
        if event.gmail_thread_id:
            ticket["gmail_thread_id"] = event.gmail_thread_id
        if event.bounce is not None:
            self._message(ticket, event.bounce, event)

    def _set_delivery(self, ticket: Row, known: Row, state: str, delivery: Row | None, event: TicketEvent) -> None:
        before = known["delivery_state"]
        ticket["failed"] += (state in FAILED_STATES) - (before in FAILED_STATES)
        if state == "sent" and before != "sent":
            self._count(known["address_id"] or ticket["address_id"], event, micros(event.at), incoming=False)
        known |= {"delivery_state": state, "delivery": delivery, "version": event.version}
        if known["id"] not in self.new_messages:
            self.changed_messages[known["id"]] = known

    def _ignored(self, event: InputIgnored) -> None:
        if event.code == "unmatched_bounce":
            detail = event.detail
            self.bounces[event.id] = {
                "id": event.id, "portal_id": event.portal_id, "at": micros(event.at), "reason": event.reason,
                "receipt_id": event.receipt_id, "ticket_id": event.ticket_id,
                "document": None if detail is None else detail.model_dump_json(by_alias=True, exclude_none=True),
            }  # fmt: skip

    def _history(self, event: TicketEvent) -> None:
        self.history[event.id, event.ticket_id] = {
            "id": event.id, "ticket_id": event.ticket_id, "version": event.version, "type": event.type,
            "at": micros(event.at),
            "document": event.model_dump_json(exclude=_BASE, exclude_none=True, by_alias=True),
        }  # fmt: skip

    def _count(self, address_id: str, event: TicketEvent, at: int, *, incoming: bool) -> None:
        key = (address_id, at // DAY, at % DAY // HOUR, event.portal_id)
        self.counters.setdefault(key, [0, 0])[0 if incoming else 1] += 1

    def _outcome(self, event: TicketEvent) -> None:
        """What became of a command, for the one who waits for it or asks again with its Idempotency-Key."""
        known = self.outcomes.get(event.causation_id)
        if known is not None and known["ticket_id"] == event.ticket_id:
            if known["message_id"] is None and isinstance(event, ReplyRequested):
                known["message_id"] = event.message.id  # the ticket was made for it
            return
        # of two tickets the earlier event: their partitions are read in no order among each other
        if known is not None and (micros(event.at), event.ticket_id) >= (known["at"], known["ticket_id"]):
            return
        if (row := outcome_of(event)) is not None:
            self.outcomes[event.causation_id] = row


def _place(ticket: Row) -> str:
    """Where lists show it: apart when it is merged, spam or put aside; else by its status."""
    if ticket["merged_into"] is not None:
        return "merged"
    if ticket["spam"]:
        return "spam"
    return "snoozed" if ticket["snoozed_until"] is not None else str(ticket["status"])


def _answers(answers: Answers, message_id: str | None) -> Row:
    return answers.model_dump(mode="json") | {"message_id": message_id}
