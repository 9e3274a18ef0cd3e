"""The trail of configuration changes: who changed what, in the same transaction as the change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.principals import ADMIN, Principal
from mailroom_console.storage.paging import Page, number_cursor
from mailroom_console.storage.schema import audit

HIDDEN = "(hidden)"


async def record(
    connection: AsyncConnection, *, portal_id: str, by: Principal | None, action: str, kind: str, subject_id: str,
    name: str = "", revision: int | None = None, changes: dict[str, Any] | None = None, now: int,
) -> None:  # fmt: skip
    """Add one entry. `by` None: the console itself. Secrets never come here: callers pass `HIDDEN` instead."""
    await connection.execute(
        insert(audit).values(
            portal_id=portal_id, at=now, actor_kind=by.actor.kind if by else "console", actor_id=by.id if by else None,
            actor_name=by.name if by else "Mailroom", action=action, subject_kind=kind, subject_id=subject_id,
            subject_name=name, revision=revision, changes=changes or {},
        )
    )  # fmt: skip


async def last_revision(connection: AsyncConnection, subject_id: str) -> int:
    """The highest revision that this id ever had, 0 for a new one: a thing made again after deletion counts on."""
    found = await connection.scalar(select(func.max(audit.c.revision)).where(audit.c.subject_id == subject_id))
    return int(found or 0)


def changes_between(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What differs, as {field: [before, after]}."""
    return {key: [old.get(key), value] for key, value in new.items() if old.get(key) != value}


async def entries(
    console: Console, principal: Principal, *, limit: int = 50, after: str | None = None,
    subject_id: str | None = None,
) -> Page:  # fmt: skip
    """The trail of the portal, newest first."""
    principal.require(ADMIN)
    query = select(audit).where(audit.c.portal_id == principal.portal_id).order_by(audit.c.seq.desc()).limit(limit + 1)
    if subject_id:
        query = query.where(audit.c.subject_id == subject_id)
    if after:
        query = query.where(audit.c.seq < number_cursor(after))
    async with console.database.read() as connection:
        rows = (await connection.execute(query)).all()
    items = [
        {"id": str(row.seq), "at": times.rfc3339(row.at), "action": row.action,
         "actor": {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
         "subject": {"kind": row.subject_kind, "id": row.subject_id, "name": row.subject_name},
         "revision": row.revision, "changes": row.changes}
        for row in rows[:limit]
    ]  # fmt: skip
    return Page(items, str(rows[limit - 1].seq) if len(rows) > limit else None)
