"""API tokens: bound to a portal, with scopes; only a digest is stored."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import ids
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import ADMIN, CONFIG, PLATFORM, READ, SCOPES, TICKETS, Principal
from mailroom_console.problems import Problem, invalid
from mailroom_console.storage.paging import Page
from mailroom_console.storage.portal_rows import portal_row
from mailroom_console.storage.schema import api_tokens, portals

from . import audit, passwords

PREFIX = "mr_"
PORTAL_SCOPES = [READ, TICKETS, CONFIG, ADMIN]
ALL_SCOPES = [*PORTAL_SCOPES, PLATFORM]


async def listed(console: Console, principal: Principal) -> Page:
    """The portal's tokens, newest first; never the tokens themselves."""
    principal.require(ADMIN)
    query = select(api_tokens).where(api_tokens.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        rows = (await connection.execute(query.order_by(api_tokens.c.created_at.desc()))).all()
    return Page([_shown(row) for row in rows])


async def create(
    console: Console, principal: Principal, *, name: str, scopes: list[str], days: int | None = None
) -> dict[str, Any]:
    """Make a token; `token` in the answer is shown this once. Nobody gives more than they have."""
    principal.require(ADMIN)
    if not name.strip() or len(name) > 100:
        raise invalid("name", say("Say in 1 to 100 characters what the token is for."))
    if unknown := set(scopes) - set(SCOPES):
        raise invalid(
            "scopes", say("No scope {names}; there are {all}.", names=", ".join(sorted(unknown)), all=", ".join(SCOPES))
        )
    if not scopes:
        raise invalid("scopes", say("A token needs at least one scope."))
    if more := set(scopes) - principal.scopes:
        raise Problem(403, "scope_missing", say("You cannot give the scope {names}.", names=", ".join(sorted(more))))
    now = console.now()
    async with console.database.write() as connection:
        secret = await add(connection, portal_id=principal.portal_id, name=name.strip(), scopes=sorted(set(scopes)),
                           by=principal.name, now=now, expires_at=now + days * times.DAY if days else None)  # fmt: skip
        row = (
            await connection.execute(select(api_tokens).where(api_tokens.c.digest == passwords.digest(secret)))
        ).one()
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="token.created", kind="token",
            subject_id=row.id, name=name.strip(), changes={"scopes": [None, row.scopes]}, now=now,
        )  # fmt: skip
    return _shown(row) | {"token": secret}


async def add(
    connection: AsyncConnection, *, portal_id: str, name: str, scopes: list[str], by: str, now: int,
    expires_at: int | None = None,
) -> str:  # fmt: skip
    """Insert a token within a transaction; the token itself."""
    secret = passwords.drawn(PREFIX)
    digest = passwords.digest(secret)
    await connection.execute(
        insert(api_tokens).values(id=ids.derive("token", digest), portal_id=portal_id, name=name, digest=digest,
                                  hint=secret[:7], scopes=scopes, created_at=now, created_by=by, expires_at=expires_at)
    )  # fmt: skip
    return secret


async def remove(console: Console, principal: Principal, token_id: str) -> None:
    """End a token at once."""
    principal.require(ADMIN)
    now = console.now()
    async with console.database.write() as connection:
        row = await portal_row(connection, api_tokens, principal, token_id, "token")
        await connection.execute(delete(api_tokens).where(api_tokens.c.id == token_id))
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="token.deleted", kind="token",
            subject_id=token_id, name=row.name, now=now,
        )  # fmt: skip


async def principal_of(console: Console, secret: str) -> Principal | None:
    """Whom a token stands for, or None for one that is not valid (any more)."""
    if not secret.startswith(PREFIX) or len(secret) > 200:
        return None
    now = console.now()
    async with console.database.read() as connection:
        row = (
            await connection.execute(
                select(api_tokens).join(portals, portals.c.id == api_tokens.c.portal_id)
                .where(api_tokens.c.digest == passwords.digest(secret), portals.c.active)
            )
        ).one_or_none()  # fmt: skip
    if row is None or (row.expires_at is not None and row.expires_at < now):
        return None
    if row.used_at is None or row.used_at < now - times.HOUR:
        async with console.database.write() as connection:
            await connection.execute(update(api_tokens).where(api_tokens.c.id == row.id).values(used_at=now))
    return Principal(kind="token", id=row.id, portal_id=row.portal_id, name=row.name, scopes=frozenset(row.scopes))


def _shown(row: Any) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "hint": f"{row.hint}…", "scopes": row.scopes,
            "created_at": times.rfc3339(row.created_at), "created_by": row.created_by,
            "used_at": times.rfc3339(row.used_at), "expires_at": times.rfc3339(row.expires_at)}  # fmt: skip
