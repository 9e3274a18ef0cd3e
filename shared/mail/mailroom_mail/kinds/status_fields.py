"""The fields of delivery reports and disposition notifications (RFC 3464, RFC 8098), as they stand there. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\U0010ffff-]{1,64}@[A-Za-z0-9\x80-\U0010ffff][A-Za-z0-9.\x80-\U0010ffff-]{0,253}"
)
FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)")
_STATUS = re.compile(r"([245](?<![\d.].)\.\d{1,3}\.\d{1,3})(?![\d.])")
_ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")
_STATED = frozenset(("final-recipient", "original-recipient", "status", "action"))
_ANGLED = re.compile(r"<([^<>\s]{3,900})>")


@dataclass(frozen=True, slots=True)
class StatedRecipient:
    """One group of recipient fields: who by which field, and what was stated. `action` is one of RFC 3464's."""

    addresses: tuple[str, ...]  # Original-Recipient before Final-Recipient
    action: str
    status: str | None = None
    diagnostic: str | None = None
    retried_until: str | None = None

    def recipient(self, ours: Collection[str]) -> str:
        """The address that the returned mail had (`ours`, lower-case), else the first one stated."""
        found = next((one for one in self.addresses if one.lower() in ours), None)
        return found or next(iter(self.addresses), "")


def groups(text: str) -> list[dict[str, str]]:
    """Field groups between blank lines, unfolded, names lower-case (RFC 3464 section 2.1)."""
    found: list[dict[str, str]] = [{}]
    last = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:5000]:
        if not line.strip():
            if found[-1]:
                found.append({})
            last = ""
        elif line[0] in " \t":
            if last and len(found[-1][last]) < 4000:
                found[-1][last] += " " + line.strip()
        elif (field := FIELD.match(line)) is not None:
            last = field.group(1).lower()
            found[-1].setdefault(last, field.group(2).strip())
        elif last and len(found[-1][last]) < 4000:
            found[-1][last] += " " + line.strip()  # broken folding, as Exchange 5 and others write it
    return found


def status_recipients(text: str) -> list[StatedRecipient]:
    """The recipients of a delivery-status part, one per group that names one or says how it ended."""
    found: list[StatedRecipient] = []
    for group in groups(text):
        if _STATED.isdisjoint(group):
            continue
        diagnostic = group.get("diagnostic-code") or group.get("x-supplementary-info") or None
        stated = _STATUS.search(group.get("status", ""))
        status = stated.group(1) if stated is not None else None
        action = re.split(r"[\s(;]", group.get("action", "").lower().strip(), maxsplit=1)[0]
        if action not in _ACTIONS:
            # Some write "failure", "expired" or nothing at all; the status then decides.
            late = (status or "").startswith("4") and action.startswith(("delay", "defer", "tempor"))
            action = "delivered" if (status or "").startswith("2") else "delayed" if late else "failed"
        found.append(StatedRecipient(_addresses(group), action, status, diagnostic, group.get("will-retry-until")))
    return found


def receipt_recipient(text: str) -> StatedRecipient | None:
    """Whom a disposition notification speaks of (RFC 8098 section 3.2), as a failure; None where it names nobody."""
    for group in groups(text):
        if addresses := _addresses(group):
            return StatedRecipient(addresses, "failed")
    return None


def receipt_ids(text: str) -> tuple[str, ...]:
    """The Message-IDs that a disposition notification is about (RFC 8098 section 3.2.5), without brackets."""
    found = [group["original-message-id"] for group in groups(text) if "original-message-id" in group]
    return tuple(i for value in found for i in (_ANGLED.findall(value) or [value.strip()]) if i)[:5]


def _addresses(group: dict[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        value = group.get(name, "")
        address = value.partition(";")[2] if ";" in value else value
        matched = ADDRESS.search(address)
        if (said := matched.group(0) if matched is not None else address.strip(" <>")) != "":
            found.setdefault(said)
    # a name without an @ says less than any address
    return tuple(sorted(found, key=lambda one: "@" not in one))
