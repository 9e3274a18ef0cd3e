"""The web application: the API, Google's way back, and the pages."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailroom_console.access import signin
from mailroom_console.addresses import google
from mailroom_console.api.application import PROBLEM_TYPE

from .api import build_api
from .context import Console
from .pages import mount
from .problems import Problem

LARGEST_BODY = 40_000_000  # 25 MB of attachments in base64, and the text


def build(console: Console) -> FastAPI:
    """Everything that answers on the console's port."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.console = console
    app.mount("/api/v1", build_api(console))

    @app.get("/oauth/google/callback")
    async def google_callback(request: Request) -> RedirectResponse:
        """Where Google sends the browser back to. Whoever comes must be the one who left: the state says who."""
        try:
            session = await signin.principal_of(console, request.cookies.get(signin.COOKIE, ""))
            address_id = await google.returned(console, dict(request.query_params), session)
        except Problem as problem:
            return RedirectResponse(f"/addresses?{urlencode({'oauth_error': problem.detail})}", 303)
        return RedirectResponse(f"/addresses?{urlencode({'connected': address_id})}", 303)

    mount(app, console)
    app.add_middleware(BodyLimit)
    return app


class BodyLimit:
    """Refuses bodies that are too large before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not (length.isascii() and length.isdigit()) or int(length) > LARGEST_BODY:
            await _refuse(send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                # a body without a length that goes on for ever: as if the client had gone
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, counted, send)


async def _refuse(send: Send) -> None:
    body = b'{"type":"about:blank","title":"Too large","status":413,"code":"too_large","detail":"The request is too large."}'
    headers = [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
