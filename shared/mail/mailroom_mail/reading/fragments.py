"""Pieces of one mail that was sent in several (message/partial, RFC 2046 section 5.2.2): told in words, and put together again."""

from __future__ import annotations

from collections.abc import Mapping

MAX_PIECES = 100


def words(parameters: Mapping[str, str]) -> str:
    """What a reader sees of one piece; "" where it does not say which it is."""
    number, total = parameters.get("number", ""), parameters.get("total", "")
    if not number.isdecimal() or not parameters.get("id"):
        return ""
    of = f" of {int(total)}" if total.isdecimal() and len(total) < 5 else ""
    return (
        f"This is part {int(number[:6])}{of} of a message that was sent in pieces.\n"
        "It can be read once all of them have arrived.\n"
    )
