"""How an address stands, worked out from its settings and what the services say of it; and how it is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailroom_contracts import AddressStatus

from mailroom_console import times
from mailroom_console.languages import say

NOT_CONFIGURED = "Connected, not configured yet: choose a queue with Update."
_TROUBLE = ("needs_attention", "disconnected")


@dataclass(frozen=True, slots=True)
class State:
    """`state`: active, inactive, not_configured, syncing, needs_attention, disconnected, forwarding_pending,
    forwarding_failed or forwarding_unchecked."""

    state: str
    reason: str | None = None
    since: str | None = None


def state_of(row: Any, statuses: Mapping[str, AddressStatus]) -> State:
    """How the address stands. `statuses`: aspect -> what its service said last."""
    changed = times.rfc3339(row.updated_at)
    if not row.active:
        return State("inactive", say("Disabled: it neither receives nor sends."), changed)
    if row.kind == "gmail" and not (row.gmail or {}).get("secret"):
        return State("disconnected", say("Not connected with Google: press Reconnect."), changed)
    if row.kind == "smtp" and (row.smtp or {}).get("auth") == "oauth" and not row.smtp.get("secret"):
        return State("disconnected", say("Nobody is signed in for this address: sign in again."), changed)
    for aspect in ("sending", "receiving"):
        status = statuses.get(aspect)
        if status is not None and status.state in _TROUBLE and not _said_before(row, status):
            return State(status.state, status.reason, _time(status))
    if row.kind == "gmail" and row.queue_id is None:
        return State("not_configured", NOT_CONFIGURED, changed)
    receiving = statuses.get("receiving")
    if receiving is not None and receiving.state == "syncing":
        return State("syncing", receiving.reason, _time(receiving))
    forwarding = statuses.get("forwarding")
    if row.kind == "smtp" and row.forwards_to and forwarding is not None:
        if forwarding.state == "pending":
            return State("forwarding_pending", forwarding.reason, _time(forwarding))
        if forwarding.state == "failed":
            return State("forwarding_failed", forwarding.reason, _time(forwarding))
    return State("active", None, changed)


def _said_before(row: Any, status: AddressStatus) -> bool:
    """Whether this was said of a sign-in that has been renewed since, or of a login that has been tried and worked since."""
    account: Mapping[str, Any] = (row.gmail if row.kind == "gmail" else row.smtp) or {}
    worked = account.get("connected_at" if row.kind == "gmail" else "checked_at")
    return worked is not None and status.since < datetime.fromisoformat(worked)


def shown(row: Any, statuses: Mapping[str, AddressStatus], mails: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The address as the API answers it; secrets never."""
    state = state_of(row, statuses)
    smtp = row.smtp
    gmail = row.gmail
    receiving = statuses.get("receiving")
    return {
        "id": row.id,
        "portal_id": row.portal_id,
        "kind": row.kind,
        "email": row.email,
        "full_name": row.full_name,
        "queue_id": row.queue_id,
        "prefer_online": row.prefer_online,
        "active": row.active,
        "auto_reply": {
            "enabled": bool(row.auto_reply.get("enabled")),
            "subject": row.auto_reply.get("subject", ""),
            "content": row.auto_reply.get("content", ""),
            "outside_content": row.auto_reply.get("outside_content", ""),
        },
        "signature": row.answering.get("signature", ""),
        "number_in_subject": bool(row.answering.get("number_in_subject", False)),
        "plus_replies": bool(row.answering.get("plus_replies", False)),
        "plus_checked_at": row.answering.get("plus_checked_at"),
        "smtp": None
        if smtp is None
        else {key: smtp[key] for key in ("host", "port", "tls", "username")}
        | {
            "auth": smtp.get("auth", "password"),
            "provider": smtp.get("provider"),
            "signed_in_as": smtp.get("signed_in_as"),
            "connected": bool(smtp.get("secret")),
        },
        "gmail": None
        if gmail is None
        else {
            "connected": bool(gmail.get("secret")),
            "connected_at": gmail.get("connected_at"),
            "scopes": gmail.get("scopes", []),
            "label_ids": gmail.get("label_ids", ["INBOX"]),
            "import_since": gmail.get("import_since"),
        },
        "forwards_to": row.forwards_to,
        "forwarders": row.forwarders,
        "forwarding": _aspect(statuses.get("forwarding")),
        "sending": _aspect(statuses.get("sending")),
        "receiving": _aspect(receiving),
        "can_send": row.kind != "internal",
        "state": state.state,
        "state_reason": state.reason,
        "state_since": state.since,
        "mails_today": dict(mails or {"in": 0, "out": 0}),
        "revision": row.revision,
    }


def _aspect(status: AddressStatus | None) -> dict[str, Any] | None:
    if status is None:
        return None
    return {"state": status.state, "reason": status.reason, "since": _time(status), "done": status.done,
            "total": status.total, "check_id": status.check_id}  # fmt: skip


def _time(status: AddressStatus) -> str | None:
    return times.rfc3339(times.micros(status.since))
