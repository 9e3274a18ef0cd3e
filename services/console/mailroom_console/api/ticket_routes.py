"""Routes of tickets, messages and files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Header, Path, Response, UploadFile
from pydantic import AwareDatetime

from mailroom_console import long_answers, times
from mailroom_console.tickets import commands, drafts, writing
from mailroom_console.tickets import reading as tickets
from mailroom_console.uploads import records as uploads

from .configuration_routes import Json, Limit, Name, Next, Short
from .downloads import download
from .security import ConsoleDep, PrincipalDep
from .ticket_bodies import ComposeIn, ConfirmIn, DraftIn, ForwardIn, NoteIn, ReplyIn, ResendIn, TicketChange

router = APIRouter(tags=["tickets"])
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200, description="Sending twice does it once.")]


@router.get("/tickets")
async def tickets_list(
    console: ConsoleDep, principal: PrincipalDep, queue_id: Short = None, status: Short = None,
    assignee_id: Short = None, unassigned: bool = False, address_id: Short = None, q: Short = None,
    view: Short = None, tag: Short = None, customer: Short = None, since: AwareDatetime | None = None,
    sort: Name = "newest", limit: Limit = 50, after: Next = None,
) -> Json:  # fmt: skip
    """Tickets, newest change first (a search: newest ticket first). `view`: waiting, failed, mine, unassigned, snoozed,
    spam (what is snoozed or spam is in no other list). `since`: changed since then. `sort`: newest, oldest."""
    filters = tickets.Filters(
        queue_id, status, assignee_id, unassigned, view, q, address_id, tag=tag, customer=customer,
        since=None if since is None else times.micros(since), sort=sort,
    )  # fmt: skip
    return (await tickets.listed(console, principal, filters, limit=limit, after=after)).body()


@router.get("/tickets/{ticket_id}", response_model=Json)
async def ticket(ticket_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    """A ticket (by id or number) with its messages and history."""
    return _long(await tickets.one(console, principal, ticket_id))


@router.patch("/tickets/{ticket_id}", response_model=Json)
async def ticket_change(
    ticket_id: Name, body: TicketChange, console: ConsoleDep, principal: PrincipalDep, key: Key = None,
) -> Response:  # fmt: skip
    """Set status, agent or queue. 200 once it shows; 202 when that takes longer than 5 s."""
    shown = await commands.change(console, principal, ticket_id, body.given(), idempotency_key=key)
    answer = _long(await tickets.one(console, principal, ticket_id))
    answer.status_code = 200 if shown else 202
    return answer


@router.post("/tickets/{ticket_id}/replies", status_code=202)
async def reply(ticket_id: Name, body: ReplyIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """Answer the customer (or whom `to` names); the answer names `to`, `cc` and `bcc`. 409 `receive_only` names in
    `send_from` the addresses that can send; 409 `recipients_changed`: somebody wrote after `seen_message_id`."""
    accepted = await writing.reply(
        console, principal, ticket_id, body.letter(), quote=body.quote, answered_id=body.answers_message_id,
        seen_id=body.seen_message_id, cancel_on_mail=body.cancel_on_mail, idempotency_key=key,
    )  # fmt: skip
    return _accepted(accepted, ticket_id)


@router.get("/tickets/{ticket_id}/reply-options")
async def reply_options(ticket_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Whether the ticket's address can send, why not, and which addresses of its queue can."""
    return await commands.sending_choices(console, principal, ticket_id)


@router.post("/tickets/{ticket_id}/notes", status_code=201)
async def note(
    ticket_id: Name, body: NoteIn, response: Response, console: ConsoleDep, principal: PrincipalDep, key: Key = None
) -> Json:
    accepted = await commands.note(
        console, principal, ticket_id, text=body.text, html=body.html,
        attachments=[a.given() for a in body.attachments], idempotency_key=key,
    )  # fmt: skip
    response.status_code = 201 if accepted.shown else 202
    return _accepted(accepted, ticket_id)


