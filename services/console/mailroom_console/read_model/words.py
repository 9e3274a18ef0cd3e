"""Words as full-text search compares them. Pure."""

from __future__ import annotations

import unicodedata


def search_terms(q: str) -> list[str]:
    """The words of a search; each must be found, the last letters of one may be missing."""
    words: list[str] = []
    for part in q.split()[:12]:
        word = "".join(c if c.isalnum() else " " for c in part)
        words += [w for w in word.split() if w][:6]
    return words[:20]


def plain_words(text: str) -> str:
    """Letters and digits only, lower case, without accents: what FTS5 does by itself and PostgreSQL does not."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if c.isalnum() else " " for c in bare.lower())
