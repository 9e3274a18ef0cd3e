"""The web application: the API, Google's way back, and the pages."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import HTTPConnection

from mailroom_console.access import signin
from mailroom_console.addresses import finishing, google, sign_ins

from .api import build_api, security
from .body_limits import BodyLimit
from .context import Console
from .pages.mounting import mount
from .problems import Problem


def build(console: Console) -> FastAPI:
    """Everything that answers on the console's port."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.console = console
    app.mount("/api/v1", build_api(console))

    @app.get("/oauth/{provider}/callback")
    async def oauth_callback(provider: str, request: Request) -> RedirectResponse:
        """Where a provider sends the browser back to. Whoever comes must be the one who left: the state says who."""
        params = dict(request.query_params)
        try:
            session = await signin.principal_of(console, request.cookies.get(signin.COOKIE, ""))
            if provider == "google" and not await sign_ins.is_ours(console, params.get("state", "")):
                address_id = await google.returned(console, params, session)
            else:
                back = await sign_ins.returned(console, provider, params, session)
                if back.problem is not None:
                    query = urlencode({"oauth_error": back.problem.detail, "draft": back.draft})
                    return RedirectResponse(f"/addresses/{back.address_id or 'add/smtp'}?{query}", 303)
                address_id = back.address_id or ""
        except Problem as problem:
            if problem.code == finishing.SIGN_IN_FIRST:
                here = f"{request.url.path}?{urlencode(params)}"
                return RedirectResponse(f"/sign-in?{urlencode({'next': here})}", 303)
            return RedirectResponse(f"/addresses?{urlencode({'oauth_error': problem.detail})}", 303)
        return RedirectResponse(f"/addresses?{urlencode({'connected': address_id})}", 303)

    mount(app, console)

    async def known(connection: HTTPConnection) -> bool:
        """Whether it carries a token or a session; what it may do is looked at later."""
        try:
            return await security.caller_of(console, connection) is not None
        except (DBAPIError, PoolTimeout):
            return False

    app.add_middleware(BodyLimit, known=known, upload_limit=console.settings.upload_limit_bytes)
    return app
