"""Presence that lasts until it is changed outlives an emptied Redis: it is kept in the database, and put back from there.

The router asks Redis only. A presence with a time to live is a browser's heartbeat, which comes again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.redis.valkey import REDIS_DOWN
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from mailroom_console.context import Console
from mailroom_console.storage.refusals import is_passing
from mailroom_console.storage.schema import agents

log = get_logger()
EVERY_S = 4.0


async def keep(console: Console, agent_id: str, state: str | None) -> None:
    """Remember a presence that lasts until it is changed; None: the present one does not."""
    async with console.database.write() as connection:
        await connection.execute(update(agents).where(agents.c.id == agent_id).values(presence=state))


async def run(console: Console) -> None:
    """Look for ever whether Redis has lost any; what is away now is looked for again."""
    while True:
        try:
            await put_back(console)
        except REDIS_DOWN:
            pass
        except DBAPIError as error:
            if not is_passing(error):
                raise
        await asyncio.sleep(EVERY_S)


async def put_back(console: Console) -> None:
    """What is kept and not in Redis is put there. Raises `REDIS_DOWN` and database errors."""
    put = await console.presence.put_back(kept := await _kept(console))
    if not put:
        return
    log.info("presence.put_back", agents=len(put))
    # changed while it was put back: what was written meanwhile would be undone
    now = set(await _kept(console))
    for portal_id, agent_id, state in (row for row in kept if row in put and row not in now):
        await console.presence.take_back(portal_id, agent_id, state)


async def _kept(console: Console) -> Sequence[tuple[str, str, str]]:
    query = select(agents.c.portal_id, agents.c.id, agents.c.presence)
    async with console.database.read() as connection:
        rows = await connection.execute(query.where(agents.c.presence.is_not(None), agents.c.active))
        return [(row.portal_id, row.id, row.presence) for row in rows]
