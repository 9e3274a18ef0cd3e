"""What was asked to be forgotten: the request, which is kept, and how it stands. `work` carries it out."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import ids
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.portals.records import publish_portal
from mailroom_console.principals import ADMIN, PLATFORM, Principal
from mailroom_console.problems import conflict, invalid, not_found
from mailroom_console.storage.schema import erasures, portals

from . import log_times
from .other_tickets import person_address

GOING, DONE = "going", "done"
PERSON, PORTAL = "person", "portal"


async def erase_person(console: Console, principal: Principal, email: str) -> dict[str, Any]:
    """Ask for every ticket of one address in the principal's portal to be forgotten. Asking again changes nothing."""
    principal.require(ADMIN)
    email = await person_address(console, principal, email)
    now = console.now()
    subject = ids.derive("person", email)[:16]
    async with console.database.write() as connection:
        row = {"kind": PERSON, "portal_id": principal.portal_id, "subject": subject, "target": email}
        erasure = await _begun(connection, principal, row, now)
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="person.erased", kind="person",
            subject_id=erasure, name=subject, now=now,
        )  # fmt: skip
        return await _one(console, connection, erasure)


async def delete_portal(console: Console, principal: Principal, portal_id: str, *, typed: str) -> dict[str, Any]:
    """Ask for a portal to be deleted, with everything of it. It takes no mail from now on.

    `typed`: its name, typed by whoever asks. Raises `Problem` 404, 422 for another name, and 409 `own_portal` for the
    portal of the token that asks, which would end with it.
    """
    principal.require(PLATFORM)
    now = console.now()
    async with console.database.write() as connection:
        row = (await connection.execute(select(portals).where(portals.c.id == portal_id))).one_or_none()
        if row is None:
            raise not_found(mark("portal"))
        if portal_id == principal.portal_id:
            raise conflict(
                "own_portal", say("This is the portal of the token that asks. Use the token of another one.")
            )
        if " ".join(typed.split()) != row.name:
            raise invalid("name", say("Type the portal's name, {name}, to delete it.", name=row.name))
        given = {"kind": PORTAL, "portal_id": portal_id, "subject": row.name, "target": None}
        erasure = await _begun(connection, principal, given, now)
        if row.active:
            await connection.execute(
                update(portals).where(portals.c.id == portal_id)
                .values(active=False, revision=row.revision + 1, updated_at=now)
            )  # fmt: skip
            await publish_portal(connection, portal_id, now)
        return await _one(console, connection, erasure)


async def listed(console: Console, principal: Principal) -> list[dict[str, Any]]:
    """What was asked, newest first: of the principal's portal; with the scope `platform` deleted portals, too."""
    principal.require(ADMIN)
    mine = erasures.c.portal_id == principal.portal_id
    if PLATFORM in principal.scopes:
        mine |= erasures.c.kind == PORTAL
    async with console.database.read() as connection:
        rows = await connection.execute(select(erasures).where(mine).order_by(erasures.c.asked_at.desc()).limit(500))
        return [shown(row, console) for row in rows]


def shown(row: Any, console: Console) -> dict[str, Any]:
    """An erasure as the API tells it: `removed` counts by kind what is gone, `event_log` says how it stands there."""
    return {
        "id": row.id, "kind": row.kind, "portal_id": row.portal_id, "subject": row.subject, "state": row.state,
        "asked_at": times.rfc3339(row.asked_at), "asked_by": row.asked_by,
        "done_at": None if row.done_at is None else times.rfc3339(row.done_at), "removed": row.removed,
        "event_log": log_times.told(row, console.settings.erasure_days),
    }  # fmt: skip


async def _begun(connection: AsyncConnection, principal: Principal, row: dict[str, Any], now: int) -> str:
    """The erasure that is under way for this, begun where there is none."""
    e = erasures
    same = (e.c.portal_id == row["portal_id"], e.c.kind == row["kind"], e.c.subject == row["subject"])
    going = await connection.scalar(select(e.c.id).where(*same, e.c.state == GOING))
    if going is not None:
        return str(going)
    before = await connection.scalar(select(func.count()).select_from(e).where(*same)) or 0
    erasure = ids.derive("erasure", row["kind"], row["portal_id"], row["subject"], str(before))
    await connection.execute(insert(e).values(id=erasure, state=GOING, asked_at=now, asked_by=principal.name, **row))
    return erasure


async def _one(console: Console, connection: AsyncConnection, erasure: str) -> dict[str, Any]:
    return shown((await connection.execute(select(erasures).where(erasures.c.id == erasure))).one(), console)
