"""Under which Message-ID our mail goes on, where the accepting server's answer tells. Pure.

Some providers (Amazon SES and others) put an id of their own in place of ours and name it at the end of their `250`, with or
without its host. Answers then refer to that one alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOLD = re.compile(
    r"\b(?:ok|queued(?: as)?|accepted(?: as)?|id)[ :=]{1,3}<?([0-9A-Za-z][0-9A-Za-z._+=-]{15,120}(?:@[^\s<>@]{1,200})?)>?\s*\Z",
    re.IGNORECASE,
)
_LONG = 16  # characters of a local part that no two providers give by chance


def told_id(server_reply: str) -> str | None:
    """The Message-ID that an answer names: whole, or `LOCAL@` where it does not say the host."""
    found = _TOLD.search(server_reply[-400:].strip())
    if found is None or not any(character.isdigit() for character in found.group(1)):
        return None
    told = found.group(1)
    return told if "@" in told else f"{told}@"


def by_local_part(message_ids: Iterable[str]) -> list[str]:
    """Message-IDs as they are compared where only the local part was told: `LOCAL@`, of those long enough."""
    found = (i.rpartition("@")[0] for i in message_ids)
    return [f"{local}@" for local in found if len(local) >= _LONG and any(c.isdigit() for c in local)]
