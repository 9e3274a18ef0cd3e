"""Events of one ticket as a router writes them, for a console that has no router beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from mailroom_contracts import (
    Actor,
    Assigned,
    CommandRefused,
    Delivery,
    DeliveryChanged,
    MessageAdded,
    NoteAdded,
    Person,
    QueueChanged,
    Reply,
    ReplyRequested,
    StatusChanged,
    TicketCommand,
    TicketCreated,
    TicketEvent,
    TicketMessage,
    Unassigned,
    ids,
)

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Story:
    """Events of one ticket, as the router writes them: versions count up, ids derive from the cause."""

    def __init__(self, number: int, *, portal: str, queue: str, address: str, customer: str = "") -> None:
        self.customer = customer or f"jo{number}@customer.example"
        self.portal, self.queue, self.address = portal, queue, address
        self.ticket = ids.ticket_id(portal, queue, f"root{number}@customer.example", self.customer)
        self.number = f"MR-{number:08d}"
        self.version = 0
        self.at = START + timedelta(seconds=number)

    def _common(self, cause: str, kind: str, actor: Actor | None = None) -> dict[str, Any]:
        self.version += 1
        self.at += timedelta(milliseconds=10)
        cause = cause or f"{kind}-{self.ticket}-{self.version}"
        return {
            "id": ids.event_id(cause, kind), "ticket_id": self.ticket, "portal_id": self.portal,
            "version": self.version, "at": self.at, "causation_id": cause, "actor": actor or Actor(kind="router"),
        }  # fmt: skip

    def created(self, subject: str = "My order", cause: str = "") -> TicketCreated:
        cause = cause or f"receipt-{self.ticket}"
        return TicketCreated(
            **self._common(cause, "ticket.created"), number=self.number, queue_id=self.queue, address_id=self.address,
            subject=subject, customer=Person(email=self.customer, name="Jo"), root=f"root-{self.number}",
            receipt_id=cause, received_at=self.at,
        )  # fmt: skip

    def mail(self, text: str = "Where is it?", cause: str = "", **more: Any) -> MessageAdded:
        cause = cause or f"receipt-{self.ticket}-{self.version}"
        common = self._common(cause, "ticket.message_added")
        message = TicketMessage(
            id=ids.message_id(self.ticket, cause), direction="in", kind="mail", message_id=f"{cause}@customer.example",
            from_=Person(email=self.customer, name="Jo"), to=[Person(email="support@acme.example")],
            subject="My order", text=text, address_id=self.address, at=self.at, **more,
        )  # fmt: skip
        return MessageAdded(**common, message=message)

    def assigned(self, agent: str, cause: str = "", actor: Actor | None = None) -> Assigned:
        return Assigned(**self._common(cause, "ticket.assigned", actor), assignee_id=agent)

    def unassigned(self, cause: str = "") -> Unassigned:
        return Unassigned(**self._common(cause, "ticket.unassigned"))

    def status(self, status: str, cause: str = "", actor: Actor | None = None) -> StatusChanged:
        common = self._common(cause, "ticket.status_changed", actor)
        return StatusChanged(**common, status=status, previous="open")

    def moved(self, queue: str, cause: str = "") -> QueueChanged:
        common = self._common(cause, "ticket.queue_changed")
        return QueueChanged(**common, queue_id=queue, previous_id=self.queue)

    def note(self, text: str, cause: str, actor: Actor) -> NoteAdded:
        common = self._common(cause, "ticket.note_added", actor)
        message = TicketMessage(id=ids.message_id(self.ticket, cause), direction="note", kind="note", text=text,
                                at=self.at, author=actor)  # fmt: skip
        return NoteAdded(**common, message=message)

    def reply(self, cause: str, text: str = "On its way.", actor: Actor | None = None, **more: Any) -> ReplyRequested:
        common = self._common(cause, "ticket.reply_requested", actor or Actor(kind="agent", id="a1"))
        message_id = ids.message_id(self.ticket, cause)
        outbound = ids.outbound_id(self.ticket, message_id)
        message = TicketMessage(
            id=message_id, direction="out", kind="reply", to=[Person(email=self.customer)], text=text,
            address_id=self.address, outbound_id=outbound, delivery=Delivery(state="queued"), at=self.at, **more,
        )  # fmt: skip
        return ReplyRequested(**common, message=message, outbound_id=outbound)

    def delivery(self, of: ReplyRequested, state: str, reason: str | None = None) -> DeliveryChanged:
        cause = ids.delivery_id(of.outbound_id, state, self.version)
        return DeliveryChanged(
            **self._common(cause, "ticket.delivery_changed"), message_id=of.message.id, outbound_id=of.outbound_id,
            delivery=Delivery(state=state, reason=reason, at=self.at),
        )  # fmt: skip

    def refused(self, command: TicketCommand, code: str, reason: str) -> CommandRefused:
        common = self._common(command.id, "ticket.command_refused", command.actor)
        self.version -= 1
        return CommandRefused(**(common | {"version": self.version}), command_type=command.type, code=code,
                              reason=reason)  # fmt: skip


def router_of(story: Story) -> Callable[[TicketCommand], list[TicketEvent]]:
    """Accepts every reply, as a router does for an address that can send."""

    def answer(command: TicketCommand) -> list[TicketEvent]:
        assert isinstance(command, Reply)
        return [story.reply(command.id, command.text, command.actor)]

    return answer
