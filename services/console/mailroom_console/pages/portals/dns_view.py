"""DNS records as the portal's page shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailroom_console.portals.dns_records import Record
from mailroom_console.portals.mail_dns import Check

_WORDS = {
    "mx": ("Where mail goes", "Without it, mail for the domain does not come to Mailroom."),
    "spf": ("Who may send", "Tells other servers that our mail for the domain is genuine (SPF)."),
    "dkim": ("Signature", "Lets other servers check the signature on our mail (DKIM)."),
}
_STATES = {"right": ("good", "Right"), "missing": ("bad", "Missing"), "wrong": ("bad", "Not right"),
           "unknown": ("warn", "Could not be checked")}  # fmt: skip


def shown(record: Record, check: Check | None = None) -> dict[str, Any]:
    """A record with its purpose, and with the check when it was made."""
    title, why = _WORDS[record.kind]
    tone, words = _STATES[check.state] if check else ("", "Not checked yet" if record.value else "No key yet")
    return {
        "kind": record.kind, "type": record.type, "title": title, "why": why, "name": record.name,
        "value": record.value, "tone": tone, "words": words, "reason": check.reason if check else "",
        "found": list(check.found) if check else [],
    }  # fmt: skip


def both(records: Sequence[Record], checks: Sequence[Check] | None) -> list[dict[str, Any]]:
    """All records of a domain."""
    by_kind = {check.record.kind: check for check in checks or []}
    return [shown(record, by_kind.get(record.kind)) for record in records]
