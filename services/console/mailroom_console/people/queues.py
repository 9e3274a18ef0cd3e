"""Queues: who works in them, and how much waits there."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import ids, topics
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import CONFIG, READ, Principal
from mailroom_console.problems import conflict, invalid, not_found, revision_conflict
from mailroom_console.storage.outbox import retract
from mailroom_console.storage.paging import Page
from mailroom_console.storage.portal_rows import portal_row
from mailroom_console.storage.schema import addresses, queues

from .memberships import agents_of, publish_queue, renew_agents, set_agents


async def listed(console: Console, principal: Principal) -> Page:
    """The queues that the principal sees, by name, with `waiting` (open and unassigned) and `open` counts."""
    principal.require(READ)
    async with console.database.read() as connection:
        rows = (
            await connection.execute(
                select(queues).where(queues.c.portal_id == principal.portal_id).order_by(queues.c.name, queues.c.id)
            )
        ).all()
        members = await agents_of(connection, [row.id for row in rows])
    visible = [row for row in rows if principal.sees(row.id)]
    counts = await console.read.queue_counts(principal.portal_id, [row.id for row in visible])
    return Page([_shown(row, members.get(row.id, []), counts.get(row.id, {})) for row in visible])


async def named(console: Console, principal: Principal) -> dict[str, str]:
    """The names of the queues that the principal sees, by their ids, in the order of names: for choices and lists that
    need neither agents nor counts."""
    principal.require(READ)
    query = select(queues.c.id, queues.c.name).where(queues.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        rows = await connection.execute(query.order_by(queues.c.name, queues.c.id))
        return {row.id: row.name for row in rows if principal.sees(row.id)}


async def one(console: Console, principal: Principal, queue_id: str) -> dict[str, Any]:
    """One queue. Raises `Problem` 404."""
    for queue in (await listed(console, principal)).items:
        if queue["id"] == queue_id:
            return queue
    raise not_found(mark("queue"))


async def create(
    console: Console, principal: Principal, *, name: str, agent_ids: list[str] | None = None
) -> dict[str, Any]:
    """Make a queue. Raises `Problem` 409 `name_taken`."""
    principal.require(CONFIG)
    name = _name(name)
    now = console.now()
    async with console.database.write() as connection:
        queue_id = await _free_id(connection, principal.portal_id, name)
        revision = await audit.last_revision(connection, queue_id) + 1
        try:
            await connection.execute(
                insert(queues).values(
                    id=queue_id, portal_id=principal.portal_id, name=name, revision=revision,
                    created_at=now, updated_at=now,
                )
            )  # fmt: skip
        except IntegrityError:
            raise conflict("name_taken", say("There is a queue {name!r} already.", name=name)) from None
        changed = await set_agents(connection, principal.portal_id, queue_id, agent_ids or [])
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="queue.created", kind="queue",
            subject_id=queue_id, name=name, revision=revision, changes={"agent_ids": [None, agent_ids or []]}, now=now,
        )  # fmt: skip
        await publish_queue(connection, queue_id, now)
        await renew_agents(connection, changed, now)
    return await one(console, principal, queue_id)


async def change(
    console: Console, principal: Principal, queue_id: str, *, name: str | None = None,
    agent_ids: list[str] | None = None, revision: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Rename, or say who works in it; None leaves as is. `revision`: the one that was seen."""
    principal.require(CONFIG)
    now = console.now()
    async with console.database.write() as connection:
        row = await portal_row(connection, queues, principal, queue_id, "queue")
        if revision is not None and revision != row.revision:
            raise revision_conflict(row.revision)
        before = {"name": row.name, "agent_ids": (await agents_of(connection, [queue_id])).get(queue_id, [])}
        after: dict[str, Any] = {
            "name": _name(name) if name is not None else row.name,
            "agent_ids": sorted(set(agent_ids)) if agent_ids is not None else before["agent_ids"],
        }
        changes = audit.changes_between(before, after)
        if changes:
            try:
                done = await connection.execute(
                    update(queues).where(queues.c.id == queue_id, queues.c.revision == row.revision)
                    .values(name=after["name"], revision=row.revision + 1, updated_at=now)
                )  # fmt: skip
            except IntegrityError:
                raise conflict("name_taken", say("There is a queue {name!r} already.", name=after["name"])) from None
            if done.rowcount != 1:
                raise revision_conflict(row.revision + 1)
            changed = await set_agents(connection, principal.portal_id, queue_id, after["agent_ids"])
            await audit.record(
                connection, portal_id=principal.portal_id, by=principal, action="queue.changed", kind="queue",
                subject_id=queue_id, name=after["name"], revision=row.revision + 1, changes=changes, now=now,
            )  # fmt: skip
            await publish_queue(connection, queue_id, now)
            await renew_agents(connection, changed, now)
    return await one(console, principal, queue_id)


async def remove(console: Console, principal: Principal, queue_id: str) -> None:
    """Delete a queue. Raises `Problem` 409 `in_use` while an address or an open ticket is in it."""
    principal.require(CONFIG)
    now = console.now()
    tickets = await console.read.unclosed_in(principal.portal_id, queue_id)
    async with console.database.write() as connection:
        row = await portal_row(connection, queues, principal, queue_id, "queue")
        users = (await connection.execute(select(addresses.c.email).where(addresses.c.queue_id == queue_id))).scalars()
        if emails := list(users):
            raise conflict(
                "in_use", say("The queue is used by {names}. Give them another queue first.", names=", ".join(emails))
            )
        if tickets:
            raise conflict("in_use", say("The queue holds tickets that are not closed. Move or close them first."))
        members = (await agents_of(connection, [queue_id])).get(queue_id, [])
        await connection.execute(delete(queues).where(queues.c.id == queue_id))
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action="queue.deleted", kind="queue",
            subject_id=queue_id, name=row.name, revision=row.revision, now=now,
        )  # fmt: skip
        await retract(connection, topics.QUEUES, queue_id)
        await renew_agents(connection, members, now)


async def _free_id(connection: AsyncConnection, portal_id: str, name: str) -> str:
    """An id derived from the name; a queue renamed since may have it, so a count is added until one is free."""
    for count in range(1000):
        queue_id = ids.derive("queue", portal_id, name, str(count)) if count else ids.derive("queue", portal_id, name)
        row = (await connection.execute(select(queues.c.name).where(queues.c.id == queue_id))).one_or_none()
        if row is None or row.name == name:
            return queue_id
    raise conflict("name_taken", say("Choose another name."))


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 100:
        raise invalid("name", say("A name has 1 to 100 characters."))
    return name


def _shown(row: Any, members: list[str], counts: dict[str, int]) -> dict[str, Any]:
    return {"id": row.id, "portal_id": row.portal_id, "name": row.name, "agent_ids": members,
            "waiting": counts.get("waiting", 0), "open": counts.get("open", 0), "revision": row.revision}  # fmt: skip
