"""Who asks: a bearer token, or the session cookie of a page (with its CSRF token for writes)."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request

from mailroom_console.access import signin, tokens
from mailroom_console.context import Console
from mailroom_console.principals import Principal
from mailroom_console.problems import Problem

SAFE = ("GET", "HEAD", "OPTIONS")


def console_of(request: Request) -> Console:
    """The console that this application was built for."""
    console: Console = request.app.state.console
    return console


async def principal_of(request: Request) -> Principal:
    """Raises `Problem` 401 for nobody, 403 `csrf` for a session's write without its token."""
    console = console_of(request)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        found = await tokens.principal_of(console, secret.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise Problem(401, "unauthorized", "The API token is not valid.")
        return found
    principal = await signin.principal_of(console, request.cookies.get(signin.COOKIE, ""))
    if principal is None:
        raise Problem(401, "unauthorized", "Send an API token: Authorization: Bearer …")
    if request.method not in SAFE and not hmac.compare_digest(
        request.headers.get("x-csrf-token", "").encode(), principal.csrf.encode()
    ):
        raise Problem(403, "csrf", "The request does not carry this session's X-CSRF-Token.")
    return principal


ConsoleDep = Annotated[Console, Depends(console_of)]
PrincipalDep = Annotated[Principal, Depends(principal_of)]
