"""Pages from templates: the jinja environment, its filters, and the answer with its headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailroom_console.languages import current, gettext, ngettext, script_words

from . import words
from .choices import options
from .icons import icon, logo
from .sparkline import sparkline

HERE = Path(__file__).resolve().parents[2]
STATIC = HERE / "static"
BUILT = HERE / "built"  # by editor/build.sh, where npm is there
EDITOR = BUILT / "editor.js"


class Renderer:
    """Renders templates. Everything is escaped by default; a name that a page forgot to give is an error."""

    def __init__(self) -> None:
        self.version = _version(static_files().values())
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        # not "newstyle": what `_` gives is text, and is escaped like all other text
        self._environment.install_gettext_callables(gettext, ngettext, newstyle=False)  # type: ignore[attr-defined]
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.filters.update(
            full_time=words.full_time, iso=words.iso, size=words.size, initials=words.initials,
            tint=words.tint, person=words.person, people=words.people, span=words.span,
        )  # fmt: skip
        self._environment.globals.update(
            icon=icon,
            logo=logo,
            options=options,
            sparkline=sparkline,
            static=partial(_address, self.version),
            has_editor=EDITOR.exists(),
            drawn=partial(token_urlsafe, 9),
        )

    def text(self, template: str, context: Mapping[str, Any], now: datetime | None = None) -> str:
        """The page as text. `now` is the moment that "5 min ago" counts from."""
        moment = now or datetime.now(UTC)
        values = {"zone": UTC, **context}
        return self._environment.get_template(template).render(
            values, now=moment, ago=partial(words.ago, now=moment, zone=values["zone"]), language=current(),
            script_words=script_words(),
        )  # fmt: skip

    def page(self, request: Request, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """The page as an answer that no cache keeps."""
        text = self.text(template, {"request": request, **context})
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def static_files() -> dict[str, Path]:
    """What pages load, by name: our own files, and what was built."""
    built = [EDITOR] if EDITOR.exists() else []
    return {file.name: file for file in [*sorted(STATIC.iterdir()), *built] if file.is_file()}


def _version(files: Iterable[Path]) -> str:
    """One digest over all static files: it stands in their path, so that they can be kept for ever."""
    whole = sha256()
    for file in files:
        whole.update(file.name.encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()[:12]


def _address(version: str, name: str) -> str:
    """Address of a static file. The version is a folder, so that modules find each other by relative names."""
    return f"/static/{version}/{name}"
