"""Where the latest state of each ticket of a partition lies in the topic `tickets`, so that a worker can begin without it.

A directory says of every offset below `to`: whoever has a state there, and which is the latest. Compaction keeps the
latest record of a key with its offset, so what is written in it stays true: a later state lies at `to` or above, where
whoever uses a directory reads the topic itself. Pure.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

PARTS = 16
"""Parts of a directory, by the first four bits of a ticket's mark."""
DRAWERS = 1024
"""Parts of it on disk, by the first ten."""
_ENTRY = struct.Struct(">16sHI")  # mark; 48 bits: offset, waits, gone
ENTRY_BYTES = _ENTRY.size
_WAITS, _GONE = 2, 1
_HEX = re.compile(r"[0-9a-f]{32}")
_HEAD = struct.Struct(f">BQ{PARTS}I{PARTS}I")
_FORM = 1


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a ticket's state lies; `waits`: for an agent, or until a time."""

    offset: int
    waits: bool = False


def mark(ticket: str) -> bytes:
    """What a ticket is known by: its id in 16 bytes, where it is a digest (others are in tests only)."""
    return bytes.fromhex(ticket) if _HEX.fullmatch(ticket) else blake2b(ticket.encode(), digest_size=16).digest()


def part(ticket_mark: bytes) -> int:
    return ticket_mark[0] >> 4


def drawer(ticket_mark: bytes) -> int:
    return ticket_mark[0] << 2 | ticket_mark[1] >> 6


def entry(ticket_mark: bytes, spot: Spot | None, offset: int = 0) -> bytes:
    """A line of a directory; `spot` None: at `offset` the ticket was erased."""
    word = (offset << 2 | _GONE) if spot is None else spot.offset << 2 | (_WAITS if spot.waits else 0)
    return _ENTRY.pack(ticket_mark, word >> 32, word & 0xFFFFFFFF)


def entries(data: bytes) -> dict[bytes, bytes]:
    """The lines that count, by mark: of each ticket the last, and none of one that is gone."""
    size = ENTRY_BYTES
    found = {data[at : at + 16]: data[at : at + size] for at in range(0, len(data), size)}
    return {one: line for one, line in found.items() if not is_gone(line)}


def spot_of(line: bytes) -> Spot:
    """What a line says."""
    _, high, low = _ENTRY.unpack(line)
    word = high << 32 | low
    return Spot(word >> 2, bool(word & _WAITS))


def is_gone(line: bytes) -> bool:
    """Whether a line says that the ticket was erased."""
    return bool(line[-1] & _GONE)


def find(lines: bytes, ticket_mark: bytes) -> bytes | None:
    """A ticket's line among others."""
    at = lines.find(ticket_mark)
    while at >= 0 and at % ENTRY_BYTES:
        at = lines.find(ticket_mark, at + 1)
    return lines[at : at + ENTRY_BYTES] if at >= 0 else None


def waiting(lines: bytes) -> Iterator[bytes]:
    """The lines of tickets that wait."""
    for at, last in enumerate(lines[ENTRY_BYTES - 1 :: ENTRY_BYTES]):
        if last & _WAITS:
            yield lines[at * ENTRY_BYTES : (at + 1) * ENTRY_BYTES]


@dataclass(frozen=True, slots=True)
class Head:
    """What belongs to a directory: up to which offset it goes, how long each part is, and was when it was tidied."""

    to: int = 0
    sizes: tuple[int, ...] = (0,) * PARTS
    tidied: tuple[int, ...] = (0,) * PARTS

    def encoded(self) -> bytes:
        return _HEAD.pack(_FORM, self.to, *self.sizes, *self.tidied)

    @classmethod
    def decoded(cls, data: bytes | None) -> Head | None:
        """None for what is not there, or of another form."""
        if data is None or len(data) != _HEAD.size or data[0] != _FORM:
            return None
        _, to, *sizes = _HEAD.unpack(data)
        return cls(to, tuple(sizes[:PARTS]), tuple(sizes[PARTS:]))

    def after(self, to: int, more: Mapping[int, bytes]) -> Head:
        """With these lines added."""
        sizes = tuple(size + len(more.get(number, b"")) for number, size in enumerate(self.sizes))
        return Head(to, sizes, self.tidied)

    def tidy(self, number: int, size: int) -> Head:
        """With one part written anew."""
        sizes = (*self.sizes[:number], size, *self.sizes[number + 1 :])
        return Head(self.to, sizes, (*self.tidied[:number], size, *self.tidied[number + 1 :]))

    def untidy(self, least: int) -> list[int]:
        """Parts of which half may be lines that do not count any more."""
        return [n for n, size in enumerate(self.sizes) if size > 2 * self.tidied[n] + least * ENTRY_BYTES]


@dataclass(slots=True)
class Lines:
    """Lines that are gathered as the topic is read, by part, in the order of their offsets."""

    parts: dict[int, bytearray] = field(default_factory=dict)
    count: int = 0

    def note(self, ticket: str, offset: int, *, waits: bool, gone: bool) -> None:
        """At this offset a ticket has this state (`gone`: it is erased)."""
        one = mark(ticket)
        line = entry(one, None if gone else Spot(offset, waits), offset)
        self.parts.setdefault(part(one), bytearray()).extend(line)
        self.count += 1

    def take(self) -> dict[int, bytes]:
        """What was gathered, which begins anew."""
        found = {number: bytes(lines) for number, lines in self.parts.items()}
        self.parts.clear()
        self.count = 0
        return found


def by_drawer(lines: Iterable[bytes]) -> dict[int, bytes]:
    """Lines as they lie on disk."""
    found: dict[int, list[bytes]] = {}
    for line in lines:
        found.setdefault(drawer(line), []).append(line)
    return {number: b"".join(some) for number, some in found.items()}
