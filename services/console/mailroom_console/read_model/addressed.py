"""Which rows a batch of events touches. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mailroom_contracts import (
    AutoReplied,
    DeliveryChanged,
    Forwarded,
    MessageAdded,
    NoteAdded,
    ReplyRequested,
    TicketEvent,
)


def addressed(events: Iterable[TicketEvent]) -> tuple[set[str], set[str]]:
    """The ids of the tickets and of the messages whose rows `Batch` needs to apply these events."""
    tickets, messages = set[str](), set[str]()
    for event in events:
        tickets.add(event.ticket_id)
        if isinstance(event, MessageAdded | NoteAdded | ReplyRequested | AutoReplied | Forwarded):
            messages.add(event.message.id)
        elif isinstance(event, DeliveryChanged):
            messages.add(event.message_id)
            if event.bounce is not None:
                messages.add(event.bounce.id)
    return tickets, messages
