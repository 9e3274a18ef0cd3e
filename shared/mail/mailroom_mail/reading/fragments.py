"""Pieces of one mail that was sent in several (message/partial, RFC 2046 section 5.2.2): told in words, and put together again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .model import Mail

KIND = "message/partial"
MAX_PIECES = 100
MAX_BYTES = 50 << 20  # of all pieces together
_HEADER_END = re.compile(rb"\n\r?\n")
# Fields that the whole mail takes from within the first piece; all others are those of the piece itself (section 5.2.2.1).
_FROM_WITHIN = re.compile(rb"(?:content-[!-9;-~]*|subject|message-id|encrypted|mime-version)[ \t]*:", re.IGNORECASE)
_USABLE_ID = re.compile(r"[!-;=?-~]{1,200}@[!-;=?-~]{1,200}")


class Piece(NamedTuple):
    """Which piece of which mail: `total` is 0 where this one does not say how many there are."""

    id: str
    number: int
    total: int


def piece_of(parameters: Mapping[str, str]) -> Piece | None:
    """What the parameters of a message/partial say; None where they do not make a piece of a mail that can be joined."""
    number, total, name = parameters.get("number", ""), parameters.get("total", ""), parameters.get("id", "").strip()
    if not name or not (number.isascii() and number.isdecimal()) or len(number) > 4 or len(total) > 4:
        return None
    count = int(total) if total.isascii() and total.isdecimal() else 0
    piece = Piece(name[:500], int(number), count)
    return piece if piece.number > 0 and (not count or piece.number <= count) else None


def words(parameters: Mapping[str, str]) -> str:
    """What a reader sees of one piece; "" where it does not say which it is."""
    piece = piece_of(parameters)
    if piece is None:
        return ""
    of = f" of {piece.total}" if piece.total else ""
    return f"This is part {piece.number}{of} of a message that was sent in pieces.\nIt can be read once all of them have arrived.\n"


def reference(parameters: Mapping[str, str]) -> str:
    """The id that all pieces share, as a message id that keeps them in one conversation; "" where it is none."""
    piece = piece_of(parameters)
    if piece is None:
        return ""
    name = piece.id.strip("<>")
    if _USABLE_ID.fullmatch(name):
        return name
    return f"{hashlib.blake2b(name.encode('utf-8', 'replace'), digest_size=16).hexdigest()}@pieces.invalid"


def key(mail: Mail, piece: Piece, mail_from: str) -> str:
    """Under what the pieces of one mail are kept: its id and who sent it, so that nobody adds a piece to another's mail."""
    author = mail.from_.email.lower() if mail.from_ else ""
    digest = hashlib.blake2b(
        "\0".join((piece.id, author, mail_from.lower())).encode("utf-8", "replace"), digest_size=16
    )
    return digest.hexdigest()


def join(pieces: Sequence[bytes], shared: str) -> bytes:
    """The whole mail out of all its pieces, in order (section 5.2.2.1); `shared` is the id that they have in common."""
    outer, body = _apart(pieces[0])
    inner, start = _apart(body)
    fields = [one for one in _fields(outer) if not _FROM_WITHIN.match(one)] + [
        one for one in _fields(inner) if _FROM_WITHIN.match(one)
    ]
    if not any(one[:11].lower() == b"references:" for one in fields):
        fields.append(b"References: <" + shared.encode("ascii", "replace") + b">\r\n")
    rest = [_apart(piece)[1] for piece in pieces[1:]]
    return (
        b"".join(fields) + b"\r\n" + b"".join([one if one.endswith(b"\n") else one + b"\r\n" for one in (start, *rest)])
    )


def _apart(entity: bytes) -> tuple[bytes, bytes]:
    if entity.startswith((b"\n", b"\r\n")):
        return b"", entity.lstrip(b"\r\n")
    found = _HEADER_END.search(entity)
    return (entity, b"") if found is None else (entity[: found.start() + 1], entity[found.end() :])


def _fields(header: bytes) -> list[bytes]:
    """Each field with its continuation lines."""
    found: list[list[bytes]] = []
    for line in header.splitlines(keepends=True):
        if line[:1] in (b" ", b"\t") and found:
            found[-1].append(line)
        else:
            found.append([line])
    return [b"".join(lines) for lines in found]
