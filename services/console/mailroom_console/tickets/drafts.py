"""Drafts of replies: one per agent and ticket, kept until it is sent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mailroom_console import times
from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import TICKETS, Principal
from mailroom_console.problems import Problem
from mailroom_console.storage.schema import drafts

from . import reading as tickets

_FIELDS = {"text", "html", "to", "cc", "bcc", "attachments", "from_address_id", "note", "note_html"}
LONGEST = 200_000


async def get(console: Console, principal: Principal, ticket_id: str) -> dict[str, Any] | None:
    """The draft, or None. `key` is the Idempotency-Key that sending it must use."""
    principal.require(TICKETS)
    ticket = await tickets.row_of(console, principal, ticket_id)
    async with console.database.read() as connection:
        row = (
            await connection.execute(
                select(drafts).where(drafts.c.ticket_id == ticket.id, drafts.c.agent_id == principal.agent_id)
            )
        ).one_or_none()
    return None if row is None else _shown(row)


async def put(console: Console, principal: Principal, ticket_id: str, content: dict[str, Any]) -> dict[str, Any]:
    """Keep a draft. Raises `Problem` 403 for a token: drafts belong to people."""
    principal.require(TICKETS)
    if principal.agent_id is None:
        raise Problem(403, "forbidden", say("Drafts belong to agents."))
    ticket = await tickets.row_of(console, principal, ticket_id)
    kept = {key: value for key, value in content.items() if key in _FIELDS}
    if len(str(kept)) > LONGEST:
        raise Problem(413, "too_large", say("The draft is too long."))
    async with console.database.write() as connection:
        insert: Any = (sqlite if console.database.sqlite else postgresql).insert(drafts)
        statement = insert.values(
            ticket_id=ticket.id, agent_id=principal.agent_id, portal_id=principal.portal_id, key=passwords.drawn(),
            content=kept, updated_at=console.now(),
        )  # fmt: skip
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["ticket_id", "agent_id"],
                set_={"content": statement.excluded.content, "updated_at": statement.excluded.updated_at},
            )
        )
        row = (
            await connection.execute(
                select(drafts).where(drafts.c.ticket_id == ticket.id, drafts.c.agent_id == principal.agent_id)
            )
        ).one()
    return _shown(row)


async def forget(console: Console, principal: Principal, ticket_id: str) -> None:
    """Delete the draft, if there is one."""
    if principal.agent_id is None:
        return
    async with console.database.write() as connection:
        await connection.execute(
            delete(drafts).where(drafts.c.ticket_id == ticket_id, drafts.c.agent_id == principal.agent_id)
        )


def _shown(row: Any) -> dict[str, Any]:
    return {"ticket_id": row.ticket_id, "key": row.key, "updated_at": times.rfc3339(row.updated_at), **row.content}
