"""The token that the platform itself made (MAILROOM_PLATFORM_TOKEN): it is not lost with the console's disk, and changed there."""

from __future__ import annotations

from mailroom_contracts import ids
from sqlalchemy import delete, insert, select

from mailroom_console.storage.database import Database
from mailroom_console.storage.schema import api_tokens, portals

from . import audit, passwords
from .tokens import ALL_SCOPES

NAME = "Platform token (MAILROOM_PLATFORM_TOKEN)"
BY = "Mailroom"


async def keep(database: Database, secret: str, *, now: int) -> None:
    """Make `secret` the one platform token; one that was set before ends. It belongs to the oldest active portal."""
    digest = passwords.digest(secret)
    async with database.write() as connection:
        await database.one_at_a_time(connection)
        portal_id = await connection.scalar(
            select(portals.c.id).where(portals.c.active).order_by(portals.c.created_at, portals.c.id).limit(1)
        )
        if portal_id is None:
            return
        t = api_tokens
        its_own = (t.c.name == NAME) & (t.c.created_by == BY)
        before = (await connection.execute(select(t.c.digest, t.c.portal_id, t.c.scopes).where(its_own))).all()
        if [tuple(row) for row in before] == [(digest, portal_id, ALL_SCOPES)]:
            return
        await connection.execute(delete(t).where(its_own | (t.c.digest == digest)))
        token_id = ids.derive("token", digest)
        await connection.execute(
            insert(t).values(id=token_id, portal_id=portal_id, name=NAME, digest=digest, hint=secret[:7],
                             scopes=ALL_SCOPES, created_at=now, created_by=BY)
        )  # fmt: skip
        await audit.record(
            connection, portal_id=portal_id, by=None, action="token.created", kind="token", subject_id=token_id,
            name=NAME, changes={"scopes": [None, ALL_SCOPES]}, now=now,
        )  # fmt: skip
