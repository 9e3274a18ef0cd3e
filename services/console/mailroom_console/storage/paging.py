"""Lists by keys: a page names where the next one goes on, so no page costs more than the first."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from mailroom_console.languages import say
from mailroom_console.problems import Problem

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: list[dict[str, Any]]
    next: str | None = None

    def body(self) -> dict[str, Any]:
        """As the API answers it."""
        return {"items": self.items, "next": self.next}


def _bad_cursor() -> Problem:
    return Problem(400, "bad_cursor", say("`next` is not what an earlier page said."))


def cursor(*keys: str | int) -> str:
    """An opaque cursor that holds these keys."""
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


def keys_of(text: str, *kinds: type) -> list[Any]:
    """The keys in a cursor. Raises `Problem` 400 for one that was not made here."""
    try:
        keys = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        raise _bad_cursor() from None
    if not isinstance(keys, list) or len(keys) != len(kinds):
        raise _bad_cursor()
    for key, kind in zip(keys, kinds, strict=True):
        if type(key) is not kind or (isinstance(key, int) and abs(key) >= 2**63):
            raise _bad_cursor()
    return keys


def number_cursor(text: str) -> int:
    """A cursor that is a plain number."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise _bad_cursor()
    return int(text)


def search_cursor(stage: int, seq: int) -> str:
    """Where a search goes on: within whole words (0), beginnings (1) or those of addresses too (2), below
    this ticket."""
    return cursor(stage, seq)


def search_place(text: str) -> tuple[int, int]:
    """Stage and ticket of a search's cursor. Raises `Problem` 400."""
    stage, seq = keys_of(text, int, int)
    if stage not in (0, 1, 2):
        raise _bad_cursor()
    return stage, seq
