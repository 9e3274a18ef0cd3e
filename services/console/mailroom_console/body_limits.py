"""How much of a request is read: little from somebody unknown, from others what the route takes; never for ever.

It stands around everything else, so that nothing reads a body before it is known who sends it. Frameworks read and
decode a body first and ask for the credentials then: 40 MB of JSON cost 930 MiB of memory before the answer 401.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import PROBLEM_TYPE, Problem

UNKNOWN = 64_000  # bytes from a caller without a valid token or session
PLAIN = 1_000_000  # bytes of a form or a JSON body without files
UNKNOWN_S, KNOWN_S = 20.0, 600.0  # within which a body must have come

_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_API = "/api/v1/"
_API_FILES = re.compile(r"/api/v1/(?:tickets|tickets/[^/]+/(?:replies|notes|forward))/?")
_UPLOADS = re.compile(r"/api/v1/attachments/?")


def limit(method: str, path: str, content_type: str, upload_limit: int) -> int:
    """The most bytes that a known caller may send there; `upload_limit` is the largest sum of a message's files."""
    if method in _BODYLESS:
        return UNKNOWN
    if path.startswith(_API):
        if _UPLOADS.fullmatch(path):
            return upload_limit + PLAIN
        # files within JSON are base64 (RFC 4648): four characters for three bytes
        return -(-upload_limit // 3) * 4 + PLAIN if _API_FILES.fullmatch(path) else PLAIN
    return upload_limit + 2 * PLAIN if content_type.lower().startswith("multipart/form-data") else 2 * PLAIN


@dataclass(slots=True)
class _Reading:
    """How far a request's body has been read."""

    limit: int
    ends: float  # of the time that it has, on the loop's clock
    taken: int = 0
    known: bool = False
    over: tuple[int, bytes, str] | None = None  # why no more of it is read: status, answer, its type
    answered: bool = False


class BodyLimit:
    """Refuses bodies that are too large before they are read, and ends those that do not end."""

    def __init__(self, app: ASGIApp, *, known: Callable[[HTTPConnection], Awaitable[bool]], upload_limit: int) -> None:
        """`known`: whether a request carries a token or a session that is valid."""
        self._app, self._known, self._upload_limit = app, known, upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in (b"content-length", b"content-type")}
        length = headers.get(b"content-length", b"0")
        said = int(length) if length.isdigit() and len(length) < 16 else 1 << 60
        clock = asyncio.get_running_loop().time
        reading = _Reading(UNKNOWN, clock() + UNKNOWN_S)
        if said > UNKNOWN:
            await self._look(scope, headers, reading)
        if said > reading.limit:
            await _answer(send, *_too_large(scope, reading))
            return

        async def counted() -> Message:
            if reading.over is not None:
                return {"type": "http.disconnect"}
            try:
                async with asyncio.timeout_at(reading.ends):
                    message = await receive()
            except TimeoutError:
                reading.over = _answer_of(scope, 408, "timeout", "The request took too long.")
                return {"type": "http.disconnect"}
            if message["type"] != "http.request":
                return message
            reading.taken += len(message.get("body", b""))
            if reading.taken > reading.limit and not reading.known:
                await self._look(scope, headers, reading)
            if reading.taken > reading.limit:
                reading.over = _too_large(scope, reading)
                return {"type": "http.disconnect"}
            if not message.get("more_body", False):
                reading.ends = float("inf")  # what follows is the connection's end, which may come in an hour
            return message

        async def sent(message: Message) -> None:
            if reading.over is None:
                reading.answered = True
                await send(message)
            elif not reading.answered:  # whatever the application makes of a body that broke off
                reading.answered = True
                await _answer(send, *reading.over)

        try:
            await self._app(scope, counted, sent)
        except ClientDisconnect:
            if reading.over is None:
                raise
            if not reading.answered:
                await _answer(send, *reading.over)

    async def _look(self, scope: Scope, headers: dict[bytes, bytes], reading: _Reading) -> None:
        """Set the limit that is the caller's."""
        reading.known = await self._known(HTTPConnection(scope))
        if reading.known:
            kind = headers.get(b"content-type", b"").decode("latin-1")
            reading.limit = limit(scope["method"], scope["path"], kind, self._upload_limit)
            reading.ends += KNOWN_S - UNKNOWN_S


def _too_large(scope: Scope, reading: _Reading) -> tuple[int, bytes, str]:
    told = "The request is too large."
    if reading.known and reading.limit >= PLAIN:
        told = f"That is more than {reading.limit // 1_000_000} MB. Send fewer or smaller files."
    elif not reading.known:
        told = "The request is too large for somebody who is not signed in. Sign in, or send an API token."
    return _answer_of(scope, 413, "too_large", told)


def _answer_of(scope: Scope, status: int, code: str, told: str) -> tuple[int, bytes, str]:
    if scope["path"].startswith(_API):
        return status, json.dumps(Problem(status, code, told).body()).encode(), PROBLEM_TYPE
    # what was written is still in the page before: a browser keeps it
    return status, f"{told} Go back, change it, and send it again.".encode(), "text/plain; charset=utf-8"


async def _answer(send: Send, status: int, body: bytes, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode()),
               (b"cache-control", b"no-store"), (b"connection", b"close")]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
