"""What one copy of the console commits, the others hear at once: PostgreSQL's LISTEN and NOTIFY.

A notification is part of a transaction and is heard when that commits, so nobody looks before there is something to see.
It says what changed, never content, and may be lost with a connection: who listens is told that it missed something, and
everything can be found by looking as well. With SQLite there is one console only, and nothing is said.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from .database import Database

log = get_logger()
CHANNEL = "mailroom_console"
LARGEST = 7_500  # bytes; PostgreSQL takes 8,000
LOOK_EVERY_S = 5.0
_NOTIFY = text("SELECT pg_notify(:channel, :payload)")
Item = Sequence[str | int]
Handler = Callable[[list[Any]], None]

OUTBOX = "outbox"  # something is to be published: no items
EVENTS = "events"  # the read model shows events: [portal, ticket, causation id]
CHANGE = "change"  # for pages that are open: [portal, kind, id]
SHOWN = "shown"  # another read model is shown, or a rebuild is asked for: no items
PROGRESS = "progress"  # of the copy that leads: [behind, lag]
MISSED = "missed"  # never sent: what was said meanwhile is not known


def payloads(sender: str, kind: str, items: Sequence[Item]) -> Iterator[str]:
    """The items in as many payloads as they need, each at most `LARGEST` bytes."""
    empty = len(json.dumps([sender, kind, []]))
    taken: list[Item] = []
    size = empty
    for item in items:
        more = len(json.dumps(item)) + 2
        if empty + more > LARGEST:
            continue  # it cannot be said; who needs it looks
        if size + more > LARGEST:
            yield json.dumps([sender, kind, taken])
            taken, size = [], empty
        taken.append(item)
        size += more
    if taken or not items:
        yield json.dumps([sender, kind, taken])


async def notify(connection: AsyncConnection, kind: str) -> None:
    """Say this to all copies when the transaction commits, to the own one too."""
    await connection.run_sync(_notify, "", kind, ())


def _notify(connection: Connection, sender: str, kind: str, items: Sequence[Item]) -> None:
    if connection.dialect.name == "postgresql":
        for payload in payloads(sender, kind, items):
            connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})


class Notifications:
    """This copy's ear and voice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own = secrets.token_hex(4)
        self._handlers: dict[str, list[Handler]] = {}

    def on(self, kind: str, handler: Handler) -> None:
        """Call `handler` with the items whenever another copy says this."""
        self._handlers.setdefault(kind, []).append(handler)

    def within(self, connection: Connection, kind: str, items: Sequence[Item]) -> None:
        """Say it to the other copies when this transaction commits."""
        _notify(connection, self._own, kind, items)

    async def say(self, kind: str, items: Sequence[Item]) -> None:
        """Say it to the other copies now. A database that is away has nobody who hears."""
        if self._database.sqlite:
            return
        try:
            await self._database.transact(lambda connection: self.within(connection, kind, items))
        except (DBAPIError, OSError) as error:
            log.warning("notifications.not_said", kind=kind, error=type(error).__name__)

    async def run(self) -> None:
        """Listen for ever."""
        while not self._database.sqlite:
            try:
                await self._listen()
            except (DBAPIError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("notifications.interrupted", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _listen(self) -> None:
        async with self._database.engine.connect() as held:
            driver: Any = (await held.get_raw_connection()).driver_connection
            try:
                await driver.add_listener(CHANNEL, lambda _connection, _pid, _channel, payload: self._hear(payload))
                self._tell(MISSED, [])
                while True:
                    await asyncio.sleep(LOOK_EVERY_S)
                    await driver.execute("SELECT 1", timeout=LOOK_EVERY_S)  # fails when the connection is gone
            finally:
                await held.invalidate()

    def _hear(self, payload: str) -> None:
        sender, kind, items = json.loads(payload)
        if sender != self._own:
            self._tell(kind, items)

    def _tell(self, kind: str, items: list[Any]) -> None:
        for handler in self._handlers.get(kind, ()):
            handler(items)
