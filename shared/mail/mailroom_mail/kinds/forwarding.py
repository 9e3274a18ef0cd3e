"""Who forwarded a mail, and for whom: the traces that servers and clients leave in its header. Pure."""

from __future__ import annotations

import re

from mailroom_mail.reading import addresses
from mailroom_mail.reading.model import Forwarded, Mailbox

# By what each says most: an address the mail was for before it came here, nearest statement first.
_TRACES = (
    ("x-forwarded-for", "X-Forwarded-For"),
    ("x-forwarded-to", "X-Forwarded-To"),
    ("resent-to", "Resent-To"),
    ("resent-cc", "Resent-Cc"),
    ("x-original-to", "X-Original-To"),
    ("delivered-to", "Delivered-To"),
    ("x-delivered-to", "X-Delivered-To"),
    ("envelope-to", "Envelope-To"),
    ("x-envelope-to", "X-Envelope-To"),
    ("apparently-to", "Apparently-To"),
)
_NAMES = frozenset(key for key, _ in _TRACES)
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,128}@[^\s<>,;:\"()\[\]]{1,255}")
_FOR = re.compile(r"\sfor\s+<?([^\s<>;()]{1,128}@[^\s<>;()]{1,255})")
_MOST = 100


def resent_from(fields: dict[str, list[str]]) -> Mailbox | None:
    """Who passed the mail on as it was, last (the topmost field: RFC 5322 section 3.6.6), or None."""
    for value in fields.get("resent-from", ())[:1]:
        if (boxes := addresses.parse(value[:2000], [])) and boxes[0].email:
            return boxes[0]
    return None


def traces(fields: dict[str, list[str]]) -> tuple[Forwarded, ...]:
    """Every trace of forwarding in the header (names lower-case), each (header, address) once; addresses as sent."""
    found: dict[tuple[str, str], None] = {}
    if not _NAMES.isdisjoint(fields):
        for key, name in _TRACES:
            for value in fields.get(key, ())[:_MOST]:
                for address in _ADDRESS.findall(value[:2000]):
                    found.setdefault((name, address))
    for value in fields.get("received", ())[:_MOST]:
        value = value[:2000]
        at = value.find("for", 1)
        while at > 0:  # to look at each white space takes longer than to look for the word
            if (match := _FOR.match(value, at - 1)) is not None:
                found.setdefault(("Received", match.group(1)))
                break
            at = value.find("for", at + 3)
    return tuple(Forwarded(header, address) for header, address in list(found)[:_MOST])
