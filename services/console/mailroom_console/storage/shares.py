"""Which partitions of `ticket.events` this copy of the console writes into the read model: each has one writer at a time.

On PostgreSQL every copy holds advisory locks on a connection of its own: one that says that it lives, and one for each
partition that it writes. All see the locks of all, and share the partitions out among those who live; a lock ends with its
connection, so those of a copy that dies are taken by the others. The locks keep copies out of each other's way. That
nothing is written twice or backwards does not hang on them: it is checked in each transaction (`EventReader`).
With SQLite there is one console, which writes all of them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Hashable, Sequence

from mailroom_runtime.process.logs import get_logger
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from .database import Database
from .leadership import OPEN, faithful

log = get_logger()
COPIES, PARTITIONS = 7229104, 7229105
LOOK_EVERY_S = 0.5
GONE_S = 11  # after which the others have the share of a copy whose machine vanished
_LOCKS = text(
    "SELECT classid::bigint AS kind, objid::bigint AS number FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def shared_out(partitions: frozenset[int], copies: Sequence[int], own: int) -> frozenset[int]:
    """The own part: each partition has one copy, and no copy has two more than another. Pure."""
    among = sorted(copies)
    return frozenset(p for n, p in enumerate(sorted(partitions)) if among and among[n % len(among)] == own)


class Shares:
    """`mine`: what this copy may write now. `partitions`: all that there are, once known. `leads`: whether it leads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own = secrets.randbelow(2**31)
        self._held: frozenset[int] = frozenset()
        self._wanted: frozenset[int] = frozenset()
        self._reading: dict[Hashable, frozenset[int]] = {}
        self.partitions: frozenset[int] = frozenset()
        self.leads = False

    @property
    def mine(self) -> frozenset[int]:
        if self._database.sqlite:
            return self.partitions if self.leads else frozenset()
        return self._held & self._wanted

    def read(self, reader: Hashable, partitions: frozenset[int]) -> None:
        """What this reader writes from here on: its partitions are given up when no reader has them."""
        if partitions:
            self._reading[reader] = partitions
        else:
            self._reading.pop(reader, None)

    async def run(self) -> None:
        """Hold this copy's share; never ends."""
        while not self._database.sqlite:
            try:
                async with self._database.engine.connect() as raw:
                    connection = await raw.execution_options(isolation_level="AUTOCOMMIT")
                    try:
                        await self._hold(connection)
                    finally:
                        self._held = frozenset()
                        await raw.invalidate()  # closed, not given back to the pool: the locks end with the connection
            except (DBAPIError, OSError) as error:
                log.warning("shares.lost", error=type(error).__name__)
                await asyncio.sleep(LOOK_EVERY_S)

    async def _hold(self, connection: AsyncConnection) -> None:
        await faithful(connection, GONE_S)
        await connection.exec_driver_sql(f"SELECT pg_advisory_lock({COPIES}, {self._own})")
        while True:
            locks = {(row.kind, row.number) for row in await connection.execute(_LOCKS)}
            copies = [number for kind, number in locks if kind == COPIES]
            # of one number, a lock's upper half is its kind
            shared = (0, OPEN) in locks
            self._wanted = shared_out(self.partitions, copies, self._own) if shared else frozenset()
            await self._settle(connection)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _settle(self, connection: AsyncConnection) -> None:
        before = self._held
        in_use = frozenset[int]().union(*self._reading.values())
        for partition in self._held - self._wanted - in_use:
            await connection.exec_driver_sql(f"SELECT pg_advisory_unlock({PARTITIONS}, {partition})")
            self._held -= {partition}
        for partition in sorted(self._wanted - self._held):
            took = await connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({PARTITIONS}, {partition})")
            if took.scalar():
                self._held |= {partition}
        if before != self._held:
            log.info("shares.changed", partitions=sorted(self._held))
