"""What agents write: answers, new messages, forwards, notes. What was written stays on the page when it is not accepted."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import getaddresses
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response

from mailroom_console.access import passwords
from mailroom_console.languages import say
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.people import queues
from mailroom_console.portals import canned
from mailroom_console.portals import records as portals
from mailroom_console.principals import TICKETS
from mailroom_console.problems import Problem, invalid
from mailroom_console.tickets import commands, drafts, formatted, writing
from mailroom_console.uploads import records as uploads

from . import composer
from .ticket_pages import show_one, signature_of

MOST_TYPED = 50_000  # characters of addresses
_LETTER = ("text", "html", "to", "cc", "bcc", "from_address_id", "key")


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/tickets/new", new, TICKETS),
        Page("POST", "/tickets/new", send_new, TICKETS),
        Page("POST", "/tickets/{id}/reply", reply, TICKETS),
        Page("POST", "/tickets/{id}/forward", forward, TICKETS),
        Page("POST", "/tickets/{id}/note", note, TICKETS),
    ]


async def reply(visit: Visit) -> Response:
    """Answer. Held for some seconds, so that it can be taken back; or until a time."""
    ticket_id = visit.path("id")
    names = (*_LETTER, "quote", "seen_id", "answered_id")
    form: dict[str, Any] = {name: visit.text(name) for name in names} | {"kind": "reply"}
    try:
        letter = await _letter(visit, form)
        if "to" in visit.form and not (letter.to or letter.cc or letter.bcc):
            raise invalid("to", say("Name somebody whom it goes to."))
        accepted = await writing.reply(
            visit.console, visit.who, ticket_id, letter, quote=form["quote"] or "last",
            answered_id=form["answered_id"] or None, seen_id=form["seen_id"] or None,
            cancel_on_mail=visit.flag("cancel_on_mail"), idempotency_key=form["key"] or None,
        )  # fmt: skip
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        if problem.code == "recipients_changed":
            form["key"] = passwords.drawn()  # sent again, it is another wish than the one that was refused
            form["seen_id"] = ""
        return await show_one(visit, form, [_again(form, problem)], problem.status)
    status = visit.text("then_status")
    if status:
        await commands.change(visit.console, visit.who, ticket_id, {"status": status},
                              idempotency_key=f"then:{accepted.command_id}")  # fmt: skip
    said = "" if accepted.shown else say("Accepted. It appears in a moment.")
    return visit.go(f"/tickets/{ticket_id}#message-{accepted.message_id}", said)


async def forward(visit: Visit) -> Response:
    """Send a message, or the conversation, to somebody else."""
    ticket_id = visit.path("id")
    form: dict[str, Any] = {name: visit.text(name) for name in (*_LETTER, "subject", "message_id")}
    form["kind"] = "forward"
    try:
        accepted = await writing.forward(
            visit.console, visit.who, ticket_id, await _letter(visit, form), message_id=form["message_id"] or None,
            with_files=visit.flag("with_files"), idempotency_key=form["key"] or None,
        )  # fmt: skip
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        return await show_one(visit, form, [_again(form, problem)], problem.status)
    return visit.go(f"/tickets/{ticket_id}#message-{accepted.message_id}")


async def new(visit: Visit) -> Response:
    """An empty letter."""
    return await _compose(visit, {"to": visit.query("to"), "from_address_id": visit.query("from")})


async def send_new(visit: Visit) -> Response:
    """Begin a ticket by writing first."""
    form: dict[str, Any] = {name: visit.text(name) for name in (*_LETTER, "subject", "queue_id")}
    try:
        ticket_id, accepted = await writing.compose(
            visit.console, visit.who, await _letter(visit, form), queue_id=form["queue_id"] or None,
            idempotency_key=form["key"] or None,
        )  # fmt: skip
    except Problem as problem:
        if problem.status == 403:
            raise
        return await _compose(visit, form, [_again(form, problem)], problem.status)
    if not accepted.shown:
        return visit.go("/tickets", say("Accepted. The ticket appears in a moment."))
    return visit.go(f"/tickets/{ticket_id}")


async def note(visit: Visit) -> Response:
    """Add an internal note."""
    ticket_id = visit.path("id")
    text, html = visit.text("text"), visit.text("html")
    try:
        accepted = await commands.note(visit.console, visit.who, ticket_id, text=text, html=html or None,
                                       idempotency_key=visit.text("key") or None)  # fmt: skip
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        form: dict[str, Any] = {"note": text, "note_html": html, "kind": "note", "key": visit.text("key")}
        return await show_one(visit, form, [_again(form, problem)], problem.status)
    kept = await drafts.get(visit.console, visit.who, ticket_id) or {}
    rest = {k: v for k, v in kept.items() if k in ("text", "html", "to", "cc", "bcc", "from_address_id") and v}
    if kept:
        await drafts.forget(visit.console, visit.who, ticket_id)
    if rest.get("text"):  # with another key: the next note is another one
        await drafts.put(visit.console, visit.who, ticket_id, rest)
    return visit.go(f"/tickets/{ticket_id}#message-{accepted.message_id}")


async def _compose(
    visit: Visit, form: dict[str, Any], problems: list[str] | None = None, status: int = 200
) -> Response:
    names = ("to", "cc", "bcc", "subject", "text", "html", "from_address_id", "queue_id", *composer.HELD)
    return await visit.show(
        "compose.html", "tickets", status, view="new", queue_id="", problems=problems or [],
        senders=await commands.senders(visit.console, visit.who), form={name: form.get(name, "") for name in names},
        queues=await queues.named(visit.console, visit.who), key=form.get("key") or passwords.drawn(),
        attached=form.get("attached", []), later_choices=composer.later(visit.console.clock(), visit.zone),
        canned=await canned.listed(visit.console, visit.who),
    )  # fmt: skip


async def _letter(visit: Visit, form: dict[str, Any]) -> writing.Letter:
    """What the form holds, with the address's signature, held as long as the portal says. Raises `Problem`."""
    files = _kept_files(visit) + [await _upload(visit, file) for file in visit.files("files")]
    form["attached"] = files  # a form that is shown again keeps them
    hold, send_at = await _hold(visit)
    if hold == "later" and send_at is not None:  # also when one of the choices was taken, which are others by then
        form["send_at_local"] = send_at.astimezone(visit.zone).strftime("%Y-%m-%dT%H:%M")
    form["cancel_on_mail"] = visit.text("cancel_on_mail")
    signature = await signature_of(visit, form["from_address_id"])
    return writing.Letter(
        text=composer.with_signature(form["text"], signature) if form["text"].strip() else form["text"],
        html=formatted.with_signature(form["html"], signature) if form["html"].strip() else None,
        to=mailboxes(form["to"], "to"), cc=mailboxes(form["cc"], "cc"), bcc=mailboxes(form["bcc"], "bcc"),
        subject=form.get("subject", ""), attachments=files, from_address_id=form["from_address_id"] or None,
        send_at=send_at, hold=hold,
    )  # fmt: skip


