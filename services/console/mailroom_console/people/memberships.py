"""Who works in which queue: one table that queues and agents both show, so that a change of either publishes both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mailroom_contracts import Agent, Queue, topics
from sqlalchemy import Column, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.languages import say
from mailroom_console.problems import invalid
from mailroom_console.storage.outbox import publish
from mailroom_console.storage.schema import agents, queue_agents, queues


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a membership: its column, the table that this points to, and what people call one."""

    column: Column[Any]
    table: Table
    noun: str


_QUEUE = _Side(queue_agents.c.queue_id, queues, "queue")
_AGENT = _Side(queue_agents.c.agent_id, agents, "agent")


async def agents_of(connection: AsyncConnection, queue_ids: Collection[str]) -> dict[str, list[str]]:
    """Who works in each of these queues; queues without anybody are left out."""
    return await _others(connection, _QUEUE, _AGENT, queue_ids)


async def queues_of(connection: AsyncConnection, agent_ids: Collection[str]) -> dict[str, list[str]]:
    """Where each of these agents works; agents without a queue are left out."""
    return await _others(connection, _AGENT, _QUEUE, agent_ids)


async def set_agents(
    connection: AsyncConnection, portal_id: str, queue_id: str, agent_ids: Collection[str]
) -> list[str]:
    """Set who works in a queue; the agents for whom that changed. Raises `Problem` 422 for an unknown agent."""
    return await _set(connection, portal_id, _QUEUE, queue_id, _AGENT, set(agent_ids))


async def set_queues(
    connection: AsyncConnection, portal_id: str, agent_id: str, queue_ids: Collection[str]
) -> list[str]:
    """Set where an agent works; the queues for which that changed. Raises `Problem` 422 for an unknown queue."""
    return await _set(connection, portal_id, _AGENT, agent_id, _QUEUE, set(queue_ids))


async def publish_queue(connection: AsyncConnection, queue_id: str, now: int) -> None:
    """Put the queue as it is now into the outbox."""
    row = (await connection.execute(select(queues).where(queues.c.id == queue_id))).one()
    members = (await agents_of(connection, [queue_id])).get(queue_id, [])
    await publish(
        connection, topics.QUEUES,
        Queue(id=row.id, portal_id=row.portal_id, name=row.name, agent_ids=members, revision=row.revision,
              updated_at=times.moment(row.updated_at)),
        now=times.moment(now),
    )  # fmt: skip


async def publish_agent(connection: AsyncConnection, agent_id: str, now: int) -> None:
    """Put the agent as it is now into the outbox."""
    row = (await connection.execute(select(agents).where(agents.c.id == agent_id))).one()
    where = (await queues_of(connection, [agent_id])).get(agent_id, [])
    await publish(
        connection, topics.AGENTS,
        Agent(id=row.id, portal_id=row.portal_id, email=row.email, name=row.name, role=row.role, active=row.active,
              queue_ids=where, revision=row.revision, updated_at=times.moment(row.updated_at)),
        now=times.moment(now),
    )  # fmt: skip


async def renew_queues(connection: AsyncConnection, queue_ids: Collection[str], now: int) -> None:
    """A new revision of queues whose agents changed."""
    for queue_id in queue_ids:
        await _raise_revision(connection, queues, queue_id, now)
        await publish_queue(connection, queue_id, now)


async def renew_agents(connection: AsyncConnection, agent_ids: Collection[str], now: int) -> None:
    """A new revision of agents whose queues changed."""
    for agent_id in agent_ids:
        await _raise_revision(connection, agents, agent_id, now)
        await publish_agent(connection, agent_id, now)


async def _raise_revision(connection: AsyncConnection, table: Table, row_id: str, now: int) -> None:
    raised = update(table).where(table.c.id == row_id).values(revision=table.c.revision + 1, updated_at=now)
    await connection.execute(raised)


async def _others(
    connection: AsyncConnection, own: _Side, other: _Side, own_ids: Collection[str]
) -> dict[str, list[str]]:
    rows = await connection.execute(
        select(own.column, other.column).where(own.column.in_(own_ids)).order_by(other.column)
    )
    found: dict[str, list[str]] = {}
    for own_id, other_id in rows:
        found.setdefault(own_id, []).append(other_id)
    return found


async def _set(
    connection: AsyncConnection, portal_id: str, own: _Side, own_id: str, other: _Side, wanted: set[str]
) -> list[str]:
    table = other.table
    known = await connection.execute(select(table.c.id).where(table.c.portal_id == portal_id, table.c.id.in_(wanted)))
    if missing := wanted - set(known.scalars()):
        raise invalid(
            f"{other.noun}_ids", say("There is no {noun} {names}.", noun=other.noun, names=", ".join(sorted(missing)))
        )
    present = set((await connection.execute(select(other.column).where(own.column == own_id))).scalars())
    if gone := present - wanted:
        await connection.execute(delete(queue_agents).where(own.column == own_id, other.column.in_(gone)))
    if new := wanted - present:
        rows = [{own.column.name: own_id, other.column.name: each} for each in sorted(new)]
        await connection.execute(insert(queue_agents), rows)
    return sorted(gone | new)
