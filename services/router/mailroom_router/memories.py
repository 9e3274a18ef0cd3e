"""What is remembered of where a mail went, so that it goes there again. Pure."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import EmailRouted


def as_memory(routed: EmailRouted) -> dict[str, Any]:
    """What is remembered of a routing decision."""
    return {
        "id": routed.id,
        "t": routed.ticket_id,
        "a": routed.address_id,
        "q": routed.queue_id,
        "r": routed.root,
        "y": routed.reason,
        "l": routed.linked_to,
        "o": routed.bounced_outbound_id,
    }


def from_memory(memory: dict[str, Any], fresh: EmailRouted) -> EmailRouted:
    """The remembered way with the mail itself."""
    return fresh.model_copy(
        update={
            "id": memory["id"],
            "ticket_id": memory["t"],
            "address_id": memory["a"],
            "queue_id": memory["q"],
            "root": memory["r"],
            "reason": memory["y"],
            "linked_to": memory["l"],
            "bounced_outbound_id": memory["o"],
        }
    )
