"""What agents do with a ticket: answer, note, assign, take, close, move, confirm a sender, resend, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import getaddresses
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response

from mailroom_console.pages.frame.visit import Page, Visit, local
from mailroom_console.principals import TICKETS
from mailroom_console.problems import Problem, invalid
from mailroom_console.tickets import commands, drafts, writing
from mailroom_console.tickets import reading as tickets
from mailroom_console.uploads import records as uploads

from .ticket_pages import show_one


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("POST", "/tickets/{id}/reply", reply, TICKETS),
        Page("POST", "/tickets/{id}/note", note, TICKETS),
        Page("POST", "/tickets/{id}/assign", assign, TICKETS),
        Page("POST", "/tickets/{id}/take", take, TICKETS),
        Page("POST", "/tickets/{id}/status", set_status, TICKETS),
        Page("POST", "/tickets/{id}/move", move, TICKETS),
        Page("POST", "/tickets/{id}/confirm-sender", confirm_sender, TICKETS),
        Page("POST", "/tickets/{id}/messages/{message}/resend", resend, TICKETS),
        Page("POST", "/tickets/{id}/messages/{message}/cancel", cancel, TICKETS),
    ]


async def reply(visit: Visit) -> Response:
    """Answer the customer. What was written stays on the page when it is not accepted."""
    ticket_id = visit.path("id")
    form = {name: visit.text(name) for name in ("text", "cc", "bcc", "from_address_id", "key")} | {"kind": "reply"}
    try:
        files = [await _upload(visit, file) for file in visit.files("files")]
        letter = writing.Letter(
            text=form["text"], cc=mailboxes(form["cc"], "cc"), bcc=mailboxes(form["bcc"], "bcc"), attachments=files,
            from_address_id=form["from_address_id"] or None,
        )  # fmt: skip
        accepted = await writing.reply(visit.console, visit.who, ticket_id, letter, idempotency_key=form["key"] or None)
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        return await show_one(visit, form, [problem.detail], problem.status)
    status = visit.text("then_status")
    if status:
        await commands.change(visit.console, visit.who, ticket_id, {"status": status},
                              idempotency_key=f"then:{accepted.command_id}")  # fmt: skip
    said = "" if accepted.shown else "Accepted. It appears in a moment."
    return visit.go(f"/tickets/{ticket_id}#message-{accepted.message_id}", said)


async def note(visit: Visit) -> Response:
    """Add an internal note."""
    ticket_id = visit.path("id")
    text = visit.text("text")
    try:
        accepted = await commands.note(visit.console, visit.who, ticket_id, text=text,
                                       idempotency_key=visit.text("key") or None)  # fmt: skip
    except Problem as problem:
        if problem.status in (403, 404):
            raise
        return await show_one(visit, {"note": text, "kind": "note"}, [problem.detail], problem.status)
    kept = await drafts.get(visit.console, visit.who, ticket_id) or {}
    rest = {k: v for k, v in kept.items() if k in ("text", "cc", "bcc", "from_address_id") and v}
    if rest.get("text"):
        await drafts.put(visit.console, visit.who, ticket_id, rest)
    elif kept:
        await drafts.forget(visit.console, visit.who, ticket_id)
    return visit.go(f"/tickets/{ticket_id}#message-{accepted.message_id}")


async def assign(visit: Visit) -> Response:
    """Give the ticket to an agent, or to nobody."""
    return await _change(visit, {"assignee_id": visit.text("assignee_id") or None})


async def take(visit: Visit) -> Response:
    """Take the ticket. One that somebody else took in the meantime is not taken from them."""
    ticket = await tickets.one(visit.console, visit.who, visit.path("id"))
    only = not visit.flag("over") and ticket["assignee_id"] is None
    return await _change(visit, {"assignee_id": visit.who.agent_id, "only_if_unassigned": only})


async def set_status(visit: Visit) -> Response:
    """Open, set pending, close."""
    return await _change(visit, {"status": visit.text("status")})


async def move(visit: Visit) -> Response:
    """Move to another queue."""
    answer = await _change(visit, {"queue_id": visit.text("queue_id")})
    try:
        await tickets.row_of(visit.console, visit.who, visit.path("id"))
    except Problem:
        return visit.go("/tickets", "Moved. The ticket is in a queue that you do not work in.")
    return answer


async def confirm_sender(visit: Visit) -> Response:
    """A new sender takes part from now on."""
    ticket_id, email = visit.path("id"), visit.text("email")
    await commands.confirm_sender(visit.console, visit.who, ticket_id, email)
    return visit.go(f"/tickets/{ticket_id}", f"{email} takes part in this ticket.")


async def resend(visit: Visit) -> Response:
    """Send a message again: to those whom it did not reach, or to the recipients named."""
    await tickets.row_of(visit.console, visit.who, visit.path("id"))
    named = visit.texts("recipient") or None
    return await _of_message(
        visit, lambda m: commands.resend(visit.console, visit.who, m, recipients=named), "It is sent again."
    )


async def cancel(visit: Visit) -> Response:
    """Do not send a message that waits."""
    await tickets.row_of(visit.console, visit.who, visit.path("id"))
    return await _of_message(visit, lambda m: commands.cancel(visit.console, visit.who, m), "It is not sent.")


async def _of_message(visit: Visit, act: Any, said: str) -> Response:
    message_id = visit.path("message")
    back = local(visit.text("back"), f"/tickets/{visit.path('id')}#message-{message_id}")
    try:
        await act(message_id)
    except Problem as problem:
        if problem.status != 409:
            raise
        return visit.go(back, problem.detail, "bad")
    return visit.go(back, said)


async def _change(visit: Visit, given: Mapping[str, Any]) -> Response:
    ticket_id = visit.path("id")
    try:
        shown = await commands.change(visit.console, visit.who, ticket_id, given)
    except Problem as problem:
        if problem.status != 409:
            raise
        return visit.go(f"/tickets/{ticket_id}", problem.detail, "bad")
    return visit.go(f"/tickets/{ticket_id}", "" if shown else "Accepted. It shows in a moment.")


async def _upload(visit: Visit, file: UploadFile) -> dict[str, Any]:
    return await uploads.store(visit.console, visit.who, filename=file.filename, content_type=file.content_type,
                               content=await file.read())  # fmt: skip


def mailboxes(text: str, field: str) -> list[dict[str, str]]:
    """Addresses typed with commas between. Raises `Problem` 422 for what is none; line breaks are never let in."""
    if any(ord(c) < 32 and c not in "\t\n" for c in text):
        raise invalid(field, "Write addresses on one line, with commas between.")
    flat = text.replace("\n", ",").replace(";", ",")
    pieces = [piece.strip() for piece in flat.split(",") if piece.strip()]
    if not pieces:
        return []
    found = getaddresses([", ".join(pieces)])
    if (len(found) < len(pieces) and not any('"' in piece for piece in pieces)) or any("@" not in e for _, e in found):
        raise invalid(field, f"That is not a list of addresses: {flat[:100]}")
    return [{"name": name, "email": email} for name, email in found]
