"""What became of a command, for the one who waits for it or asks again with its Idempotency-Key. Pure."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import CommandRefused, Forwarded, InputIgnored, NoteAdded, ReplyRequested, TicketEvent

from mailroom_console.times import micros

_ASKED_FOR = frozenset({"agent", "api", "console"})


def outcome_of(event: TicketEvent) -> dict[str, Any] | None:
    """The row of the command that led to this event; None where it was no command of a person or of the console."""
    refused = isinstance(event, CommandRefused)
    ignored = isinstance(event, InputIgnored) and event.receipt_id is None
    if not (refused or ignored or event.actor.kind in _ASKED_FOR):
        return None
    return {
        "causation_id": event.causation_id, "ticket_id": event.ticket_id, "type": event.type,
        "code": event.code if isinstance(event, CommandRefused | InputIgnored) else None,
        "reason": event.reason if isinstance(event, CommandRefused | InputIgnored) else None,
        "message_id": event.message.id if isinstance(event, ReplyRequested | NoteAdded | Forwarded) else None,
        "at": micros(event.at),
    }  # fmt: skip
