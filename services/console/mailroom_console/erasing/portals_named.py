"""Finding the portal that is to be deleted, and how far its deletion is, for who operates the platform."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from mailroom_console.context import Console
from mailroom_console.portals.records import domains_of
from mailroom_console.principals import PLATFORM, Principal
from mailroom_console.storage.schema import erasures, portals

from .asked import PORTAL, shown


async def named(console: Console, principal: Principal, name: str) -> list[dict[str, Any]]:
    """The portals of exactly this name, each with its id and mail domains."""
    principal.require(PLATFORM)
    query = select(portals.c.id, portals.c.name).where(portals.c.name == " ".join(name.split()))
    async with console.database.read() as connection:
        rows = (await connection.execute(query.order_by(portals.c.created_at, portals.c.id))).all()
        return [{"id": row.id, "name": row.name, "domains": await domains_of(connection, row.id)} for row in rows]


async def progress(console: Console, erasure: str) -> dict[str, Any] | None:
    """The deletion of a portal as the API tells it, with `left`, the tickets that are still there; None: there is none."""
    t, e = console.read.tables.tickets, erasures
    async with console.database.read() as connection:
        row = (await connection.execute(select(e).where(e.c.id == erasure, e.c.kind == PORTAL))).one_or_none()
        if row is None:
            return None
        left = await connection.scalar(select(func.count()).select_from(t).where(t.c.portal_id == row.portal_id))
    return shown(row, console) | {"left": left or 0}
