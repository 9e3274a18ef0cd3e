"""All pages, put into the application: routes, static files, security headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from mailroom_console.context import Console
from mailroom_console.problems import Problem

from . import (
    accounts,
    activity_pages,
    address_pages,
    agent_pages,
    connect_pages,
    google_pages,
    live_feed,
    message_pages,
    portal_pages,
    queue_pages,
    signing_in,
    ticket_actions,
    ticket_pages,
)
from .headers import SecurityHeaders
from .rendering import STATIC
from .site import Site
from .visit import Page, Visit

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def all_pages() -> list[Page]:
    """Every page route of the console."""
    modules = (
        signing_in, accounts, ticket_pages, ticket_actions, message_pages, connect_pages, google_pages, address_pages,
        queue_pages, agent_pages, activity_pages, portal_pages, live_feed,
    )  # fmt: skip
    return [page for module in modules for page in module.pages()]


def mount(app: FastAPI, console: Console) -> Site:
    """Add the pages to the application."""
    site = Site(console)
    for page in all_pages():
        app.add_route(page.path, _endpoint(site, page), methods=[page.method], include_in_schema=False)
    app.add_route("/", _home, methods=["GET"], include_in_schema=False)
    app.add_route("/static/{version}/{name}", _static, methods=["GET"], include_in_schema=False)
    lost = Page("GET", "/{path:path}", _lost, None)
    app.add_route(lost.path, _endpoint(site, lost), methods=["GET"], include_in_schema=False)
    app.add_middleware(SecurityHeaders)
    return site


def _endpoint(site: Site, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await site.run(page, request)

    return endpoint


async def _lost(visit: Visit) -> Response:
    raise Problem(404, "not_found", "The address may be mistyped, or the thing was deleted.")


async def _home(request: Request) -> Response:
    return RedirectResponse("/tickets", 303)


_FILES = frozenset(file.name for file in STATIC.iterdir() if file.is_file())


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        return Response("There is no such file.", 404, media_type="text/plain")
    return FileResponse(
        STATIC / name, media_type=_TYPES[f".{name.rpartition('.')[2]}"],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )  # fmt: skip
