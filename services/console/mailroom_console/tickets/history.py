"""The conversation as mails carry it: quoted below an answer, or forwarded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mailroom_contracts import Quote

MOST_QUOTES = 60
MOST_CHARACTERS = 200_000  # of all together; a command is one record of Kafka
LONGEST = 20_000
_OUTWARD = frozenset({"mail", "reply", "external_reply"})


def outward(documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What customer and company wrote to each other: no notes, no forwards and what came of them, nothing automatic."""
    return [
        d
        for d in documents
        if d.get("kind") in _OUTWARD and not d.get("third_party") and not d.get("copy_of") and not d.get("new_sender")
    ]


def quotes(documents: Sequence[dict[str, Any]], *, whole: bool) -> list[Quote]:
    """History, newest first, bounded. `whole`: each as it came; else what each person typed, so that nothing is in it
    twice."""
    found: list[Quote] = []
    left = MOST_CHARACTERS
    for d in reversed(documents):
        typed = "" if whole else (d.get("reply_text") or "")
        text = (typed or d.get("text") or "")[:LONGEST]
        html = d.get("html") if whole and len(d.get("html") or "") <= LONGEST else None
        left -= len(text) + len(html or "")
        if left < 0 or len(found) >= MOST_QUOTES:
            break
        found.append(
            Quote.model_validate(
                {
                    "from": d.get("from"), "to": d.get("to") or [], "cc": d.get("cc") or [],
                    "subject": d.get("subject") or "", "date": d.get("sent_at") or d.get("at"), "text": text, "html": html,
                    "text_ref": d.get("text_ref") if whole else None, "html_ref": d.get("html_ref") if whole else None,
                }
            )
        )  # fmt: skip
    return found