@router.post("/tickets/{ticket_id}/confirm-sender", status_code=202)
async def confirm_sender(ticket_id: Name, body: ConfirmIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return _accepted(await commands.confirm_sender(console, principal, ticket_id, body.email), ticket_id)


@router.get("/tickets/{ticket_id}/draft")
async def draft(ticket_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json | None:
    return await drafts.get(console, principal, ticket_id)


@router.put("/tickets/{ticket_id}/draft")
async def draft_put(ticket_id: Name, body: DraftIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await drafts.put(console, principal, ticket_id, body.model_dump(mode="json"))


@router.delete("/tickets/{ticket_id}/draft", status_code=204)
async def draft_delete(ticket_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    row = await tickets.row_of(console, principal, ticket_id)
    await drafts.forget(console, principal, row.id)
    return Response(status_code=204)


@router.get("/messages/{message_id}", response_model=Json)
async def message(message_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    """One message with its bodies whole."""
    return _long(await tickets.one_message(console, principal, message_id))


@router.post("/messages/{message_id}/resend", status_code=202)
async def resend(
    message_id: Name, console: ConsoleDep, principal: PrincipalDep, body: ResendIn | None = None, key: Key = None
) -> Json:
    """Send it again to those whom it did not reach, or to `recipients`."""
    recipients = None if body is None else body.recipients
    accepted = await commands.resend(console, principal, message_id, recipients=recipients, idempotency_key=key)
    return _accepted(accepted, (await tickets.message_row(console, principal, message_id)).ticket_id)


@router.post("/messages/{message_id}/cancel", status_code=202)
async def cancel(message_id: Name, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    accepted = await commands.cancel(console, principal, message_id, idempotency_key=key)
    return _accepted(accepted, (await tickets.message_row(console, principal, message_id)).ticket_id)


@router.get("/messages/{message_id}/raw")
async def raw(message_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    """The raw source, byte for byte."""
    return download(await tickets.raw(console, principal, message_id))


@router.get("/messages/{message_id}/attachments/{index}")
async def attachment(
    message_id: Name, index: Annotated[int, Path(ge=0, lt=100_000)], console: ConsoleDep, principal: PrincipalDep
) -> Response:
    return download(await tickets.attachment(console, principal, message_id, index), inline=True)


@router.post("/attachments", status_code=201)
async def upload(
    console: ConsoleDep, principal: PrincipalDep, files: Annotated[list[UploadFile], File(alias="file", max_length=100)]
) -> Json:
    """Keep files for a reply to come: `{items: [{id, filename, content_type, size}]}`."""
    items: list[dict[str, Any]] = []
    for each in files:
        content = await each.read()
        items.append(
            await uploads.store(
                console, principal, filename=each.filename, content_type=each.content_type, content=content
            )
        )
    return {"items": items, "next": None}


def _accepted(accepted: commands.Accepted, ticket_id: str) -> Json:
    return {"message_id": accepted.message_id, "ticket_id": ticket_id, "command_id": accepted.command_id,
            "shown": accepted.shown, **(accepted.recipients or {})}  # fmt: skip


@router.post("/tickets", status_code=202)
async def compose(body: ComposeIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """Write first: a new ticket. The customer's answer comes to it."""
    ticket_id, accepted = await writing.compose(
        console, principal, body.letter(body.subject), queue_id=body.queue_id, idempotency_key=key
    )
    return _accepted(accepted, ticket_id)


@router.post("/tickets/{ticket_id}/forward", status_code=202)
async def forward(
    ticket_id: Name, body: ForwardIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None
) -> Json:
    """Send a message, or the conversation, to somebody else. What they answer is marked, and never goes to the customer
    by itself."""
    accepted = await writing.forward(
        console, principal, ticket_id, body.letter(body.subject), message_id=body.message_id,
        with_files=body.with_files, idempotency_key=key,
    )  # fmt: skip
    return _accepted(accepted, ticket_id)


def _long(value: dict[str, Any]) -> Response:
    """What may be long, as JSON; its form is the route's `response_model`."""
    return long_answers.in_pieces(long_answers.json_object(value), "application/json")
