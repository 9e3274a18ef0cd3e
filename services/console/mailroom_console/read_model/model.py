"""The read model: which generation is shown, its readers, and rebuilding beside it without downtime.

Every copy of the console writes the partitions that are its own (`Shares`), of the generation that is shown and of the one
that is built. The copy that leads begins a rebuild, sees when it is done, and switches.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import CommandRefused, Forwarded, InputIgnored, NoteAdded, ReplyRequested, TicketEvent, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import Producer, partitions_for
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.tasks import end, lasting, together
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from mailroom_console.live.changes import Change, Changes
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import EVENTS, MISSED, PROGRESS, SHOWN, Notifications
from mailroom_console.storage.read_schema import GENERATIONS, ReadTables
from mailroom_console.storage.refusals import is_passing
from mailroom_console.storage.shares import Shares

from .counts import ReadCounts
from .event_reader import EventReader
from .generations import Generations, Standing
from .waiters import Outcome, Waiters

log = get_logger()
SEEN_FOR_S = 10.0  # so long pages of other copies may read the tables that were shown before
LOOK_EVERY_S = 1.0
SOON_S = 0.2  # while something is waited for: the first reading, or a rebuild


class ReadModel(ReadCounts):
    """Tickets as pages and API see them."""

    def __init__(
        self, settings: ConsoleSettings, database: Database, producer: Producer, changes: Changes,
        notifications: Notifications,
    ) -> None:  # fmt: skip
        self._settings, self._database, self._producer, self._changes = settings, database, producer, changes
        self._notifications, self._generations, self._shares = notifications, Generations(database), Shares(database)
        for kind in (SHOWN, MISSED):
            notifications.on(kind, lambda _: self._look_now())
        notifications.on(EVENTS, self._told_of_events)
        notifications.on(PROGRESS, self._told_progress)
        self.waiters = Waiters()
        self.tables: ReadTables = GENERATIONS[0]
        # the table of generations may say something new: to the copy that leads, and to what every copy does
        self._looks = (asyncio.Event(), asyncio.Event())
        self._under_way = False
        self._progress = (0, 0)  # behind and lag, as the copy that leads finds them
        self._caught_up = False

    async def start(self) -> None:
        """Find the generation to show; on an empty database make the first one."""
        await self._generations.make()
        self._show(await self._generations.standing())

    def _show(self, standing: Standing) -> None:
        self.tables = GENERATIONS[standing.active]
        self._under_way = standing.building or standing.asked

    def _look_now(self) -> None:
        for look in self._looks:
            look.set()

    async def run(self, service: Service[Any]) -> None:
        """At every copy: show what is shown, and write this copy's share of what is written. Never ends."""
        service.health.set("readmodel", False, "reading ticket.events")

        def state(ok: bool, reason: str) -> None:
            if ok and self._shares.leads and not self._caught_up:
                ok, reason = False, f"{self._progress[1]} events to read"
            service.health.set("readmodel", ok, reason)

        await together(self._shares.run(), self._write(state))

    async def _write(self, state: Any) -> None:
        readers: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                self._looks[0].clear()
                try:
                    self._show(standing := await self._generations.standing())
                except (DBAPIError, OSError) as error:  # readers say that it is away
                    log.warning("readmodel.not_looked", error=type(error).__name__)
                else:
                    for generation in standing.written - readers.keys():
                        readers[generation] = lasting(self._reader(generation, state).run, f"reader-{generation}")
                    for generation in readers.keys() - standing.written:
                        await end(readers.pop(generation))
                look = asyncio.create_task(self._looks[0].wait())
                await asyncio.wait({look, *readers.values()}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                await end(look)
                for reader in readers.values():
                    if reader.done():
                        reader.result()
        finally:
            await end(*readers.values())

    def _reader(self, generation: int, state: Any) -> EventReader:
        return EventReader(
            self._settings, self._database, GENERATIONS[generation], self._shares, on_applied=self._applied,
            dead_letters=self._producer, on_state=state, hurry=self.waiters.hurry, notifications=self._notifications,
        )  # fmt: skip

    async def before_leading(self) -> None:
        """On PostgreSQL, before copies write while this one leads."""
        await self._generations.take_numbers()

    async def lead(self) -> None:
        """At one copy: rebuild when asked, at whichever copy; tell the other copies how it goes. Never ends."""
        self._caught_up = False
        try:
            await together(self._oversee_always(), self._tell_progress(), self._clear_unused())
        finally:
            self._shares.leads = self._caught_up = False

    async def _oversee_always(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(**connection(self._settings), enable_auto_commit=False,
                                        isolation_level="read_committed", client_id="mailroom-console-ends")  # fmt: skip
            try:
                await consumer.start()
                await self._oversee(consumer)
            except Exception as error:
                if not isinstance(error, DBAPIError) and not is_passing(error):
                    raise
                log.warning("readmodel.not_overseen", error=type(error).__name__)
                await asyncio.sleep(SOON_S)
            finally:
                await consumer.stop()

    async def _oversee(self, consumer: AIOKafkaConsumer) -> None:
        name = topics.TICKET_EVENTS.full_name(self._settings.topic_prefix)
        partitions = await partitions_for(consumer, name)
        if not partitions:  # readers say that the topic is missing
            await asyncio.sleep(LOOK_EVERY_S)
            return
        parts = [TopicPartition(name, p) for p in partitions]
        await self._generations.prepare(self.tables.generation, partitions)
        self._shares.leads = True
        begun: dict[int, int] | None = None  # where the topic ended when this copy began to lead
        before: dict[int, int] = {}  # how far the tables that are shown were a look ago
        doubted = (False, False)  # whether these tables, and those that are built, were beyond the topic's end then
        while True:
            self._looks[1].clear()
            standing = await self._generations.standing()
            written = await self._generations.positions()
            # afterwards, so that what is written meanwhile is not beyond them
            ends = {tp.partition: offset for tp, offset in (await consumer.end_offsets(parts)).items()}
            begun = begun or ends
            shown, other = written[standing.active], written[standing.other] if standing.building else {}
            doubts = (_beyond(shown, ends), _beyond(other, ends))
            # twice: a broker that has just become a partition's leader may not know all of it yet
            gone, useless = (now and then for now, then in zip(doubts, doubted, strict=True))
            doubted = doubts
            if gone and not standing.building:
                log.error("readmodel.offsets_gone", generation=standing.active)
            if gone or not self._caught_up:
                self._caught_up = not gone and _reaches(shown, begun)
                if self._caught_up:
                    log.info("readmodel.caught_up", generation=standing.active)
            self._tell_lag(standing, _missing(other, ends) if standing.building else 0, _missing(shown, ends))
            if useless or (not standing.building and (standing.due or gone)):
                await self._generations.begin(standing.other, partitions)
                log.info("readmodel.rebuild_started", generation=standing.other)
                self._look_now()
            # all that readers have seen, so that nothing goes back for them
            elif standing.building and before and _reaches(other, {p: min(before.get(p, 0), ends[p]) for p in ends}):
                await self._generations.switch(standing.other)
                log.info("readmodel.rebuilt", generation=standing.other)
                self._look_now()
                before = {}
                continue
            before = shown
            waits = standing.building or standing.due or any(doubts) or not self._caught_up
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._looks[1].wait(), SOON_S if waits else LOOK_EVERY_S)

    def _tell_lag(self, standing: Standing, behind: int, lag: int) -> None:
        self._progress = (behind, lag)
        metrics.gauge("mailroom_console_lag", "Events that the read model is behind", ["generation"]).labels(
            standing.active
        ).set(lag)

    async def _clear_unused(self) -> None:
        """Empty the tables that are not shown, once nobody reads them any more: another copy looked at them until now."""
        cleared_beside: int | None = None
        while True:
            if cleared_beside != (shown := self.tables.generation):
                if not self._database.sqlite:
                    await asyncio.sleep(SEEN_FOR_S)
                if shown == self.tables.generation:
                    try:
                        await self._generations.clear(1 - shown)
                        cleared_beside = shown
                    except (DBAPIError, OSError) as error:
                        log.warning("readmodel.not_cleared", error=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)

    def _told_of_events(self, items: list[tuple[str, str, str]]) -> None:
        """Another copy wrote events: [portal, ticket, causation id]."""
        self.waiters.tell((cause, None) for _, _, cause in items)
        for portal_id, ticket_id in dict.fromkeys((portal_id, ticket_id) for portal_id, ticket_id, _ in items):
            self._changes.tell(Change(portal_id, "ticket", ticket_id))

    def _told_progress(self, items: list[tuple[int, int]]) -> None:
        if not self._shares.leads:
            self._progress = (items[0][0], items[0][1])

    async def _tell_progress(self) -> None:
        said = (0, 0)
        while True:
            if self._progress != said:
                await self._notifications.say(PROGRESS, [said := self._progress])
            await asyncio.sleep(LOOK_EVERY_S)

    async def ask_rebuild(self) -> None:
        """Rebuild the tables beside those that are shown, then show them: the copy that leads begins it."""
        await self._generations.ask()
        self._under_way = True
        self._look_now()

    @property
    def rebuilding(self) -> bool:
        return self._under_way

    @property
    def caught_up(self) -> bool:
        """Whether this copy leads, and all events were read that there were when it began to."""
        return self._caught_up

    @property
    def progress(self) -> dict[str, Any]:
        """How a rebuild stands: events still to read."""
        behind, lag = self._progress
        return {"rebuilding": self.rebuilding, "behind": behind, "lag": lag, "generation": self.tables.generation}

    def _applied(self, events: list[TicketEvent]) -> None:
        """Tell those who wait, and those who watch."""
        if self.waiters.ids:
            outcomes: dict[str, Outcome] = {}
            for event in events:
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
            for event in events:
                if event.ticket_id not in seen:
                    seen.add(event.ticket_id)
                    self._changes.tell(Change(event.portal_id, "ticket", event.ticket_id))

    async def outcome(self, causation_id: str) -> Outcome | None:
        """What a command did, as far as the read model knows."""
        o = self.tables.outcomes
        async with self._database.read() as connection:
            row = (await connection.execute(select(o).where(o.c.causation_id == causation_id))).one_or_none()
        return None if row is None else Outcome(row.type, row.code, row.reason, row.message_id)


def _reaches(positions: dict[int, int], ends: dict[int, int]) -> bool:
    return all(positions.get(p, 0) >= end for p, end in ends.items())


def _beyond(positions: dict[int, int], ends: dict[int, int]) -> bool:
    """The topic ends before what was read last, so it is another one: the tables must be rebuilt."""
    return any(position > ends[p] for p, position in positions.items() if p in ends)


def _missing(positions: dict[int, int], ends: dict[int, int]) -> int:
    return sum(max(0, end - positions.get(p, 0)) for p, end in ends.items())
