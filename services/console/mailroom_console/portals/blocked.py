"""Blocked senders and domains of a portal: their mail is spam. Published with the portal."""

from __future__ import annotations

from typing import Any

from mailroom_mail import comparable
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.mailboxes import domain_name
from mailroom_console.principals import READ, TICKETS, Principal
from mailroom_console.problems import conflict, invalid, not_found
from mailroom_console.storage.schema import blocked, portals

from .records import publish_portal

MOST = 5_000  # they travel with the portal, in one record


async def listed(console: Console, principal: Principal) -> list[dict[str, Any]]:
    """`{email or domain, at, by}`, newest first."""
    principal.require(READ)
    query = select(blocked).where(blocked.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        rows = await connection.execute(query.order_by(blocked.c.at.desc(), blocked.c.entry))
        return [_shown(row.entry) | {"at": times.rfc3339(row.at), "by": row.by_name} for row in rows]


async def add(
    console: Console, principal: Principal, *, email: str | None = None, domain: str | None = None
) -> dict[str, Any]:
    """Block one. Raises `Problem` 422 for what is neither, 409 for the portal's own domains and for too many."""
    principal.require(TICKETS)
    entry, now = _entry(email, domain), console.now()
    async with console.database.write() as connection:
        if (entry.rpartition("@")[2]) in await _own_domains(connection, principal.portal_id):
            raise conflict("own_domain", say("That is a domain of your own."))
        known = select(func.count()).select_from(blocked).where(blocked.c.portal_id == principal.portal_id)
        if int(await connection.scalar(known) or 0) >= MOST:
            raise conflict("too_many", say("At most {most} senders and domains can be blocked.", most=MOST))
        try:
            async with connection.begin_nested():
                row = {"portal_id": principal.portal_id, "entry": entry, "at": now, "by_name": principal.name}
                await connection.execute(insert(blocked).values(**row))
        except IntegrityError:
            return _shown(entry)
        await _published(connection, principal, "portal.blocked", entry, now)
    return _shown(entry)


async def remove(
    console: Console, principal: Principal, *, email: str | None = None, domain: str | None = None
) -> None:
    """Take one off the list. Raises `Problem` 404 when it is not there."""
    principal.require(TICKETS)
    entry, now = _entry(email, domain), console.now()
    async with console.database.write() as connection:
        mine = (blocked.c.portal_id == principal.portal_id, blocked.c.entry == entry)
        done = await connection.execute(delete(blocked).where(*mine))
        if done.rowcount != 1:
            raise not_found(mark("entry"))
        await _published(connection, principal, "portal.unblocked", entry, now)


async def _published(connection: AsyncConnection, principal: Principal, action: str, entry: str, now: int) -> None:
    row = (await connection.execute(select(portals).where(portals.c.id == principal.portal_id))).one()
    await connection.execute(
        update(portals).where(portals.c.id == row.id).values(revision=row.revision + 1, updated_at=now)
    )
    await audit.record(connection, portal_id=row.id, by=principal, action=action, kind="portal", subject_id=row.id,
                       name=row.name, revision=row.revision + 1, changes={"blocked": [None, entry]}, now=now)  # fmt: skip
    await publish_portal(connection, row.id, now)


async def _own_domains(connection: AsyncConnection, portal_id: str) -> set[str]:
    from .records import domains_of

    return set(await domains_of(connection, portal_id))


def _entry(email: str | None, domain: str | None) -> str:
    if (email is None) == (domain is None):
        raise invalid("email", say("Name either an email or a domain."))
    if domain is not None:
        return domain_name(domain.strip().lstrip("@"))
    wanted = comparable((email or "").strip())
    local, at, host = wanted.rpartition("@")
    if not (local and at and "." in host) or any(c.isspace() for c in wanted):
        raise invalid("email", say("That is no mail address."))
    return wanted


def _shown(entry: str) -> dict[str, Any]:
    return {"email": entry} if "@" in entry else {"domain": entry}
