"""Several copies of the console on one PostgreSQL: one of them publishes, and does what else one alone may do.

The leader holds an advisory lock of the database on a connection of its own; the lock ends with the connection, so a
copy that dies is followed by another one. With SQLite there is one console only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import end, together
from sqlalchemy.exc import DBAPIError

from .database import Database

log = get_logger()
LOCK = 7229102
LOOK_EVERY_S = 2.0
OPEN = (
    7229106  # held with it by a copy that shares the writing of the read model: one of an older version writes it all
)
Work = Callable[[], Sequence[Coroutine[Any, Any, None]]]


async def lead(database: Database, before: Callable[[], Awaitable[None]], work: Work) -> None:
    """Run `work` while this copy leads; `before`, on PostgreSQL, ahead of all that other copies write while it does. Raises
    what the work raises."""
    if database.sqlite:
        await together(*work())
        return
    while True:
        try:
            async with database.engine.connect() as raw:
                connection = await raw.execution_options(isolation_level="AUTOCOMMIT")
                while True:
                    if (await connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCK})")).scalar():
                        break
                    await asyncio.sleep(LOOK_EVERY_S)
                log.info("console.leading")
                await before()
                await connection.exec_driver_sql(f"SELECT pg_advisory_lock_shared({OPEN})")
                leading = asyncio.create_task(together(*work()))
                try:
                    while not leading.done():
                        await asyncio.wait({leading}, timeout=LOOK_EVERY_S)
                        await connection.exec_driver_sql("SELECT 1")  # fails when the lock's connection is gone
                    leading.result()
                    return
                finally:
                    await end(leading)
                    # closed, not given back to the pool: the lock lives as long as the connection
                    await raw.invalidate()
        except (DBAPIError, OSError) as error:
            log.warning("console.leadership_lost", error=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)
