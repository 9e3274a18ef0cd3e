"""The read model: which generation is shown, its reader, and rebuilding beside it without downtime."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from mailroom_contracts import CommandRefused, Forwarded, InputIgnored, NoteAdded, ReplyRequested
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.tasks import end
from sqlalchemy import insert, select, update

from mailroom_console import times
from mailroom_console.live.changes import Change, Changes
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.database import Database
from mailroom_console.storage.read_schema import FORM, GENERATIONS, ReadTables
from mailroom_console.storage.schema import generations

from . import store as read_store
from .counts import ReadCounts
from .event_reader import Applied, EventReader, OffsetsGone
from .waiters import Outcome, Waiters

log = get_logger()


class ReadModel(ReadCounts):
    """Tickets as pages and API see them."""

    def __init__(self, settings: ConsoleSettings, database: Database, producer: Producer, changes: Changes) -> None:
        self._settings, self._database, self._producer, self._changes = settings, database, producer, changes
        self.waiters = Waiters()
        self.tables: ReadTables = GENERATIONS[0]
        self._rebuild = asyncio.Event()
        self._builder: EventReader | None = None
        self._reader: EventReader | None = None

    async def start(self) -> None:
        """Find the generation to show; on an empty database make the first one."""
        async with self._database.write() as connection:
            rows = {row.id: row for row in await connection.execute(select(generations))}
            for missing in {0, 1} - rows.keys():
                state = "active" if missing == 0 and not rows else "empty"
                await connection.execute(
                    insert(generations).values(id=missing, state=state, form=FORM, started_at=times.micros(times.now()))
                )
            rows = {row.id: row for row in await connection.execute(select(generations))}
        active = next((row for row in rows.values() if row.state == "active"), rows[0])
        self.tables = GENERATIONS[active.id]
        other = rows[1 - active.id]
        if active.form != FORM or other.state == "building":
            self._rebuild.set()

    async def run(self, service: Service[Any]) -> None:
        """Follow the events, and rebuild when asked."""
        service.health.set("readmodel", False, "reading ticket.events")

        def state(ok: bool, reason: str) -> None:
            service.health.set("readmodel", ok, reason)

        follower = asyncio.create_task(self._follow(state))
        try:
            while True:
                asked = asyncio.create_task(self._rebuild.wait())
                await asyncio.wait({asked, follower}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                if follower.done():
                    with contextlib.suppress(OffsetsGone):
                        follower.result()
                    log.error("readmodel.offsets_gone", generation=self.tables.generation)
                await self._build_other()
                await end(follower)
                with contextlib.suppress(asyncio.CancelledError, OffsetsGone):
                    follower.result()
                await self._switch()
                follower = asyncio.create_task(self._follow(state))
        finally:
            await end(follower)

    async def shadow(self, service: Service[Any]) -> None:
        """Beside another copy that writes: show the generation that it shows."""
        while True:
            async with self._database.read() as connection:
                active = await connection.scalar(select(generations.c.id).where(generations.c.state == "active"))
            if active is not None:
                self.tables = GENERATIONS[active]
            service.health.set("readmodel", True)
            await asyncio.sleep(1)

    async def _follow(self, state: Any) -> None:
        self._reader = EventReader(
            self._settings, self._database, self.tables, on_applied=self._applied, dead_letters=self._producer,
            on_state=state, hurry=self.waiters.hurry,
        )  # fmt: skip
        await self._reader.run()

    def ask_rebuild(self) -> None:
        """Rebuild the tables beside those that are shown, then show them."""
        self._rebuild.set()

    @property
    def rebuilding(self) -> bool:
        return self._rebuild.is_set()

    @property
    def caught_up(self) -> bool:
        """Whether this copy, which writes the tables, has read the events that there were when it began to."""
        return self._reader is not None and self._reader.caught_up.is_set()

    @property
    def progress(self) -> dict[str, Any]:
        """How a rebuild stands: events still to read."""
        return {"rebuilding": self.rebuilding, "behind": self._builder.lag if self._builder else 0,
                "lag": self._reader.lag if self._reader else 0, "generation": self.tables.generation}  # fmt: skip

    async def _build_other(self) -> None:
        other = GENERATIONS[1 - self.tables.generation]
        async with self._database.write() as connection:
            row = (await connection.execute(select(generations).where(generations.c.id == other.generation))).one()
            if row.state != "building" or row.form != FORM:
                await connection.run_sync(read_store.clear, other, sqlite_=self._database.sqlite)
                await connection.execute(
                    update(generations).where(generations.c.id == other.generation)
                    .values(state="building", form=FORM, started_at=times.micros(times.now()), finished_at=None)
                )  # fmt: skip
        log.info("readmodel.rebuild_started", generation=other.generation)
        builder = self._builder = EventReader(
            self._settings, self._database, other, on_applied=lambda _: None, dead_letters=None,
            on_state=lambda ok, reason: None,
        )  # fmt: skip
        task = asyncio.create_task(builder.run())
        ready = asyncio.create_task(builder.caught_up.wait())
        try:
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            await end(ready, task)
            self._builder = None

    async def _switch(self) -> None:
        old, new = self.tables, GENERATIONS[1 - self.tables.generation]
        now = times.micros(times.now())
        async with self._database.write() as connection:
            await connection.execute(
                update(generations).where(generations.c.id == new.generation).values(state="active", finished_at=now)
            )
            await connection.execute(
                update(generations).where(generations.c.id == old.generation).values(state="empty")
            )
        self.tables = new
        self._rebuild.clear()
        log.info("readmodel.rebuilt", generation=new.generation)
        async with self._database.write() as connection:
            await connection.run_sync(read_store.clear, old, sqlite_=self._database.sqlite)

    def _applied(self, applied: Applied) -> None:
        """Tell those who wait, and those who watch."""
        if self.waiters.ids:
            outcomes: dict[str, Outcome] = {}
            for event in applied.events:
                refused = isinstance(event, CommandRefused | InputIgnored)
                outcomes.setdefault(
                    event.causation_id,
                    Outcome(
                        event.type,
                        event.code if refused else None,  # type: ignore[attr-defined]
                        event.reason if refused else None,  # type: ignore[attr-defined]
                        event.message.id if isinstance(event, ReplyRequested | NoteAdded | Forwarded) else None,
                    ),
                )
            self.waiters.tell(outcomes.items())
        if self._changes.watched:
            seen: set[str] = set()
            for event in applied.events:
                if event.ticket_id not in seen:
                    seen.add(event.ticket_id)
                    self._changes.tell(Change(event.portal_id, "ticket", event.ticket_id))

    async def outcome(self, causation_id: str) -> Outcome | None:
        """What a command did, as far as the read model knows."""
        o = self.tables.outcomes
        async with self._database.read() as connection:
            row = (await connection.execute(select(o).where(o.c.causation_id == causation_id))).one_or_none()
        return None if row is None else Outcome(row.type, row.code, row.reason, row.message_id)
