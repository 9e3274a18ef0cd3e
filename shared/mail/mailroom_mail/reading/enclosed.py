"""Mails that hold another mail whole, which is the one that somebody wrote: wrapped by a list, reported by a filter. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .model import Mail
from .structure import Part

_SPAM_FIELDS = ("x-spam-flag", "x-spam-status")
# What servers on the way put on the outer mail; the rest of its header was made from the original's.
_TRACE = ("received", "return-path", "delivered-to", "x-original-to", "authentication-results", "received-spf")


def wrapped_post(root: Part) -> Part | None:
    """The one message within a list's mail that has nothing else but text (the list's words about it, its footer)."""
    if "list-id" not in root.first:
        return None
    if root.kind == "message/rfc822":
        return root
    if root.kind != "multipart/mixed":
        return None
    messages = [part for part in root.children if part.kind == "message/rfc822"]
    if len(messages) != 1 or messages[0].disposition.kind == "attachment":
        return None
    others = (part for part in root.children if part is not messages[0])
    if any(part.kind != "text/plain" or part.filename or part.disposition.kind == "attachment" for part in others):
        return None
    return messages[0]


def same_list(outer: Mail, inner: Mail) -> bool:
    """Whether the same list had both in hand: the inner one is a post of it, not a mail that somebody forwarded."""
    mine = outer.header("list-id")
    return mine is not None and " ".join(mine.split()) == " ".join((inner.header("list-id") or "").split())


def spam_original(root: Part) -> Part | None:
    """The original in a report of SpamAssassin (report_safe 1: a message; 2: the same as text)."""
    if root.kind != "multipart/mixed" or not any(
        root.first.get(name, "").strip().lower().startswith("yes") for name in _SPAM_FIELDS
    ):
        return None
    found = [part for part in root.children if part.parameters.get("x-spam-type", "").lower() == "original"]
    return found[0] if len(found) == 1 and found[0].kind in ("message/rfc822", "text/plain") else None


def trace(fields: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The fields of the outer mail that say how it came here and what the filter found."""
    return tuple((name, value) for name, value in fields if name.lower() in _TRACE or name.lower().startswith("x-spam"))
