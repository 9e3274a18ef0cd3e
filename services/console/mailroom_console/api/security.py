"""Who asks: a bearer token, or the session cookie of a page (with its CSRF token for writes)."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from mailroom_console.access import signin, tokens
from mailroom_console.context import Console
from mailroom_console.principals import Principal
from mailroom_console.problems import Problem

SAFE = ("GET", "HEAD", "OPTIONS")
WITHOUT_OWN_PASSWORD = ("password", "session", "me")


def console_of(request: Request) -> Console:
    """The console that this application was built for."""
    console: Console = request.app.state.console
    return console


async def caller_of(console: Console, connection: HTTPConnection) -> Principal | None:
    """Whom the token stands for, or where none is sent the session; None for nobody."""
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if scheme:
        return await tokens.principal_of(console, secret.strip()) if scheme.lower() == "bearer" else None
    return await signin.principal_of(console, connection.cookies.get(signin.COOKIE, ""))


async def principal_of(request: Request) -> Principal:
    """Raises `Problem` 401 for nobody, 403 `csrf` for a session's write without its token."""
    principal = await caller_of(console_of(request), request)
    by_token = bool(request.headers.get("authorization"))
    if principal is None:
        told = "The API token is not valid." if by_token else "Send an API token: Authorization: Bearer …"
        raise Problem(401, "unauthorized", told)
    if (
        not by_token
        and request.method not in SAFE
        and not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), principal.csrf.encode())
    ):
        raise Problem(403, "csrf", "The request does not carry this session's X-CSRF-Token.")
    if principal.must_change and request.url.path.rpartition("/")[2] not in WITHOUT_OWN_PASSWORD:
        raise Problem(403, "password_change_required", "Choose your own password first: POST /password.")
    return principal


ConsoleDep = Annotated[Console, Depends(console_of)]
PrincipalDep = Annotated[Principal, Depends(principal_of)]
