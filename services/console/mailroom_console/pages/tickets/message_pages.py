"""What a message holds: its HTML in a frame of its own, attachments, raw source."""

from __future__ import annotations

from urllib.parse import quote

from mailroom_runtime.process.apart import NotDone, apart
from mailroom_runtime.process.logs import get_logger
from starlette.responses import HTMLResponse, Response

from mailroom_console import long_answers
from mailroom_console.languages import mark, say
from mailroom_console.long_answers import in_pieces
from mailroom_console.pages.frame.headers import FILE_POLICY, mail_policy
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import READ
from mailroom_console.problems import not_found
from mailroom_console.tickets import reading as tickets

from . import mail_frame
from .file_types import download_name, picture_type, served_type

log = get_logger()


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/messages/{id}/frame", frame, READ),
        Page("GET", "/messages/{id}/text", text, READ),
        Page("GET", "/messages/{id}/raw", raw, READ),
        Page("GET", "/messages/{id}/attachments/{index}", attachment, READ),
        Page("GET", "/messages/{id}/pictures/{index}", picture, READ),
    ]


async def frame(visit: Visit) -> Response:
    """The mail's HTML, sanitised. The only page that others of ours may frame, and that may style inline."""
    message = await tickets.one_message(visit.console, visit.who, visit.path("id"))
    if not message["html"]:
        raise not_found(mark("HTML in this message"))
    images = visit.query("images") == "1"
    base = f"/messages/{quote(message['id'], safe='')}"
    inline = {a["content_id"]: f"{base}/pictures/{a['index']}" for a in message["attachments"] if a.get("content_id")}
    style = f"/static/{visit.renderer.version}/mail.css"
    title, told = message["subject"] or say("Mail"), mail_frame.words()
    try:
        document = await apart(mail_frame.page, message["html"], inline, images, style, title, told)
    except NotDone as problem:
        log.warning("mail.not_shown", message_id=message["id"], reason=str(problem))
        document = mail_frame.as_text(message["text"], style=style, title=title, told=told)
    return HTMLResponse(
        document,
        headers={"Content-Security-Policy": mail_policy(images), "X-Frame-Options": "SAMEORIGIN",
                 "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store"},
    )  # fmt: skip


async def text(visit: Visit) -> Response:
    """The whole text of a long mail."""
    message = await tickets.one_message(visit.console, visit.who, visit.path("id"))
    return in_pieces(long_answers.text(message["text"]), "text/plain; charset=utf-8", _headers())


async def raw(visit: Visit) -> Response:
    """The raw source: shown as plain text, or saved with ?save=1."""
    file = await tickets.raw(visit.console, visit.who, visit.path("id"))
    if visit.query("save") == "1":
        return Response(file.content, media_type="message/rfc822", headers=_headers(file.filename))
    # never as message/rfc822: some browsers would render its HTML
    return in_pieces(long_answers.source(file.content), "text/plain; charset=utf-8", _headers())


async def attachment(visit: Visit) -> Response:
    """An attachment, always to be saved."""
    file = await tickets.attachment(visit.console, visit.who, visit.path("id"), index(visit))
    return Response(file.content, media_type=served_type(file.content_type), headers=_headers(file.filename))


async def picture(visit: Visit) -> Response:
    """A picture within a mail; only what really is a picture of a harmless kind."""
    file = await tickets.attachment(visit.console, visit.who, visit.path("id"), index(visit))
    kind = picture_type(file.content)
    if kind is None:
        raise not_found(mark("picture"))
    return Response(file.content, media_type=kind, headers=_headers() | {"Cache-Control": "private, max-age=86400"})


def index(visit: Visit) -> int:
    """Which file of a message is asked for. Raises `Problem` 404 for what is no number."""
    number = visit.path("index")
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        raise not_found(mark("attachment"))
    return int(number)


def _headers(filename: str = "") -> dict[str, str]:
    headers = {"Content-Security-Policy": FILE_POLICY, "X-Content-Type-Options": "nosniff",
               "Cache-Control": "private, no-store"}  # fmt: skip
    return headers | ({"Content-Disposition": download_name(filename)} if filename else {})
