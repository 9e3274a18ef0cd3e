"""The read model: which generation is shown, its reader, and rebuilding beside it without downtime."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from mailroom_contracts import CommandRefused, Forwarded, InputIgnored, NoteAdded, ReplyRequested
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.tasks import end, lasting, together
from sqlalchemy import insert, select, update

from mailroom_console import times
from mailroom_console.live.changes import Change, Changes
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import EVENTS, MISSED, PROGRESS, SHOWN, Notifications, notify
from mailroom_console.storage.read_schema import FORM, GENERATIONS, ReadTables
from mailroom_console.storage.schema import generations

from . import store as read_store
from .counts import ReadCounts
from .event_reader import Applied, EventReader, OffsetsGone
from .waiters import Outcome, Waiters

log = get_logger()
SEEN_FOR_S = 10.0  # so long pages of other copies may read the tables that were shown before
LOOK_EVERY_S = 1.0
UNDER_WAY = ("asked", "building")


class ReadModel(ReadCounts):
    """Tickets as pages and API see them."""

    def __init__(
        self, settings: ConsoleSettings, database: Database, producer: Producer, changes: Changes,
        notifications: Notifications,
    ) -> None:  # fmt: skip
        self._settings, self._database, self._producer, self._changes = settings, database, producer, changes
        self._notifications = notifications
        for kind in (SHOWN, MISSED):
            notifications.on(kind, lambda _: self._look.set())
        notifications.on(EVENTS, self._told_of_events)
        notifications.on(PROGRESS, self._told_progress)
        self.waiters = Waiters()
        self.tables: ReadTables = GENERATIONS[0]
        self._look = asyncio.Event()  # the table of generations may say something new
        self._rebuild = asyncio.Event()  # at the copy that writes: begin
        self._under_way = False
        self._elsewhere = (0, 0)  # at the others: behind and lag of the copy that writes
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
        await self._show()

    async def _said(self) -> tuple[int, bool, bool]:
        """What the table of generations says: which is shown, whether a rebuild is under way, whether one is due."""
        self._look.clear()
        async with self._database.read() as connection:
            rows = {row.id: row for row in await connection.execute(select(generations))}
        active = next((row for row in rows.values() if row.state == "active"), rows[0])
        under_way = rows[1 - active.id].state in UNDER_WAY
        return active.id, under_way, under_way or active.form != FORM

    async def _show(self) -> None:
        active, self._under_way, _ = await self._said()
        self.tables = GENERATIONS[active]

    async def run(self, service: Service[Any]) -> None:
        """Follow the events, rebuild when asked, at whichever copy; tell the other copies how it goes."""
        service.health.set("readmodel", False, "reading ticket.events")

        def state(ok: bool, reason: str) -> None:
            service.health.set("readmodel", ok, reason)

        self._rebuild.clear()
        await self._show()
        try:
            await together(self._write(state), self._heed(), self._tell_progress())
        finally:
            self._reader = None

    async def _heed(self) -> None:
        while True:
            active, under_way, due = await self._said()
            if active == self.tables.generation:  # not what was true before a switch
                self._under_way = under_way
                if due:
                    self._rebuild.set()
            await self._wait_to_look(None if self._database.sqlite else LOOK_EVERY_S)

    async def _wait_to_look(self, at_most_s: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._look.wait(), at_most_s)

    async def _write(self, state: Any) -> None:
        follower = asyncio.create_task(self._follow(state))
        cleaner = lasting(self._clear_unused, "clearing", again=True)
        try:
            while True:
                asked = asyncio.create_task(self._rebuild.wait())
                await asyncio.wait({asked, follower}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                if follower.done():
                    with contextlib.suppress(OffsetsGone):
                        follower.result()
                    log.error("readmodel.offsets_gone", generation=self.tables.generation)
                await end(cleaner)
                await self._build_other()
                await end(follower)
                with contextlib.suppress(asyncio.CancelledError, OffsetsGone):
                    follower.result()
                await self._switch()
                follower = asyncio.create_task(self._follow(state))
                cleaner = lasting(self._clear_unused, "clearing", again=True)
        finally:
            await end(follower, cleaner)

    async def shadow(self, service: Service[Any]) -> None:
        """Beside another copy that writes: show the generation that it shows."""
        while True:
            await self._show()
            service.health.set("readmodel", True)
            await self._wait_to_look(LOOK_EVERY_S)

    def _told_of_events(self, items: list[tuple[str, str, str]]) -> None:
        """The copy that writes shows events: [portal, ticket, causation id]."""
        self.waiters.tell((cause, None) for _, _, cause in items)
        for portal_id, ticket_id in dict.fromkeys((portal_id, ticket_id) for portal_id, ticket_id, _ in items):
            self._changes.tell(Change(portal_id, "ticket", ticket_id))

    def _told_progress(self, items: list[tuple[int, int]]) -> None:
        self._elsewhere = items[0]

    async def _tell_progress(self) -> None:
        said = (0, 0)
        while not self._database.sqlite:
            now = (self.progress["behind"], self.progress["lag"])
            if now != said:
                await self._notifications.say(PROGRESS, [said := now])
            await asyncio.sleep(LOOK_EVERY_S)

    async def _follow(self, state: Any) -> None:
        self._reader = EventReader(
            self._settings, self._database, self.tables, on_applied=self._applied, dead_letters=self._producer,
            on_state=state, hurry=self.waiters.hurry, notifications=self._notifications,
        )  # fmt: skip
        await self._reader.run()

    async def ask_rebuild(self) -> None:
        """Rebuild the tables beside those that are shown, then show them: the copy that writes does it."""
        async with self._database.write() as connection:
            await connection.execute(update(generations).where(generations.c.state == "empty").values(state="asked"))
            await notify(connection, SHOWN)
        self._under_way = True
        self._look.set()

    @property
    def rebuilding(self) -> bool:
        return self._under_way

    @property
    def caught_up(self) -> bool:
        """Whether this copy, which writes the tables, has read the events that there were when it began to."""
        return self._reader is not None and self._reader.caught_up.is_set()

    @property
    def progress(self) -> dict[str, Any]:
        """How a rebuild stands: events still to read."""
        behind, lag = self._elsewhere
        if self._reader is not None:
            behind, lag = self._builder.lag if self._builder else 0, self._reader.lag
        return {"rebuilding": self.rebuilding, "behind": behind, "lag": lag, "generation": self.tables.generation}

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
        self._under_way = True
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
            await notify(connection, SHOWN)
        self.tables = new
        self._rebuild.clear()
        self._under_way = False
        log.info("readmodel.rebuilt", generation=new.generation)

    async def _clear_unused(self) -> None:
        """Empty the tables that are not shown, once nobody reads them any more: another copy looked at them until now."""
        if not self._database.sqlite:
            await asyncio.sleep(SEEN_FOR_S)
        other = GENERATIONS[1 - self.tables.generation]
        async with self._database.write() as connection:
            query = select(generations.c.state).where(generations.c.id == other.generation).with_for_update()
            if await connection.scalar(query) == "empty":
                await connection.run_sync(read_store.clear, other, sqlite_=self._database.sqlite)

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
