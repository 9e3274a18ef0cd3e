"""Short ticket numbers for people: derived from the ticket id, with a check character."""

from __future__ import annotations

import hashlib
import re

# Crockford's base 32: no I, L, O, U, so that a number read aloud or typed from paper survives.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {char: index for index, char in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_IN_SUBJECT = re.compile(r"(?<![0-9A-Za-z])MR-([0-9A-Za-z]{8})(?![0-9A-Za-z])", re.IGNORECASE)
_DIGITS = 7


def _times_alpha(value: int) -> int:
    value <<= 1
    return value ^ 0b100101 if value & 32 else value  # GF(32) with x^5 + x^2 + 1


def _check(values: list[int]) -> int:
    """A check value over GF(32): every single wrong character and every swap of two unlike ones changes it."""
    total = 0
    for value in values:
        total = _times_alpha(total ^ value)
    return total


def ticket_number(ticket_id: str) -> str:
    """The number people see for a ticket id, e.g. `MR-7K3F9Q2X`: 35 bits of digest and one check character."""
    bits = int.from_bytes(hashlib.blake2b(ticket_id.encode(), digest_size=5, person=b"ticket-number").digest(), "big")
    values = [bits >> (5 * position) & 31 for position in range(_DIGITS)]
    return "MR-" + "".join(_ALPHABET[value] for value in (*values, _check(values)))


def subject_tag(ticket_id: str) -> str:
    """The number as it stands in a subject: `[#MR-7K3F9Q2X]`."""
    return f"[#{ticket_number(ticket_id)}]"


def numbers_in_subject(subject: str) -> tuple[str, ...]:
    """Every ticket number in a subject whose check character holds, as `MR-XXXXXXXX`, first first, each once."""
    found: dict[str, None] = {}
    for match in _IN_SUBJECT.finditer(subject):
        values = [_VALUE.get(char, -1) for char in match.group(1).upper()]
        if -1 not in values and _check(values[:_DIGITS]) == values[_DIGITS]:
            found.setdefault("MR-" + "".join(_ALPHABET[value] for value in values))
    return tuple(found)


# What other desks put in brackets before a subject: "[rt.example #4]", "[Ticket#2026113010000034]", "[sup-2]", "[issue1]".
# A word with a sign and a number, a longer word that ends in one, or a long number; not "[2026]", "[Q3 2026]",
# "[EXTERNAL]", "[v2]" or "[1/3]", which name no ticket.
_THEIRS = re.compile(
    r"\[ {0,3}("
    r"[^\W\d_][\w.-]{0,40} {0,2}[#:№-] {0,2}[0-9]{1,24}"
    r"|[^\W\d_]{4,40}(?:(?! (?:19|20)[0-9]{2} {0,3}\]) )?[0-9]{1,24}"
    r"|[#№] {0,2}[\w-]{0,20}[0-9]{1,24}"
    r"|[0-9]{5,24}"
    r") {0,3}\]"
)
_MOST_THEIRS = 3


def their_numbers(subject: str) -> tuple[str, ...]:
    """The bracketed numbers of other desks in a subject, lower-case and without spaces, first first; not our own."""
    found: dict[str, None] = {}
    for match in _THEIRS.finditer(subject[:1000]):
        tag = match.group(1).replace(" ", "").lower()
        if _IN_SUBJECT.search(tag) is None:
            found.setdefault(tag)
    return tuple(found)[:_MOST_THEIRS]
