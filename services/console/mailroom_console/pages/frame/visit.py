"""One request for a page: who asks, the form that was checked, and the answers a page gives."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import Principal
from mailroom_console.problems import Problem

from .activity_view import Watch
from .rendering import Renderer

FLASH_COOKIE = "mailroom_said"
ZONE_COOKIE = "mailroom_zone"
_FLASH_LIMIT = 1500


@dataclass(slots=True)
class Visit:
    """What a page's function gets. `principal` is None on public pages only.

    `render` makes a page with its frame: visit, template, section, status, values.
    """

    console: Console
    request: Request
    renderer: Renderer
    watch: Watch
    render: Callable[[Visit, str, str, int, Mapping[str, Any]], Awaitable[Response]]
    principal: Principal | None = None
    form: FormData = field(default_factory=FormData)
    csrf: str = ""
    was_refused: bool = False

    @property
    def who(self) -> Principal:
        """The signed-in principal. Raises `Problem` 401 on a page that forgot to ask for one."""
        if self.principal is None:
            raise Problem(401, "signed_out", say("Sign in first."))
        return self.principal

    @property
    def zone(self) -> ZoneInfo:
        """The agent's time zone, as this browser says it, else the one that signed in last; UTC until one did."""
        own = self.principal.zone if self.principal is not None else ""
        return zone_of(self.request.cookies.get(ZONE_COOKIE, "") or own)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def number_asked(self, name: str) -> int:
        """A whole number in the page's address, 0 where there is none."""
        asked = self.query(name)
        return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0

    def text(self, name: str, default: str = "") -> str:
        """A text field of the form, with lines ending in LF only and without NUL, which no database keeps."""
        value = self.form.get(name)
        return value.replace("\r\n", "\n").replace("\0", "") if isinstance(value, str) else default

    def flag(self, name: str) -> bool:
        """A checkbox."""
        return bool(self.text(name))

    def number(self, name: str) -> int | None:
        """A whole number, or None where there is none."""
        text = self.text(name).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def texts(self, name: str) -> list[str]:
        """All values of a field."""
        return [value.replace("\0", "") for value in self.form.getlist(name) if isinstance(value, str)]

    def files(self, name: str) -> list[UploadFile]:
        """The files of a field."""
        return [v for v in self.form.getlist(name) if isinstance(v, UploadFile) and v.filename]

    async def show(self, template: str, section: str, status: int = 200, **context: Any) -> Response:
        """A page of the console with its frame."""
        return await self.render(self, template, section, status, context)

    def go(self, path: str, said: str = "", kind: str = "good") -> Response:
        """To another page of ours (303), which says `said` at its top; by the kind "bad", that nothing was done."""
        self.was_refused = kind == "bad"
        answer = RedirectResponse(path, 303)
        if said:
            text = json.dumps([kind, said[:_FLASH_LIMIT]]).encode()
            answer.set_cookie(
                FLASH_COOKIE, base64.urlsafe_b64encode(text).decode(), max_age=60, httponly=True, samesite="lax",
                secure=self.console.settings.secure,
            )  # fmt: skip
        return answer

    def refused(self, path: str, problem: Problem) -> Response:
        """Back to a page of ours, which says why it was refused; what is not there stays not found."""
        if problem.status == 404:
            raise problem
        return self.go(path, problem.detail, "bad")

    def flashes(self) -> list[Mapping[str, str]]:
        """What the page before wanted said."""
        try:
            kind, said = json.loads(base64.urlsafe_b64decode(self.request.cookies.get(FLASH_COOKIE, "")))
        except (ValueError, TypeError, binascii.Error):
            return []
        return [{"kind": str(kind) if kind in ("good", "bad", "warn") else "", "text": str(said)}]


@lru_cache(256)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that name (IANA); UTC for one that there is not."""
    try:
        return ZoneInfo(unquote(name)) if len(name) < 100 and not name.startswith(("/", ".")) else ZoneInfo("UTC")
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo("UTC")


Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A route: method, path, function, and the scope that it asks for (None: public)."""

    method: str
    path: str
    handler: Handler
    scope: str | None
    quick: bool = False  # answers JSON or nothing: no page is shown when it fails
    csrf: bool = True


def local(path: str | None, default: str = "/tickets") -> str:
    """The path when it leads to a page of ours, else `default`: no open redirects (CWE-601)."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")):
        return default
    if any(ord(c) < 33 or c == "\\" or ord(c) > 126 for c in path) or path.startswith(("/sign-", "/api/", "/live")):
        return default
    return path


def field_problems(problem: Problem, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A problem as the forms show it: at its field, or at the top under ""."""
    name = str(problem.more.get("field") or "")
    name = (names or {}).get(name, name)
    return {name: problem.detail} if name else {"": [problem.detail]}
