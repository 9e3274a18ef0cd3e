"""Canned answers of a portal, for all queues or for one."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import ids
from sqlalchemy import delete, func, insert, select, update

from mailroom_console import times
from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import READ, TICKETS, Principal
from mailroom_console.problems import conflict, invalid, not_found
from mailroom_console.storage.schema import canned, queues

MOST = 500
LONGEST = 20_000


async def listed(console: Console, principal: Principal, queue_id: str | None = None) -> list[dict[str, Any]]:
    """`{id, name, text, queue_id, updated_at}` by name: those of queues that the principal sees (or of one) and of all."""
    principal.require(READ)
    query = select(canned).where(canned.c.portal_id == principal.portal_id).order_by(canned.c.name, canned.c.id)
    async with console.database.read() as connection:
        rows = (await connection.execute(query)).all()
    return [
        _shown(row)
        for row in rows
        if row.queue_id is None or (row.queue_id == queue_id if queue_id else principal.sees(row.queue_id))
    ]


async def put(
    console: Console, principal: Principal, *, name: str, text: str, queue_id: str | None = None,
    canned_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Add one, or change one. Raises `Problem` 422 for bad fields, 404, 409 for too many."""
    principal.require(TICKETS)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise invalid("name", say("A name has 1 to 80 characters."))
    if not text.strip() or len(text) > LONGEST:
        raise invalid("text", say("A text has 1 to {longest} characters.", longest=LONGEST))
    values = {"name": name, "text": text, "queue_id": queue_id or None, "updated_at": console.now()}
    async with console.database.write() as connection:
        if queue_id and not (
            await connection.scalar(
                select(queues.c.id).where(queues.c.id == queue_id, queues.c.portal_id == principal.portal_id)
            )
            and principal.sees(queue_id)
        ):
            raise invalid("queue_id", say("There is no such queue."))
        mine = canned.c.portal_id == principal.portal_id
        if canned_id is None:
            if int(await connection.scalar(select(func.count()).select_from(canned).where(mine)) or 0) >= MOST:
                raise conflict("too_many", say("A portal has {most} canned answers at most.", most=MOST))
            canned_id = ids.derive("canned", principal.portal_id, passwords.drawn())
            await connection.execute(insert(canned).values(id=canned_id, portal_id=principal.portal_id, **values))
        else:
            done = await connection.execute(update(canned).where(mine, canned.c.id == canned_id).values(**values))
            if done.rowcount != 1:
                raise not_found(mark("canned answer"))
        row = (await connection.execute(select(canned).where(canned.c.id == canned_id))).one()
    return _shown(row)


async def remove(console: Console, principal: Principal, canned_id: str) -> None:
    """Delete one. Raises `Problem` 404."""
    principal.require(TICKETS)
    async with console.database.write() as connection:
        mine = (canned.c.portal_id == principal.portal_id, canned.c.id == canned_id)
        if (await connection.execute(delete(canned).where(*mine))).rowcount != 1:
            raise not_found(mark("canned answer"))


def _shown(row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "text": row.text, "queue_id": row.queue_id,
            "updated_at": times.rfc3339(row.updated_at)}  # fmt: skip
