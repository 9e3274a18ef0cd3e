"""Routes of what is done with tickets beside answering: snooze, merge, split, spam, blocks, many at once, export."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from mailroom_console.portals import blocked, canned
from mailroom_console.tickets import commands, handling, lists
from mailroom_console.tickets import reading as tickets

from .configuration_bodies import BlockIn, CannedIn
from .configuration_routes import Json, Name, Short
from .security import ConsoleDep, PrincipalDep
from .ticket_bodies import MergeIn, SnoozeIn, SpamIn, SplitIn, TogetherIn
from .ticket_routes import Key

router = APIRouter(tags=["tickets"])


@router.post("/tickets/{ticket_id}/snooze", status_code=202)
async def snooze(
    ticket_id: Name, body: SnoozeIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None
) -> Json:
    """Put it aside until then, or until the customer writes; `until` null: it comes back."""
    return _did(await handling.snooze(console, principal, ticket_id, body.until, key=key), ticket_id)


@router.post("/tickets/{ticket_id}/merge", status_code=202)
async def merge(ticket_id: Name, body: MergeIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """The ticket's conversation goes on in another one: `{ticket_id}` is that one."""
    into, accepted = await handling.merge(console, principal, ticket_id, body.into, key=key)
    return _did(accepted, into)


@router.post("/tickets/{ticket_id}/unmerge", status_code=202)
async def unmerge(ticket_id: Name, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """Undo a merge."""
    return _did(await handling.unmerge(console, principal, ticket_id, key=key), ticket_id)


@router.post("/tickets/{ticket_id}/split", status_code=202)
async def split(ticket_id: Name, body: SplitIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """Move a mail into a ticket of its own: `{ticket_id}` is that one."""
    made, accepted = await handling.split(console, principal, ticket_id, body.message_id, key=key)
    return _did(accepted, made)


@router.post("/tickets/{ticket_id}/spam", status_code=202)
async def spam(ticket_id: Name, body: SpamIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """Put it among the spam, or take it out."""
    return _did(await handling.set_spam(console, principal, ticket_id, body.spam, key=key), ticket_id)


@router.post("/tickets/bulk")
async def bulk(body: TogetherIn, console: ConsoleDep, principal: PrincipalDep, key: Key = None) -> Json:
    """One thing with many tickets: `{done: [id], refused: [{id, code, detail}]}`."""
    given = {k: v for k, v in body.given().items() if k != "ids"}
    return await handling.together(console, principal, body.ids, given, key=key)


@router.get("/tickets/{ticket_id}/others")
async def others(ticket_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """The customer's other tickets."""
    ticket = await tickets.one(console, principal, ticket_id)
    return {"items": await tickets.others_of(console, principal, ticket), "next": None}


@router.get("/tags")
async def tags(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """The tags that tickets have."""
    return {"items": await lists.tags_used(console, principal), "next": None}


@router.get("/blocked")
async def blocked_list(console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Senders and domains whose mail is spam."""
    return {"items": await blocked.listed(console, principal), "next": None}


@router.post("/blocked", status_code=201)
async def block(body: BlockIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    """Block a sender or a domain (with those below it)."""
    return await blocked.add(console, principal, email=body.email, domain=body.domain)


@router.delete("/blocked", status_code=204)
async def unblock(
    console: ConsoleDep, principal: PrincipalDep, email: Annotated[str | None, Query(max_length=320)] = None,
    domain: Annotated[str | None, Query(max_length=253)] = None,
) -> Response:  # fmt: skip
    """Take a sender or a domain off the list."""
    await blocked.remove(console, principal, email=email, domain=domain)
    return Response(status_code=204)


@router.get("/canned")
async def canned_list(console: ConsoleDep, principal: PrincipalDep, queue_id: Short = None) -> Json:
    """Canned answers: of all queues, and of one or of those that are seen."""
    return {"items": await canned.listed(console, principal, queue_id), "next": None}


@router.post("/canned", status_code=201)
async def canned_add(body: CannedIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await canned.put(console, principal, name=body.name, text=body.text, queue_id=body.queue_id)


@router.put("/canned/{canned_id}")
async def canned_change(canned_id: Name, body: CannedIn, console: ConsoleDep, principal: PrincipalDep) -> Json:
    return await canned.put(console, principal, name=body.name, text=body.text, queue_id=body.queue_id,
                            canned_id=canned_id)  # fmt: skip


@router.delete("/canned/{canned_id}", status_code=204)
async def canned_delete(canned_id: Name, console: ConsoleDep, principal: PrincipalDep) -> Response:
    await canned.remove(console, principal, canned_id)
    return Response(status_code=204)


def _did(accepted: commands.Accepted, ticket_id: str) -> Json:
    return {"ticket_id": ticket_id, "command_id": accepted.command_id, "shown": accepted.shown}
