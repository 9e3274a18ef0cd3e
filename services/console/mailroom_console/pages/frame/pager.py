"""Long lists in parts: a page shows so many of a list, and links to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from .visit import Visit

T = TypeVar("T")
PART = 100


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """The items that are shown, with the addresses of what stands before and behind them; None where nothing does."""

    items: Sequence[T]
    before: str | None
    behind: str | None


def part_of(visit: Visit, items: Sequence[T], name: str = "from", size: int = PART) -> Part[T]:
    """The part of a list that the page's address asks for by the parameter `name`: how many are skipped. Other
    parameters stay as they are."""
    begin = min(visit.number_asked(name), max(0, len(items) - 1) // size * size)

    def link(skipped: int) -> str:
        values = {**visit.request.query_params, name: str(skipped) if skipped else ""}
        return f"{visit.request.url.path}?{urlencode({k: v for k, v in values.items() if v})}"

    return Part(
        items[begin : begin + size],
        link(max(0, begin - size)) if begin else None,
        link(begin + size) if begin + size < len(items) else None,
    )
