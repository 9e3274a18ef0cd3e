"""What lists show of a message, and what searching finds it by. Pure."""

from __future__ import annotations

from mailroom_contracts import TicketMessage

SEARCHED_CHARACTERS = 4000
TELLING = ("mail", "reply", "external_reply")  # kinds whose text lists show


def excerpt(text: str) -> str:
    """What lists show of a ticket's last mail."""
    return " ".join(text[:400].split())[:160]


def searched(message: TicketMessage) -> list[str]:
    """What a ticket is found by of a message."""
    if message.kind == "auto_reply":
        return []  # every ticket has the same words in it: to find it by them helps nobody
    found = [(message.reply_text or message.text)[:SEARCHED_CHARACTERS]]
    if message.from_ is not None and message.direction == "in":
        found += [message.from_.email, message.from_.name]
    return found + [a.filename for a in message.attachments if a.filename and not a.inline]
