"""The database: SQLite by default (WAL, one writer at a time), PostgreSQL by URL; and its migrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

T = TypeVar("T")
MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=20000",
    "PRAGMA cache_size=-32000",
    "PRAGMA mmap_size=268435456",
    "PRAGMA wal_autocheckpoint=4000",  # 16 MB: index pages change with every ticket, and are copied less often
)


class Database:
    """Three ways in: `read()`, a consistent view; `write()`, a transaction that commits when its block ends; and
    `transact()`, the same for much at once."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.on_commit: list[Callable[[], None]] = []
        self._turn: AbstractAsyncContextManager[Any] = nullcontext()
        self._direct: Engine | None = None
        if self.sqlite:
            self._turn = asyncio.Lock()
            self._direct = create_engine(self.url.set(drivername="sqlite"), pool_size=1, max_overflow=0)
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
            _prepare(self._direct, "BEGIN IMMEDIATE")
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self._reader = create_async_engine(self.url, pool_size=4, max_overflow=4)
            # SQLite has one writer: queueing for one connection is fairer than retrying on "database is locked"
            self._writer = create_async_engine(self.url, pool_size=1, max_overflow=0, pool_timeout=30)
            _prepare(self._reader.sync_engine, "BEGIN")
            _prepare(self._writer.sync_engine, "BEGIN IMMEDIATE")
        else:
            self._reader = create_async_engine(self.url, pool_size=8, max_overflow=8, pool_pre_ping=True)
            self._writer = self._reader

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes."""
        return self._writer

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose reads see one state."""
        async with self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; rolled back when the block raises. Listeners in `on_commit` hear of each commit."""
        async with self._turn, self._writer.begin() as connection:
            yield connection
        for listener in self.on_commit:
            listener()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which blocks, in one transaction; nobody in `on_commit` hears of it.

        On SQLite it runs in a thread: with aiosqlite each statement is handed to one, which costs more than most
        statements do.
        """
        if self._direct is None:
            async with self._writer.begin() as connection:
                return await connection.run_sync(work)
        async with self._turn:
            done = asyncio.get_running_loop().run_in_executor(self._thread, _within, self._direct, work)
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                await asyncio.wait({done})  # it cannot be stopped halfway, and nobody may write before it is over
                raise

    async def one_at_a_time(self, connection: AsyncConnection) -> None:
        """Within a transaction: other copies that start wait here until it is over. On SQLite there are none."""
        if not self.sqlite:
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7229103)")

    async def migrate(self) -> None:
        """Bring the tables to the present form."""
        async with self._writer.begin() as connection:
            if not self.sqlite:
                await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7229101)")
            await connection.run_sync(upgrade)

    async def close(self) -> None:
        """Give the connections back."""
        if self._direct is not None:
            self._thread.shutdown()
            self._direct.dispose()
        await self._reader.dispose()
        if self._writer is not self._reader:
            await self._writer.dispose()


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run every migration that is missing."""
    command.upgrade(alembic_config(connection), "head")


def _within(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _prepare(engine: Engine, begin: str) -> None:
    def connected(dbapi: Any, _: Any) -> None:
        dbapi.isolation_level = None  # the driver must not begin transactions by itself
        cursor = dbapi.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    def began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
