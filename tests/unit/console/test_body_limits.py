"""Bodies of requests: nobody unknown makes the console read more than 64 kB, on any of its routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import FastAPI
from mailroom_console import web
from mailroom_console.access import signin, tokens
from mailroom_console.body_limits import PLAIN, UNKNOWN, limit
from mailroom_console.context import Console
from mailroom_console.principals import ADMIN, READ, Principal
from mailroom_console.storage.database import Database
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.types import Message

UPLOADS = 25_000_000


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The whole web application on an empty database; what lies behind it is not reached by anybody unknown."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'console.db'}")
    await database.migrate()
    settings = SimpleNamespace(upload_limit_bytes=UPLOADS, secure=False, url="http://127.0.0.1")
    console = SimpleNamespace(settings=settings, database=database, now=lambda: 0, clock=lambda: None)
    yield web.build(cast(Console, console))
    await database.close()


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every route that takes a body: method and path."""
    for route in app.routes:
        if isinstance(route, Mount):
            for path, methods in cast(FastAPI, route.app).openapi()["paths"].items():
                yield from ((method.upper(), route.path + path) for method in methods if method != "get")
        else:
            yield from ((m, route.path) for m in getattr(route, "methods", ()) if m not in ("GET", "HEAD"))  # type: ignore[attr-defined]


class Exchange:
    """One request at the application's door: how much of its body was asked for, and what was answered."""

    def __init__(self, method: str, path: str, *, size: int, said: bool, kind: bytes, **headers: str) -> None:
        self.left, self.read, self.sent = size, 0, list[Message]()
        fields = [(b"content-type", kind), *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())]
        if said:
            fields.append((b"content-length", str(size).encode()))
        self.scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": fields,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip

    async def receive(self) -> Message:
        piece = min(self.left, 16_384)
        self.left -= piece
        self.read += piece
        return {"type": "http.request", "body": b"[" * piece, "more_body": self.left > 0}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        starts = [message for message in self.sent if message["type"] == "http.response.start"]
        assert len(starts) == 1
        return int(starts[0]["status"])


@pytest.mark.parametrize("said", [True, False], ids=["with a length", "without"])
@pytest.mark.parametrize("kind", [b"application/json", b"multipart/form-data; boundary=x",
                                  b"application/x-www-form-urlencoded"])  # fmt: skip
async def test_nobody_unknown_is_read_for_long(app: FastAPI, said: bool, kind: bytes) -> None:
    found = list(routes(app))
    assert len(found) > 60
    for method, path in found:
        for more in ({}, {"authorization": "Bearer mr_wrong"}, {"cookie": "mailroom_session=wrong"}):
            exchange = Exchange(
                method, path.replace("{", "").replace("}", ""), size=40_000_000, said=said, kind=kind, **more
            )
            await app(exchange.scope, exchange.receive, exchange.send)
            assert exchange.read <= (0 if said else UNKNOWN + 16_384), (method, path)
            if said:
                assert exchange.status == 413, (method, path)
            else:  # some routes answer before they read
                assert 300 <= exchange.status < 500, (method, path, exchange.status)


@pytest.mark.parametrize(
    ("method", "path", "kind", "expected"),
    [
        ("POST", "/api/v1/session", "application/json", PLAIN),
        ("POST", "/api/v1/tickets/x/replies", "application/json", UPLOADS // 3 * 4 + 4 + PLAIN),
        ("POST", "/api/v1/attachments", "multipart/form-data; boundary=x", UPLOADS + PLAIN),
        ("PATCH", "/api/v1/addresses/x", "application/json", PLAIN),
        ("DELETE", "/api/v1/addresses/x", "application/json", UNKNOWN),
        ("POST", "/tickets/x/reply", "multipart/form-data; boundary=x", UPLOADS + 2 * PLAIN),
        ("POST", "/tickets/x/note", "application/x-www-form-urlencoded", 2 * PLAIN),
        ("POST", "/api/v1/sessionx/replies", "application/json", PLAIN),
    ],
)
def test_known_callers_get_what_the_route_takes(method: str, path: str, kind: str, expected: int) -> None:
    assert limit(method, path, kind, UPLOADS) == expected


async def test_known_callers_are_read_up_to_the_limit(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    who = Principal(kind="token", id="t", portal_id="p", name="t", scopes=frozenset({READ, ADMIN}))

    async def known(*_: Any) -> Principal:
        return who

    monkeypatch.setattr(tokens, "principal_of", known)
    monkeypatch.setattr(signin, "principal_of", known)
    for said in (True, False):
        exchange = Exchange("POST", "/api/v1/tokens", size=5_000_000, said=said, kind=b"application/json",
                            authorization="Bearer mr_right")  # fmt: skip
        await app(exchange.scope, exchange.receive, exchange.send)
        assert exchange.status == 413
        assert exchange.read <= (0 if said else PLAIN + 16_384)


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from mailroom_console import body_limits

    monkeypatch.setattr(body_limits, "UNKNOWN_S", 0.05)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        answer: Response = PlainTextResponse("read")
        try:
            await Request(scope, receive).body()
        except ClientDisconnect:
            answer = PlainTextResponse("gone", 400)
        await answer(scope, receive, send)

    async def never(_: Any) -> bool:
        return False

    exchange = Exchange("POST", "/api/v1/session", size=1000, said=True, kind=b"application/json")

    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    await body_limits.BodyLimit(inner, known=never, upload_limit=1)(exchange.scope, nothing, exchange.send)
    assert exchange.status == 408
