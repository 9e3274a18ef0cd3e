"""DNS records as the portal's page shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailroom_console.languages import mark, say
from mailroom_console.portals.dns_records import Record
from mailroom_console.portals.mail_dns import Check

_WORDS = {
    "mx": (mark("Where mail goes"), mark("Without it, mail for the domain does not come to Mailroom.")),
    "spf": (mark("Who may send"), mark("Tells other servers that our mail for the domain is genuine (SPF).")),
    "dkim": (mark("Signature"), mark("Lets other servers check the signature on our mail (DKIM).")),
}
_STATES = {"right": ("good", mark("Right")), "missing": ("bad", mark("Missing")), "wrong": ("bad", mark("Not right")),
           "unknown": ("warn", mark("Could not be checked"))}  # fmt: skip


def shown(record: Record, check: Check | None = None) -> dict[str, Any]:
    """A record with its purpose, and with the check when it was made."""
    title, why = _WORDS[record.kind]
    tone, words = (
        _STATES[check.state] if check else ("", mark("Not checked yet") if record.value else mark("No key yet"))
    )
    return {
        "kind": record.kind, "type": record.type, "title": say(title), "why": say(why), "name": record.name,
        "value": record.value, "tone": tone, "words": say(words), "reason": check.reason if check else "",
        "found": list(check.found) if check else [],
    }  # fmt: skip


def both(records: Sequence[Record], checks: Sequence[Check] | None) -> list[dict[str, Any]]:
    """All records of a domain."""
    by_kind = {check.record.kind: check for check in checks or []}
    return [shown(record, by_kind.get(record.kind)) for record in records]
