"""One ticket: its conversation, its messages, raw source and attachments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailroom_contracts import BlobRef
from mailroom_mail import comparable
from mailroom_runtime.blobs.store import BlobMissing, BlobsDown
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import READ, Principal
from mailroom_console.problems import Problem, not_found
from mailroom_console.storage.paging import Page
from mailroom_console.storage.read_schema import ReadTables
from mailroom_console.storage.schema import addresses

from . import lists as ticket_lists
from .lists import Filters
from .shape import message, summary, whole

listed = ticket_lists.listed
MOST_MESSAGES = 500
MOST_MERGED = 100
MOST_BOUNCES = 500  # the newest ones, of which an agent sees some


@dataclass(frozen=True, slots=True)
class File:
    """Bytes to hand out, with the name and type that the sender gave them."""

    content: bytes
    content_type: str
    filename: str


async def row_of(console: Console, principal: Principal, ticket_id: str) -> Any:
    """The ticket's row; by its number too. Raises `Problem` 404, also for one in a queue that is not seen."""
    principal.require(READ)
    t = console.read.tables.tickets
    own = t.c.portal_id == principal.portal_id
    async with console.database.read() as connection:
        row = (await connection.execute(select(t).where(t.c.id == ticket_id, own))).one_or_none()
        if row is None:
            # a number that stands for two tickets matches none
            named = (await connection.execute(select(t).where(t.c.number == ticket_id.upper(), own).limit(2))).all()
            row = named[0] if len(named) == 1 else None
    if row is None or not principal.sees(row.queue_id, row.assignee_id):
        raise not_found(mark("ticket"))
    return row


async def one(console: Console, principal: Principal, ticket_id: str) -> dict[str, Any]:
    """The ticket with `messages` (oldest first) and `history`. Raises `Problem` 404."""
    row = await row_of(console, principal, ticket_id)
    tables = console.read.tables
    h = tables.history
    async with console.database.read() as connection:
        messages = await conversation(connection, tables, row.id)
        history = (
            await connection.execute(
                select(h)
                .where(h.c.ticket_id == row.id)
                .order_by(h.c.version.desc(), h.c.at.desc())
                .limit(MOST_MESSAGES)
            )
        ).all()
        ours = await own_addresses(connection, principal.portal_id)
    # a long conversation is some ten megabytes of JSON
    return await asyncio.to_thread(whole, row, messages, history[::-1], lambda email: comparable(email) in ours)


async def conversation(connection: AsyncConnection, tables: ReadTables, ticket_id: str) -> list[Any]:
    """The messages of a ticket and of those merged into it, oldest first, the newest ones; none that was split off."""
    m = tables.messages
    family = [ticket_id, *await _taken_in(connection, tables.tickets, ticket_id)]
    newest = select(m).where(m.c.ticket_id.in_(family), m.c.split_to.is_(None))
    found = await connection.execute(newest.order_by(m.c.at.desc(), m.c.id.desc()).limit(MOST_MESSAGES))
    return list(found.all())[::-1]


async def _taken_in(connection: AsyncConnection, t: Table, ticket_id: str) -> list[str]:
    """Ids of the tickets that were merged into this one, and into those."""
    found: list[str] = []
    ring = [ticket_id]
    while ring and len(found) < MOST_MERGED:
        query = select(t.c.id).where(t.c.merged_into.in_(ring)).limit(MOST_MERGED)
        ring = [i for i in (await connection.execute(query)).scalars() if i not in found and i != ticket_id]
        found += ring
    return found


async def own_addresses(connection: AsyncConnection, portal_id: str) -> set[str]:
    """The portal's mail addresses, as they are compared."""
    emails = await connection.execute(select(addresses.c.email).where(addresses.c.portal_id == portal_id))
    return {comparable(email) for email in emails.scalars()}


