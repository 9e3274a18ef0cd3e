"""Pictures of letters that are being written: given when they are pasted, shown in the editor, sent with the letter."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from mailroom_console.languages import mark, say
from mailroom_console.pages.frame.headers import FILE_POLICY
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import READ, TICKETS
from mailroom_console.problems import invalid, not_found
from mailroom_console.uploads import records as uploads

from .file_types import picture_type

SENT = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("POST", "/pictures", give, TICKETS, quick=True),
        Page("GET", "/pictures/{id}", show, READ),
    ]


async def give(visit: Visit) -> Response:
    """Keep a picture: its id. What it is, its bytes say; a name that says otherwise gets the right ending."""
    files = visit.files("picture")
    if len(files) != 1:
        raise invalid("picture", say("Give one picture."))
    content = await files[0].read()
    kind = picture_type(content)
    if kind not in SENT:
        raise invalid("picture", say("This is no picture that mail programs show: PNG, JPEG, GIF or WebP."))
    stem = (files[0].filename or "picture").rpartition(".")[0] or "picture"
    kept = await uploads.store(visit.console, visit.who, filename=f"{stem[:80]}.{SENT[kind]}", content_type=kind,
                               content=content)  # fmt: skip
    return JSONResponse({"id": kept["id"]})


async def show(visit: Visit) -> Response:
    """A picture, if it is one of those."""
    content = await uploads.content(visit.console, visit.who, visit.path("id"))
    kind = picture_type(content)
    if kind not in SENT:
        raise not_found(mark("picture"))
    headers = {"Content-Security-Policy": FILE_POLICY, "X-Content-Type-Options": "nosniff",
               "Cache-Control": "private, max-age=86400"}  # fmt: skip
    return Response(content, media_type=kind, headers=headers)
