"""Follows `ticket.events` into one generation of the read model; its offsets live in the same transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from mailroom_contracts import TicketEvent, Undecodable, decode, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.copies import Missed
from mailroom_runtime.bus.dead_letters import bury_record
from mailroom_runtime.bus.gathering import Gathering
from mailroom_runtime.bus.kafka import Producer, partitions_for
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from mailroom_console.storage import upload_states
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import EVENTS, Notifications
from mailroom_console.storage.read_schema import ReadTables
from mailroom_console.storage.refusals import is_passing

from . import store as read_store
from .projection import Batch

log = get_logger()
RECORDS_AT_ONCE = 2000
MANY_PER_S = 100.0  # events; from here on they are gathered, since a transaction costs as much as fifty events
GATHERED_S = 0.4


Read = tuple[TopicPartition, ConsumerRecord, TicketEvent | None]  # None: one that is known, or of no known type


class OffsetsGone(RuntimeError):
    """The topic ends before what was read last, so it is another one: the tables must be rebuilt."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Events that readers see now."""

    events: list[TicketEvent]
    partition_offsets: dict[int, int]


class EventReader:
    """One consumer without a group: every partition, from the offsets in the tables on."""

    def __init__(
        self, settings: ServiceSettings, database: Database, tables: ReadTables, *,
        on_applied: Callable[[Applied], None], dead_letters: Producer | None, on_state: Callable[[bool, str], None],
        hurry: asyncio.Event | None = None, notifications: Notifications | None = None,
    ) -> None:  # fmt: skip
        """`hurry`, while set: somebody waits for an event, so nothing is gathered. `notifications`: where these tables are
        the ones that are shown, the other copies of the console hear what was written."""
        self._settings, self._database, self._tables = settings, database, tables
        self._on_applied, self._dead_letters, self._on_state = on_applied, dead_letters, on_state
        self._hurry = hurry or asyncio.Event()
        self._notifications = notifications
        self._missed: dict[int, Missed] = {}
        self.caught_up = asyncio.Event()
        self.lag = 0

    async def run(self) -> None:
        """Read for ever. Raises `OffsetsGone`."""
        while True:
            consumer = AIOKafkaConsumer(
                **connection(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                client_id="mailroom-console-events",
                max_partition_fetch_bytes=2 << 20,
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except Exception as error:
                # a lost connection of either, and a dead letter that Kafka does not take now (`BusDown`)
                if not isinstance(error, DBAPIError) and not is_passing(error):
                    raise
                log.warning("readmodel.interrupted", error=type(error).__name__)
                self._on_state(False, f"cannot follow ticket.events: {type(error).__name__}")
                await asyncio.sleep(0.5)
            finally:
                await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        name = topics.TICKET_EVENTS.full_name(self._settings.topic_prefix)
        partitions = await partitions_for(consumer, name)
        if not partitions:
            self._on_state(False, f"the topic {name} is missing: run `mailroom topics create`")
            await asyncio.sleep(1)
            return
        parts = [TopicPartition(name, p) for p in partitions]
        consumer.assign(parts)
        await self._seek(consumer, parts)
        ends = await consumer.end_offsets(parts)
        gathering = Gathering(consumer, many_per_s=MANY_PER_S, wait_ms=100)
        while True:
            batches = await consumer.getmany(timeout_ms=1_000, max_records=RECORDS_AT_ONCE)
            gathering.saw(batches)
            if batches and not await self._apply(batches):
                await self._seek(consumer, parts)
                continue
            if not self.caught_up.is_set():
                positions = {tp: await consumer.position(tp) for tp in parts}
                self.lag = sum(max(0, ends[tp] - positions[tp]) for tp in parts)
                if self.lag == 0:
                    self.caught_up.set()
                    log.info("readmodel.caught_up", generation=self._tables.generation)
                else:
                    self._on_state(False, f"{self.lag} events to read")
            else:
                self.lag = sum(
                    max(0, (consumer.highwater(tp) or 0) - records[-1].offset - 1) for tp, records in batches.items()
                )
            if self.caught_up.is_set():
                self._on_state(True, "")
            metrics.gauge("mailroom_console_lag", "Events that the read model is behind", ["generation"]).labels(
                self._tables.generation
            ).set(self.lag)
            if gathering.together and self.lag < RECORDS_AT_ONCE:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), GATHERED_S)

    async def _seek(self, consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> None:
        async with self._database.read() as connection:
            stored = {row.partition: row for row in await connection.execute(select(self._tables.offsets))}
        begin = await consumer.beginning_offsets(parts)
        ends = await consumer.end_offsets(parts)
        for tp in parts:
            row = stored.get(tp.partition)
            offset = 0 if row is None else row.next_offset
            if offset > ends[tp]:
                raise OffsetsGone(f"{tp.topic}/{tp.partition}: {offset} is beyond its end, {ends[tp]}")
            if row is None or offset < begin[tp]:
                # written anew meanwhile, or before: what of the copies was read is known by what they are copies of
                self._missed[tp.partition] = Missed(offset, begin[tp])
            else:
                self._missed[tp.partition] = Missed(row.missed_from, row.missed_to)
            consumer.seek(tp, max(offset, begin[tp]))

    async def _apply(self, batches: dict[TopicPartition, list[ConsumerRecord]]) -> bool:
        """Write a batch; False when another copy of the console has written it already.

        Where the database refuses it for what is in it, its records are written one by one, and the one that is refused
        goes aside: it must hold up neither the others nor other portals.
        """
        read = [
            (tp, record, await self._decoded(record) if self._missed[tp.partition].is_new(record.headers) else None)
            for tp, records in batches.items() for record in records
        ]  # fmt: skip
        try:
            return await self._apply_together(read)
        except Exception as error:
            if is_passing(error):
                raise
            log.warning("readmodel.batch_refused", records=len(read), error=type(error).__name__)
        for each in read:
            try:
                if not await self._apply_together([each]):
                    return False
            except Exception as error:
                if is_passing(error):
                    raise
                await self._set_aside(each[1], error)
                if not await self._apply_together([(each[0], each[1], None)]):
                    return False
        return True

    async def _apply_together(self, read: list[Read]) -> bool:
        """Write these records in one transaction; False when another copy of the console has written the first."""
        events = [event for _, _, event in read if event is not None]
        firsts: dict[int, int] = {}
        offsets: dict[int, int] = {}
        for tp, record, _ in read:
            firsts.setdefault(tp.partition, int(record.offset))
            offsets[tp.partition] = int(record.offset) + 1
        batch = await self._database.transact(lambda connection: self._written(connection, events, firsts, offsets))
        if batch is None:
            return False
        if batch.orphans:
            metrics.counter("mailroom_orphan_events_total", "Events of tickets that were never created").inc(
                batch.orphans
            )
        metrics.counter("mailroom_console_events_total", "Events taken into the read model").inc(len(events))
        self._on_applied(Applied(events, offsets))
        return True

    def _written(
        self, connection: Connection, events: list[TicketEvent], firsts: dict[int, int], offsets: dict[int, int]
    ) -> Batch | None:
        sqlite_, table = self._database.sqlite, self._tables.offsets
        known = select(table).where(table.c.partition.in_(list(offsets))).with_for_update()
        for row in connection.execute(known).all():
            if row.next_offset > firsts[row.partition]:
                return None
        batch = read_store.load(connection, self._tables, events)
        for event in events:
            batch.apply(event)
        read_store.save(connection, self._tables, batch, sqlite_=sqlite_)
        upload_states.used_by(connection, events)
        read_store.save_offsets(connection, table, offsets, self._missed, sqlite_=sqlite_)
        if self._notifications is not None:
            said = dict.fromkeys((event.portal_id, event.ticket_id, event.causation_id) for event in events)
            self._notifications.within(connection, EVENTS, list(said))
        return batch

    async def _decoded(self, record: ConsumerRecord) -> TicketEvent | None:
        try:
            return cast("TicketEvent | None", decode(topics.TICKET_EVENTS, record.value, record.headers))
        except Undecodable as error:
            await self._set_aside(record, error)
            return None

    async def _set_aside(self, record: ConsumerRecord, error: Exception) -> None:
        """Onto the dead letters, which *Activity* shows."""
        if self._dead_letters is None:  # a rebuild meets the same records again
            log.warning("readmodel.record_left_out", partition=record.partition, offset=record.offset)
            return
        await bury_record(self._dead_letters, record, error, topic=topics.TICKET_EVENTS,
                          prefix=self._settings.topic_prefix, service="console")  # fmt: skip
