"""The HTML side of the console: sessions and CSRF checked in one place, the frame around every page, problems shown."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from mailroom_console.access import signin
from mailroom_console.context import Console
from mailroom_console.languages import chosen, mark, reading, say
from mailroom_console.problems import TITLES, Problem

from . import frame
from .activity_view import Watch
from .attention import Attention
from .once import Once, key_of
from .rendering import Renderer
from .visit import FLASH_COOKIE, Page, Visit, local

VISITOR_COOKIE = "mailroom_visitor"
WITHOUT_OWN_PASSWORD = ("/account", "/account/password", "/sign-in", "/sign-out", "/first-start")
_FORM_LIMIT = 2_000_000
_TITLES = {**TITLES, 403: mark("Not allowed"), 404: mark("There is nothing here")}


class Site:
    """Runs pages: finds the session, checks scope and CSRF token, shows problems as pages."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.renderer = Renderer()
        self.watch = Watch()
        self.attention = Attention()
        self._once = Once(time.monotonic)

    async def run(self, page: Page, request: Request) -> Response:
        """Answer one request."""
        visit = Visit(self.console, request, self.renderer, self.watch, self.show)
        visit.principal = await signin.principal_of(self.console, request.cookies.get(signin.COOKIE, ""))
        own = visit.principal.language if visit.principal is not None else ""
        with reading(chosen(own, request.headers.get("accept-language", ""))):
            return await self._answer(page, visit, request)

    async def _answer(self, page: Page, visit: Visit, request: Request) -> Response:
        try:
            if page.scope is not None and visit.principal is None:
                return self._to_sign_in(page, request)
            visit.csrf = visit.principal.csrf if visit.principal else visitor_token(request)
            if visit.principal is not None and page.scope is not None:
                visit.principal.require(page.scope)
            if visit.principal is not None and visit.principal.must_change and page.path not in WITHOUT_OWN_PASSWORD:
                return self._to_own_password(page)
            if page.method == "POST":
                visit.form = await _form(request, self.console.settings.upload_limit_bytes)
                if page.csrf:
                    _check_csrf(visit)
            answer = await self._done_once(page, visit)
        except Problem as problem:
            answer = await self._problem(page, visit, problem)
        if visit.principal is None and page.scope is None and not request.cookies.get(VISITOR_COOKIE) and visit.csrf:
            answer.set_cookie(VISITOR_COOKIE, visit.csrf, httponly=True, samesite="lax",
                              secure=self.console.settings.secure)  # fmt: skip
        return answer

    async def _done_once(self, page: Page, visit: Visit) -> Response:
        if page.method != "POST" or page.quick or visit.principal is None:
            return await page.handler(visit)

        async def work() -> tuple[Response, bool]:
            answer = await page.handler(visit)
            return answer, not visit.was_refused

        return await self._once.answer(
            key_of(visit.principal.session_id or "", visit.request.url.path, visit.form), work
        )

    async def show(
        self, visit: Visit, template: str, section: str, status: int, context: Mapping[str, Any]
    ) -> Response:
        """The page, in the frame for the one who asks."""
        values: dict[str, Any] = {"csrf": visit.csrf, "flashes": visit.flashes(), "me": None, "zone": visit.zone}
        if visit.principal is not None:
            values |= await frame.around(self.console, visit.principal, self.attention)
        values |= {"section": section, "view": "", "queue_id": "", "request": visit.request, **context}
        text = await asyncio.to_thread(self.renderer.text, template, values, self.console.clock())
        answer = Response(text, status, media_type="text/html", headers={"Cache-Control": "no-store"})
        if FLASH_COOKIE in visit.request.cookies and not live(visit.request):
            answer.delete_cookie(FLASH_COOKIE)
        return answer

    def _to_sign_in(self, page: Page, request: Request) -> Response:
        if page.quick:
            return JSONResponse({"text": say("Sign in first.")}, 401)
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        after = f"?next={quote(wanted, safe='')}" if page.method == "GET" and wanted != "/" else ""
        return RedirectResponse(f"/sign-in{after}", 303)

    def _to_own_password(self, page: Page) -> Response:
        if page.quick:
            return JSONResponse({"text": say("Choose your own password first.")}, 403)
        return RedirectResponse("/account", 303)

    async def _problem(self, page: Page, visit: Visit, problem: Problem) -> Response:
        if page.quick:
            return JSONResponse({"ok": False, "text": problem.detail, "code": problem.code}, problem.status)
        context = {"title": say(_TITLES.get(problem.status, mark("That did not work"))), "text": problem.detail,
                   "back": _came_from(visit.request), "back_text": say("Back")}  # fmt: skip
        return await self.show(visit, "error.html", "", problem.status, context)


def live(request: Request) -> bool:
    """Whether script asks for the page once more, to see what has changed."""
    return "x-mailroom-live" in request.headers


def visitor_token(request: Request) -> str:
    """The CSRF token of somebody who has no session yet: the same in cookie and form."""
    token = request.cookies.get(VISITOR_COOKIE, "")
    return token if 20 <= len(token) <= 100 and token.isascii() else secrets.token_urlsafe(24)


async def _form(request: Request, upload_limit: int) -> FormData:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    limit = upload_limit + 1_000_000 if kind == "multipart/form-data" else _FORM_LIMIT
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise Problem(411, "length_required", say("The request does not say how long it is."))
    if int(length) > limit:
        raise Problem(
            413, "too_large", say("That is more than {most} MB. Send fewer or smaller files.", most=limit // 1_000_000)
        )
    try:
        return await request.form(max_files=100, max_fields=500, max_part_size=limit)
    except MultiPartException as error:
        raise Problem(400, "bad_form", say("The form could not be read: {message}", message=error.message)) from error


def _check_csrf(visit: Visit) -> None:
    """The form's token must be the session's, and a browser must not say that another site sent it."""
    request = visit.request
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "csrf", say("This came from another site and was not carried out."))
    if visit.principal is None and request.cookies.get(VISITOR_COOKIE, "") != visit.csrf:
        raise Problem(403, "csrf", say("The page was open for too long. Load it again, then repeat."))
    if not hmac.compare_digest(visit.text("csrf").encode(), visit.csrf.encode()):
        raise Problem(403, "csrf", say("The page was open for too long. Load it again, then repeat."))


def _came_from(request: Request) -> str:
    """The page before, as a path of ours."""
    before = urlsplit(request.headers.get("referer", ""))
    return local(before.path) if before.netloc == request.headers.get("host") else "/tickets"