async def which_are_there(console: Console, principal: Principal, ids: Sequence[str]) -> set[str]:
    """Those of these tickets that exist by now and that the principal sees."""
    principal.require(READ)
    if not ids:
        return set()
    t = console.read.tables.tickets
    query = select(t.c.id, t.c.queue_id, t.c.assignee_id).where(t.c.id.in_(ids), t.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        rows = (await connection.execute(query)).all()
    return {row.id for row in rows if principal.sees(row.queue_id, row.assignee_id)}


async def merged_into(console: Console, principal: Principal, ticket_id: str) -> list[dict[str, Any]]:
    """The tickets that were merged into this one, as lists show them."""
    principal.require(READ)
    t = console.read.tables.tickets
    query = select(t).where(t.c.merged_into == ticket_id, t.c.portal_id == principal.portal_id).limit(MOST_MERGED)
    async with console.database.read() as connection:
        return [summary(row) for row in (await connection.execute(query)).all()]


async def others_of(
    console: Console, principal: Principal, ticket: dict[str, Any], limit: int = 8
) -> list[dict[str, Any]]:
    """The customer's other tickets that the principal sees, newest change first."""
    principal.require(READ)
    t = console.read.tables.tickets
    email = ticket["customer"]["email"]
    query = select(t).where(t.c.portal_id == principal.portal_id, t.c.customer_key == comparable(email), t.c.id != ticket["id"],
                            t.c.place != "merged")  # fmt: skip
    async with console.database.read() as connection:
        rows = (await connection.execute(query.order_by(t.c.updated_at.desc()).limit(limit * 4))).all()
    return [summary(row) for row in rows if principal.sees(row.queue_id, row.assignee_id)][:limit]


async def message_row(console: Console, principal: Principal, message_id: str) -> Any:
    """A message's row. Raises `Problem` 404 unless its ticket is seen."""
    principal.require(READ)
    m = console.read.tables.messages
    async with console.database.read() as connection:
        row = (
            await connection.execute(select(m).where(m.c.id == message_id, m.c.portal_id == principal.portal_id))
        ).one_or_none()
    if row is None:
        raise not_found(mark("message"))
    await row_of(console, principal, row.ticket_id)
    return row


async def one_message(console: Console, principal: Principal, message_id: str) -> dict[str, Any]:
    """One message, its bodies whole."""
    row = await message_row(console, principal, message_id)
    shown = message(row)
    document = json.loads(row.document)
    for name in ("text", "html"):
        if ref := document.get(f"{name}_ref"):
            content = await blob(console, BlobRef.model_validate(ref))
            shown[name] = await asyncio.to_thread(content.decode, "utf-8", "replace")
    return shown | {"truncated": False}


async def raw(console: Console, principal: Principal, message_id: str) -> File:
    """The raw source, byte for byte. Raises `Problem` 404 for a message without one."""
    row = await message_row(console, principal, message_id)
    ref = json.loads(row.document).get("raw")
    if not ref:
        raise not_found(mark("raw source"))
    return File(await blob(console, BlobRef.model_validate(ref)), "message/rfc822", f"{message_id}.eml")


async def attachment(console: Console, principal: Principal, message_id: str, index: int) -> File:
    """An attachment's bytes. Raises `Problem` 404."""
    row = await message_row(console, principal, message_id)
    refs = json.loads(row.document).get("attachments", [])
    if not 0 <= index < len(refs):
        raise not_found(mark("attachment"))
    ref = refs[index]
    content = await blob(console, BlobRef.model_validate(ref["blob"]))
    return File(content, ref.get("content_type") or "application/octet-stream", ref.get("filename") or "attachment")


async def unmatched_bounces(console: Console, principal: Principal, *, limit: int = 50) -> Page:
    """Delivery failures that belong to no message of ours, newest first; agents see what came to their queues."""
    principal.require(READ)
    b = console.read.tables.bounces
    query = select(b).where(b.c.portal_id == principal.portal_id).order_by(b.c.at.desc(), b.c.id)
    own: set[str] | None = None
    async with console.database.read() as connection:
        if principal.queue_ids is not None:
            mine = select(addresses.c.id).where(addresses.c.queue_id.in_(sorted(principal.queue_ids)))
            own = set((await connection.execute(mine)).scalars())
        rows = (await connection.execute(query.limit(limit if own is None else MOST_BOUNCES))).all()
    from mailroom_console import times

    items = [
        {"id": row.id, "at": times.rfc3339(row.at), "reason": row.reason, "receipt_id": row.receipt_id,
         "message": json.loads(row.document) if row.document else None}
        for row in rows
    ]  # fmt: skip
    if own is not None:
        items = [item for item in items if (item["message"] or {}).get("address_id") in own]
    return Page(items[:limit])  # fmt: skip


async def blob(console: Console, ref: BlobRef) -> bytes:
    """The bytes of a reference. Raises `Problem` 404 or 503."""
    try:
        return await console.blobs.get(ref)
    except BlobMissing:
        raise not_found(mark("file any more; its time was over")) from None
    except BlobsDown:
        raise Problem(503, "blobs_unavailable", say("The file store does not answer. Try again later.")) from None


__all__ = ["File", "Filters", "attachment", "blob", "listed", "message_row", "one", "one_message", "raw", "row_of",
           "unmatched_bounces"]  # fmt: skip
