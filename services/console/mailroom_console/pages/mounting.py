"""All pages, put into the application: routes, static files, security headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from mailroom_runtime.process.logs import get_logger
from starlette.responses import FileResponse, RedirectResponse, Response

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.pages.access import accounts, signing_in
from mailroom_console.pages.activity import activity_pages
from mailroom_console.pages.addresses import address_pages, connect_pages, google_pages, sign_in_pages
from mailroom_console.pages.frame import live_feed
from mailroom_console.pages.frame.headers import SecurityHeaders
from mailroom_console.pages.frame.rendering import EDITOR, static_files
from mailroom_console.pages.frame.site import Site
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.pages.people import agent_pages, forgetting_pages, queue_pages
from mailroom_console.pages.portals import portal_pages, removal_pages, tools_pages
from mailroom_console.pages.tickets import (
    here_pages,
    letters,
    listing,
    message_pages,
    pictures,
    preview_pages,
    shelf_pages,
    ticket_actions,
    ticket_pages,
)
from mailroom_console.problems import Problem

log = get_logger()
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def all_pages() -> list[Page]:
    """Every page route of the console."""
    modules = (
        signing_in, accounts, listing, letters, shelf_pages, ticket_pages, ticket_actions, here_pages, message_pages,
        preview_pages, pictures, connect_pages, sign_in_pages, google_pages, address_pages, queue_pages, agent_pages, activity_pages,
        portal_pages, tools_pages, removal_pages, forgetting_pages, live_feed,
    )  # fmt: skip
    return [page for module in modules for page in module.pages()]


def mount(app: FastAPI, console: Console) -> Site:
    """Add the pages to the application."""
    if not EDITOR.exists():
        log.warning("console.without_editor", path=str(EDITOR), reason="agents write plain text: the editor was not built; "
                    "install npm, run make editor, and start the console anew")  # fmt: skip
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
    raise Problem(404, "not_found", say("The address may be mistyped, or the thing was deleted."))


async def _home(request: Request) -> Response:
    return RedirectResponse("/tickets", 303)


_FILES = static_files()


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(say("There is no such file."), 404, media_type="text/plain")
    return FileResponse(
        _FILES[name], media_type=_TYPES[f".{name.rpartition('.')[2]}"],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )  # fmt: skip
