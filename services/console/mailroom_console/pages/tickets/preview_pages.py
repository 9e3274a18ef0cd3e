"""Files looked at in place: texts, attached mails, and documents drawn as pictures, each in a sandboxed frame of ours."""

from __future__ import annotations

import base64
from urllib.parse import quote

from mailroom_runtime.process.apart import NotDone, apart
from mailroom_runtime.process.logs import get_logger
from markupsafe import escape
from starlette.responses import HTMLResponse, Response

from mailroom_console.languages import current, mark, say
from mailroom_console.pages.frame.headers import SHEETS_POLICY
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import READ
from mailroom_console.problems import not_found
from mailroom_console.tickets import reading as tickets

from . import attached_mail
from .drawn_pages import AT_ONCE, Drawn, Sheet, drawn, kind_of
from .message_pages import index

log = get_logger()

PREVIEWED = 200_000  # bytes of a text file
ATTACHED = 5_000_000  # bytes of an attached mail
DOCUMENT = 50_000_000  # bytes of a document
KEPT_S = 3600  # seconds that the browser keeps drawn pages
TEXT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
_TROUBLES = {
    "password": mark("This document is protected by a password. Save the file to open it with the password."),
    "broken": mark("This document is damaged, or not what its name says. The file can still be saved."),
    "too_much": mark("This document takes too much time or memory to be drawn here. The file can still be saved."),
    "too_large": mark("This document is too large to be drawn here. The file can still be saved."),
    "heic": mark("This picture is of a kind that most browsers do not show (HEIC). Save the file to look at it."),
}


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/messages/{id}/texts/{index}", text_file, READ),
        Page("GET", "/messages/{id}/posts/{index}", post, READ),
        Page("GET", "/messages/{id}/sheets/{index}", sheets, READ),
    ]


async def text_file(visit: Visit) -> Response:
    """The beginning of a text file, as plain text whatever is in it."""
    file = await tickets.attachment(visit.console, visit.who, visit.path("id"), index(visit))
    return _text(file.content[:PREVIEWED].decode("utf-8", "replace"))


async def post(visit: Visit) -> Response:
    """What an attached mail says (a post of a digest, a forwarded one), as plain text."""
    file = await tickets.attachment(visit.console, visit.who, visit.path("id"), index(visit))
    if not file.content_type.lower().startswith("message/"):
        raise not_found(mark("attachment"))
    try:
        shown = await apart(attached_mail.as_text, file.content[:ATTACHED], say("Attachments"))
    except NotDone as problem:
        log.warning("mail.post_not_shown", message_id=visit.path("id"), reason=str(problem))
        shown = file.content[:PREVIEWED].decode("utf-8", "replace")
    return _text(shown)


async def sheets(visit: Visit) -> Response:
    """Some pages of a PDF or TIFF as pictures, from page ?from=; or in words why it cannot be looked at."""
    message_id = visit.path("id")
    file = await tickets.attachment(visit.console, visit.who, message_id, index(visit))
    first = max(1, visit.number_asked("from"))
    kind = kind_of(file.content)
    if kind == "heic" or len(file.content) > DOCUMENT:
        found = Drawn(trouble="heic" if kind == "heic" else "too_large")
    else:
        found = await _drawn(file.content, first, message_id)
    here = f"/messages/{quote(message_id, safe='')}/sheets/{index(visit)}"
    document = sheets_document(
        found, first, here=here, style=f"/static/{visit.renderer.version}/sheets.css", title=file.filename
    )
    # a file never changes; what was given up may go well when less is to be done
    kept = "no-store" if found.trouble == "too_much" else f"max-age={KEPT_S}"
    return HTMLResponse(
        document,
        headers={"Content-Security-Policy": SHEETS_POLICY, "X-Frame-Options": "SAMEORIGIN",
                 "Referrer-Policy": "no-referrer", "Cache-Control": f"private, {kept}", "Vary": "Cookie, Accept-Language"},
    )  # fmt: skip


async def _drawn(content: bytes, first: int, message_id: str) -> Drawn:
    for most in (AT_ONCE, 1):  # a page that is too much takes those before it along: the first one is tried alone
        try:
            return await apart(drawn, content, first, most)
        except NotDone as problem:
            log.warning("document.not_drawn", message_id=message_id, first=first, most=most, reason=str(problem))
    return Drawn(trouble="too_much")


def sheets_document(found: Drawn, first: int, *, here: str, style: str, title: str) -> str:
    """The document of the frame, in the reader's language. Pure."""
    body = []
    if found.trouble:
        body.append(_line(say(_TROUBLES[found.trouble])))
    elif not found.sheets:
        body.append(_line(say("There is no page {n}: the document has {count}.", n=first, count=found.count)))
    if first > 1:
        body.append(_line(say("Show earlier pages"), f"{here}?from={max(1, first - AT_ONCE)}"))
    body += [_figure(sheet, found.count) for sheet in found.sheets]
    last = found.sheets[-1].number if found.sheets else found.count
    if last < found.count:
        body.append(_line(say("Show more pages"), f"{here}?from={last + 1}"))
    return (
        f'<!doctype html><html lang="{current()}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="{escape(style)}"></head><body>{"".join(body)}</body></html>'
    )


def _line(words: str, href: str = "") -> str:
    return f'<p><a href="{escape(href)}">{escape(words)}</a></p>' if href else f"<p>{escape(words)}</p>"


def _figure(sheet: Sheet, count: int) -> str:
    name = escape(say("Page {n} of {count}", n=sheet.number, count=count))
    if sheet.picture is None:
        words = _line(say("This page cannot be drawn."))
        return f"<figure>{words}<figcaption>{name}</figcaption></figure>"
    data = base64.b64encode(sheet.picture).decode()
    return (
        f'<figure><img src="data:{sheet.content_type};base64,{data}" alt="{name}" width="{sheet.width}" '
        f'height="{sheet.height}"><figcaption>{name}</figcaption></figure>'
    )


def _text(shown: str) -> Response:
    headers = {"Content-Security-Policy": TEXT_POLICY, "X-Frame-Options": "SAMEORIGIN",
               "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}  # fmt: skip
    return Response(shown, media_type="text/plain; charset=utf-8", headers=headers)
