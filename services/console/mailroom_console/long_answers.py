"""Answers that may be long, sent in pieces: making one of 25 MB at once would hold everybody else up for a tenth of a second."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import chain
from typing import Any

from starlette.responses import Response, StreamingResponse

PIECE = 256 * 1024  # characters or bytes: a millisecond


def in_pieces(pieces: Iterator[bytes], media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that these make together; the loop turns between them. A short one is an ordinary answer."""
    begun: list[bytes] = []
    length = 0
    for piece in pieces:
        begun.append(piece)
        length += len(piece)
        if length > PIECE:
            return StreamingResponse(_turning(chain([b"".join(begun)], pieces)), media_type=media_type, headers=headers)
    return Response(b"".join(begun), media_type=media_type, headers=headers)


async def _turning(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
            await asyncio.sleep(0)  # a client that reads fast never makes the server wait
    yield bytes(gathered)


def text(value: str) -> Iterator[bytes]:
    """A text in UTF-8."""
    for at in range(0, len(value), PIECE):
        yield value[at : at + PIECE].encode()


def source(content: bytes) -> Iterator[bytes]:
    """Bytes as a text in UTF-8; what is none is written out, as \\xff."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for at in range(0, len(content), PIECE):
        yield decoder.decode(content[at : at + PIECE], final=at + PIECE >= len(content)).encode()


def json_object(value: Mapping[str, Any]) -> Iterator[bytes]:
    """An object as JSON, its members and the entries of its lists one by one, long texts in pieces."""
    before = b"{"
    for name, member in value.items():
        yield before + _json(name) + b":"
        before = b","
        if isinstance(member, list):
            yield b"["
            for number, entry in enumerate(member):
                yield (b"," if number else b"") + _json(entry)
            yield b"]"
        elif isinstance(member, str):
            yield b'"'
            for at in range(0, len(member), PIECE):
                yield _json(member[at : at + PIECE])[1:-1]
            yield b'"'
        else:
            yield _json(member)
    yield b"}" if before == b"," else b"{}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
