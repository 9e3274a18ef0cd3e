"""The rows of a portal: deleted in one transaction, with what tells the other services."""

from __future__ import annotations

from mailroom_contracts import topics
from sqlalchemy import delete, or_, select

from mailroom_console.context import Console
from mailroom_console.storage.outbox import retract
from mailroom_console.storage.read_schema import GENERATIONS
from mailroom_console.storage.schema import (
    addresses,
    agents,
    api_tokens,
    audit,
    blocked,
    canned,
    dead_letters,
    domains,
    drafts,
    expiries,
    forwarding_checks,
    login_failures,
    oauth_states,
    outbox,
    portals,
    queues,
    uploads,
)

# in this order: who names another goes first
_OF_A_PORTAL = (
    expiries,
    drafts,
    uploads,
    forwarding_checks,
    oauth_states,
    blocked,
    canned,
    dead_letters,
    api_tokens,
    audit,
)


async def remove_portal(console: Console, portal_id: str) -> dict[str, int]:
    """Delete the portal's configuration, people, tokens and trail, and tell Kafka; how many of each there were.

    The tombstone of the portal is last, so that a subscriber that sees it has seen the others.
    """
    removed: dict[str, int] = {}
    async with console.database.write() as connection:
        address_ids = list(await connection.scalars(select(addresses.c.id).where(addresses.c.portal_id == portal_id)))
        queue_ids = list(await connection.scalars(select(queues.c.id).where(queues.c.portal_id == portal_id)))
        people = (
            await connection.execute(select(agents.c.id, agents.c.email).where(agents.c.portal_id == portal_id))
        ).all()
        for table in _OF_A_PORTAL:
            removed[table.name] = (
                await connection.execute(delete(table).where(table.c.portal_id == portal_id))
            ).rowcount
        if people:
            tried = or_(*(login_failures.c.who.contains(row.email) for row in people))
            await connection.execute(delete(login_failures).where(tried))
        await connection.execute(addresses.update().where(addresses.c.portal_id == portal_id).values(forwards_to=None))
        for table in (addresses, queues, agents, domains):
            removed[table.name] = (
                await connection.execute(delete(table).where(table.c.portal_id == portal_id))
            ).rowcount
        for tables in GENERATIONS:
            for rows in (tables.bounces, tables.counters):
                await connection.execute(delete(rows).where(rows.c.portal_id == portal_id))
        # what was published before holds names and sealed secrets; tombstones follow
        named = [*address_ids, *queue_ids, *(row.id for row in people), portal_id]
        for start in range(0, len(named), 500):
            await connection.execute(delete(outbox).where(outbox.c.key.in_(named[start : start + 500])))
        for address in address_ids:
            await retract(connection, topics.ADDRESSES, address)
            await retract(connection, topics.ADDRESS_TOKENS, address)
            await retract(connection, topics.GMAIL_CURSORS, address)
            for aspect in console.live.status_of(address):
                await retract(connection, topics.ADDRESS_STATUS, f"{address}:{aspect}")
        for queue in queue_ids:
            await retract(connection, topics.QUEUES, queue)
        for row in people:
            await retract(connection, topics.AGENTS, row.id)
        removed["portals"] = (await connection.execute(delete(portals).where(portals.c.id == portal_id))).rowcount
        await retract(connection, topics.PORTALS, portal_id)
    for row in people:
        await console.presence.set(portal_id, row.id, "offline")
    return removed
