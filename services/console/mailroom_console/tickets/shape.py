"""Tickets and messages as the API shows them. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from mailroom_console import times

API = "/api/v1"
IsOurs = Callable[[str], bool]


def summary(row: Any) -> dict[str, Any]:
    """A ticket in a list."""
    return {
        "id": row.id, "number": row.number, "portal_id": row.portal_id, "queue_id": row.queue_id,
        "address_id": row.address_id, "status": row.status, "assignee_id": row.assignee_id, "subject": row.subject,
        "customer": {"email": row.customer_email, "name": row.customer_name}, "follow_up_of": row.follow_up_of,
        "linked_to": row.linked_to, "created_at": times.rfc3339(row.created_at),
        "updated_at": times.rfc3339(row.updated_at), "customer_wrote_at": times.rfc3339(row.customer_at),
        "message_count": row.message_count, "snippet": row.last_text, "waiting": bool(row.waiting),
        "failed": row.failed, "version": row.version, "tags": list(row.tags or []), "spam": bool(row.spam),
        "snoozed_until": times.rfc3339(row.snoozed_until), "merged_into": row.merged_into,
    }  # fmt: skip


def whole(row: Any, messages: Sequence[Any], history: Sequence[Any], is_ours: IsOurs) -> dict[str, Any]:
    """A ticket with its conversation and what happened to it, oldest first."""
    return (
        summary(row)
        | answering(row, messages, is_ours)
        | {
            "messages": [message(m) for m in messages],
            "history": [event(h) for h in history],
        }
    )


def answering(row: Any, messages: Sequence[Any], is_ours: IsOurs) -> dict[str, Any]:
    """Whom an answer goes to, as the router decided it; of tickets from before it did, worked out from the last mail."""
    answers = row.answers or _guessed(row, messages, is_ours)
    return {
        "reply_to": answers["reply"], "reply_all": answers["reply_all"], "reply_warnings": answers["warnings"],
        "answers_message_id": answers.get("message_id"),
    }  # fmt: skip


def _guessed(row: Any, messages: Sequence[Any], is_ours: IsOurs) -> dict[str, Any]:
    customer = {"email": row.customer_email, "name": row.customer_name}
    last = next((m for m in reversed(messages) if m.direction == "in" and m.kind == "mail" and not m.new_sender), None)
    document = json.loads(last.document) if last is not None else {}
    to = [p for p in document.get("reply_to") or [] if not is_ours(p.get("email", ""))]
    to = to or [document.get("from") or customer]
    reply = {"to": [{"email": p["email"], "name": p.get("name", "")} for p in to if p.get("email")], "cc": []}
    return {"reply": reply, "reply_all": reply, "warnings": [], "message_id": last.id if last is not None else None}


def message(row: Any) -> dict[str, Any]:
    """One message of a ticket."""
    document: dict[str, Any] = json.loads(row.document)
    delivery = row.delivery or ({"state": row.delivery_state} if row.delivery_state else None)
    raw = document.get("raw") if row.files_removed is None else None
    return {
        "id": row.id,
        "ticket_id": row.ticket_id,
        "direction": row.direction,
        "kind": row.kind,
        "message_id": document.get("message_id"),
        "from": document.get("from"),
        "to": document.get("to", []),
        "cc": document.get("cc", []),
        "bcc": document.get("bcc", []),
        "reply_to": document.get("reply_to", []),
        "subject": document.get("subject", ""),
        "text": document.get("text", ""),
        "html": document.get("html"),
        "reply_text": document.get("reply_text"),
        "truncated": bool(document.get("text_ref") or document.get("html_ref")),
        "attachments": [
            attachment(row.id, n, a, row.files_removed) for n, a in enumerate(document.get("attachments", []))
        ],
        "raw_url": f"{API}/messages/{quote(row.id)}/raw" if raw else None,
        "verdicts": document.get("verdicts"),
        "defects": document.get("defects", []),
        "protection": document.get("protection", []),
        "automatic_signs": document.get("automatic_signs", []),
        "spam": document.get("spam", False),
        "quiet": document.get("quiet", False),
        "redirected": document.get("redirected"),
        "new_sender": bool(row.new_sender),
        "copy_of": document.get("copy_of"),
        "third_party": document.get("third_party", False),
        "answers": document.get("answers"),
        "send_at": document.get("send_at"),
        "hold": document.get("hold"),
        "address_id": row.address_id,
        "author": document.get("author"),
        "written_by": document.get("written_by"),
        "written_by_grade": document.get("written_by_grade"),
        "lists": document.get("lists", []),
        "sent_at": document.get("sent_at"),
        "at": times.rfc3339(row.at),
        "delivery": delivery_shown(delivery),
    }


def delivery_shown(delivery: dict[str, Any] | None) -> dict[str, Any] | None:
    """How sending stands, or None for what is not sent."""
    if delivery is None:
        return None
    return {
        "state": delivery["state"], "reason": delivery.get("reason"), "next_try_at": delivery.get("next_try_at"),
        "server_reply": delivery.get("server_reply"), "recipients": delivery.get("recipients", []),
        "at": delivery.get("at"),
    }  # fmt: skip


def attachment(message_id: str, index: int, ref: dict[str, Any], removed: int | None) -> dict[str, Any]:
    """An attachment with where to get it, or after how many days it was removed."""
    return {
        "index": index, "filename": ref.get("filename"), "content_type": ref.get("content_type"),
        "size": ref.get("size", 0), "inline": ref.get("inline", False), "content_id": ref.get("content_id"),
        "url": f"{API}/messages/{quote(message_id)}/attachments/{index}", "removed_after_days": removed,
    }  # fmt: skip


def event(row: Any) -> dict[str, Any]:
    """One entry of a ticket's history: type, time, actor and what the event says."""
    return {"id": row.id, "type": row.type, "at": times.rfc3339(row.at), "version": row.version,
            **json.loads(row.document)}  # fmt: skip
