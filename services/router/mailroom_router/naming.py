"""What a mail names tickets by, and what the index answers to each. Pure."""

from __future__ import annotations

from typing import Any

from .conversation import Clues, Known
from .packed import split, unpacked

KindAndName = tuple[str, str]


def three(place: str) -> tuple[str, str, str]:
    """Portal, queue and address of a place."""
    portal, queue, address = place.split("|", 2)
    return portal, queue, address


def named_by(clues: Clues) -> list[KindAndName]:
    """What the mail names tickets by, with a letter for its kind."""
    return [
        *(("m", reference) for reference in clues.references),
        *(("n", number) for number in clues.numbers),
        *(("g", thread) for thread in (clues.thread,) if thread),
        *(("d", number) for number in clues.their_numbers),
    ]


def tickets_in(answer: Any) -> list[str]:
    """The tickets that `FIND` found under one name, in order."""
    if isinstance(answer, bytes):
        return sorted(split(answer))
    if isinstance(answer, list):
        inline, more = answer
        return sorted([*split(inline), *map(unpacked, more)])
    return []


def tell(known: Known, kind: str, name: str, tickets: list[str]) -> None:
    """Put what was found under a name where it belongs."""
    match kind:
        case "m":
            known.references[name] = tickets
        case "n":
            known.numbers[name] = tickets
        case "g":
            known.thread = tickets
        case _:
            known.their_numbers[name] = tickets