def _kept_files(visit: Visit) -> list[dict[str, Any]]:
    """Files that came with the form when it was sent before and not accepted: each "ID NAME"."""
    pairs = (value.partition(" ") for value in visit.texts("attached")[:100])
    return [{"id": file_id, "filename": name} for file_id, _, name in pairs if file_id]


def _again(form: dict[str, Any], problem: Problem) -> str:
    """What is said above a form that is shown again, which keeps its key: sent again as it is, it is done once.

    A form that was changed since is another wish; what was sent before may have been done.
    """
    if problem.code == "idempotency_key_reused":
        form["key"] = passwords.drawn()
        return say(
            "This was sent before with another content, and that may have arrived. Look above, then send this if it is still needed."
        )
    return problem.detail


async def _hold(visit: Visit) -> tuple[str | None, datetime | None]:
    """Until when it is held, and why. Raises `Problem` 422 for what is no time."""
    local, chosen = visit.text("send_at_local").strip(), visit.text("send_at").strip()
    if local or chosen:
        try:
            when = datetime.fromisoformat(local or chosen)
        except ValueError:
            raise invalid("send_at", say("That is no time.")) from None
        return "later", when if when.tzinfo is not None else when.replace(tzinfo=visit.zone)
    seconds = int((await portals.current(visit.console, visit.who))["undo_send_s"])
    return ("undo", visit.console.clock() + timedelta(seconds=seconds)) if seconds else (None, None)


async def _upload(visit: Visit, file: UploadFile) -> dict[str, Any]:
    return await uploads.store(visit.console, visit.who, filename=file.filename, content_type=file.content_type,
                               content=await file.read())  # fmt: skip


def mailboxes(text: str, field: str) -> list[dict[str, str]]:
    """Addresses typed with commas between. Raises `Problem` 422 for what is none; line breaks are never let in."""
    if any(ord(c) < 32 and c not in "\t\n" for c in text):
        raise invalid(field, say("Write addresses on one line, with commas between."))
    flat = text.replace("\n", ",").replace(";", ",")
    pieces = [piece.strip() for piece in flat.split(",") if piece.strip()]
    if not pieces:
        return []
    if len(flat) > MOST_TYPED:  # so many addresses that nobody may send to them, or none
        raise invalid(field, say("That is not a list of addresses: {flat}", flat=flat[:100]))
    found = getaddresses([", ".join(pieces)])
    if (len(found) < len(pieces) and not any('"' in piece for piece in pieces)) or any("@" not in e for _, e in found):
        raise invalid(field, say("That is not a list of addresses: {flat}", flat=flat[:100]))
    return [{"name": name, "email": email} for name, email in found]
