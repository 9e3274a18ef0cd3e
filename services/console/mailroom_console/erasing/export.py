"""What is known of a person: every ticket of one address, with its messages, as data."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, select

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.principals import ADMIN, Principal
from mailroom_console.storage.paging import Page, number_cursor

from .other_tickets import messages_with, own, person_address

AT_ONCE = 20
OTHERS = "others"  # where the pages go on after the last of the person's own tickets


async def known(console: Console, principal: Principal, email: str) -> dict[str, int]:
    """How many tickets of the principal's portal are the person's, how many messages are in them, and in how many other
    tickets the person wrote or is named."""
    principal.require(ADMIN)
    email = await person_address(console, principal, email)
    t = console.read.tables.tickets
    query = select(func.count(), func.coalesce(func.sum(t.c.message_count), 0)).where(
        t.c.portal_id == principal.portal_id, t.c.customer_key == email
    )
    async with console.database.read() as connection:
        tickets, messages = (await connection.execute(query)).one()
    others = await messages_with(console, principal.portal_id, email)
    return {"tickets": tickets, "messages": int(messages), "other_tickets": len(others)}


async def exported(console: Console, principal: Principal, email: str, *, after: str | None = None) -> Page:
    """The person's tickets of the principal's portal, oldest first, `AT_ONCE` a page: each with its messages, whole, and
    its history. Files are named by their messages; the API gives them as it gives any. On the last page then: the tickets
    of others that the person took part in, each with the person's own messages alone."""
    principal.require(ADMIN)
    email = await person_address(console, principal, email)
    tables = console.read.tables
    t, m, h = tables.tickets, tables.messages, tables.history
    query = select(t).where(t.c.portal_id == principal.portal_id, t.c.customer_key == email)
    if after == OTHERS:
        return Page(await _of_others(console, principal.portal_id, email))
    if after:
        query = query.where(t.c.seq > number_cursor(after))
    async with console.database.read() as connection:
        rows = (await connection.execute(query.order_by(t.c.seq).limit(AT_ONCE + 1))).all()
        items: list[dict[str, Any]] = []
        for row in rows[:AT_ONCE]:
            messages = await connection.scalars(
                select(m.c.document).where(m.c.ticket_id == row.id).order_by(m.c.at, m.c.id)
            )
            history = await connection.execute(select(h).where(h.c.ticket_id == row.id).order_by(h.c.version))
            items.append({
                "id": row.id, "number": row.number, "role": "customer", "subject": row.subject, "status": row.status,
                "customer": {"email": row.customer_email, "name": row.customer_name}, "tags": row.tags,
                "created_at": times.rfc3339(row.created_at), "messages": [json.loads(each) for each in messages],
                "history": [{"type": each.type, "at": times.rfc3339(each.at), **json.loads(each.document)} for each in history],
            })  # fmt: skip
    return Page(items, str(rows[AT_ONCE - 1].seq) if len(rows) > AT_ONCE else OTHERS)


async def _of_others(console: Console, portal_id: str, email: str) -> list[dict[str, Any]]:
    t = console.read.tables.tickets
    found = await messages_with(console, portal_id, email)
    items: list[dict[str, Any]] = []
    async with console.database.read() as connection:
        for ticket, messages in found.items():
            number = await connection.scalar(select(t.c.number).where(t.c.id == ticket))
            mine = own(messages, portal_id, email)
            items.append(
                {"id": ticket, "number": number, "role": "participant", "named_in": len(messages), "messages": mine}
            )
    return items
