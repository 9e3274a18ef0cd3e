"""Several copies of the console on one PostgreSQL: one of them publishes, and does what else one alone may do.

The leader holds an advisory lock of the database on a connection of its own; the lock ends with the connection, so a
copy that dies is followed by another one, and so is one whose machine vanished. With SQLite there is one console only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import end, together
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from .database import Database

log = get_logger()
LOCK = 7229102
LOOK_EVERY_S = 2.0
ANSWER_S = 5.0  # a database that is silent for so long has this copy lead no more
GONE_S = 15  # after which PostgreSQL gives the lock of a copy that is gone to another one: that one has ended its work by then
OPEN = (
    7229106  # held with it by a copy that shares the writing of the read model: one of an older version writes it all
)
_NOTICED_WITHIN = text(
    "SELECT set_config(name, :within, false) FROM pg_settings WHERE name IN ('tcp_user_timeout', 'idle_session_timeout')"
)
_HOLDER = text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :lock AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
Work = Callable[[], Sequence[Coroutine[Any, Any, None]]]
_T = TypeVar("_T")


async def faithful(connection: AsyncConnection, within_s: int) -> None:
    """Have PostgreSQL notice within some seconds, more than 6, that this end is gone, so that its locks are free: it takes
    hours else. The connection has to be asked for something twice in that time.

    By keep-alives where nothing is under way, by the time that TCP waits where an answer is; and where something between
    holds the connection open, or this process hangs, by what it did not ask (PostgreSQL 14 and newer).
    """
    for name, value in (("idle", within_s - 6), ("interval", 2), ("count", 3)):
        await connection.exec_driver_sql(f"SET tcp_keepalives_{name} = {value}")
    await connection.execute(_NOTICED_WITHIN, {"within": f"{within_s}s"})


class Leadership:
    """Of one copy: `lead` runs what one copy alone may do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = 0  # PostgreSQL's process of the connection that holds the lock

    async def lead(self, before: Callable[[], Awaitable[None]], work: Work) -> None:
        """Run `work` while this copy leads; `before`, on PostgreSQL, ahead of all that other copies write while it does.
        Raises what the work raises."""
        if self._database.sqlite:
            await together(*work())
            return
        while True:
            try:
                async with self._database.engine.connect() as raw:
                    connection = await raw.execution_options(isolation_level="AUTOCOMMIT")
                    try:
                        await self._lead(connection, before, work)
                        return
                    finally:
                        self._session = 0
                        # closed, not given back to the pool: the lock lives as long as the connection
                        await raw.invalidate()
            except (DBAPIError, OSError) as error:  # a TimeoutError, too
                log.warning("console.leadership_lost", error=type(error).__name__)
                await asyncio.sleep(LOOK_EVERY_S)

    async def _lead(self, connection: AsyncConnection, before: Callable[[], Awaitable[None]], work: Work) -> None:
        await faithful(connection, GONE_S)
        while True:
            if await _asked(connection, f"SELECT pg_try_advisory_lock({LOCK})"):
                break
            await asyncio.sleep(LOOK_EVERY_S)
        self._session = await _asked(connection, "SELECT pg_backend_pid()")
        log.info("console.leading")
        await _while_held(connection, before())
        await connection.exec_driver_sql(f"SELECT pg_advisory_lock_shared({OPEN})")
        await _while_held(connection, together(*work()))

    async def holds(self) -> bool:
        """Whether this copy leads, as PostgreSQL says at this moment. Raises what the database does."""
        if self._database.sqlite:
            return True
        async with asyncio.timeout(ANSWER_S), self._database.read() as connection:
            found = await connection.scalar(_HOLDER, {"lock": LOCK})
        return found is not None and found == self._session


async def _asked(connection: AsyncConnection, statement: str) -> Any:
    """The answer's first value. Raises `TimeoutError` where none comes."""
    async with asyncio.timeout(ANSWER_S):
        return (await connection.exec_driver_sql(statement)).scalar()


async def _while_held(connection: AsyncConnection, work: Awaitable[_T]) -> _T:
    """Do it, and end it when the lock's connection is gone: before PostgreSQL gives the lock to another copy."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY_S)
            await _asked(connection, "SELECT 1")
        return task.result()
    finally:
        await end(task)
