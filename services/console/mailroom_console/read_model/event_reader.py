"""Follows `ticket.events` into one generation of the read model; its offsets live in the same transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
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
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from mailroom_console.storage import upload_states
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import EVENTS, Notifications
from mailroom_console.storage.read_schema import ReadTables
from mailroom_console.storage.refusals import is_passing
from mailroom_console.storage.schema import generations
from mailroom_console.storage.shares import Shares

from . import store as read_store
from .projection import Batch

log = get_logger()
RECORDS_AT_ONCE = 2000
MANY_PER_S = 100.0  # events; from here on they are gathered, since a transaction costs as much as fifty events
GATHERED_S = 0.4


class _Overtaken(Exception):
    """Another writer has the partition, or the tables are no longer written: nothing of the transaction stays."""


Read = tuple[TopicPartition, ConsumerRecord, TicketEvent | None]  # None: one that is known, or of no known type
POLL_MS = 500  # so long a partition that is to be given up may be kept
SHARE_AGAIN_S = 0.2
HANGS = "30s"  # a process that hangs within a transaction holds up who has its partitions then; it is ended after this


class EventReader:
    """One consumer without a group: the partitions that this copy writes, from the offsets in the tables on.

    A partition's offset is changed in the transaction that writes its events, and only from where this reader took it to be:
    who was overtaken by another writer writes nothing, and looks again where the partition stands.
    """

    def __init__(
        self, settings: ServiceSettings, database: Database, tables: ReadTables, shares: Shares, *,
        on_applied: Callable[[list[TicketEvent]], None], dead_letters: Producer, on_state: Callable[[bool, str], None],
        hurry: asyncio.Event, notifications: Notifications,
    ) -> None:  # fmt: skip
        """`on_applied`: told of the events that readers see now, if these tables are the ones that are shown. `hurry`,
        while set: somebody waits for an event, so nothing is gathered."""
        self._settings, self._database, self._tables, self._shares = settings, database, tables, shares
        self._on_applied, self._dead_letters, self._on_state = on_applied, dead_letters, on_state
        self._hurry, self._notifications = hurry, notifications
        self._missed: dict[int, Missed] = {}
        self._expected: dict[int, int] = {}  # next offset in the tables of each partition that is read
        self._shown = False

    async def run(self) -> None:
        """Read for ever."""
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
                self._shares.read(self, frozenset())
                await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        name = topics.TICKET_EVENTS.full_name(self._settings.topic_prefix)
        partitions = await partitions_for(consumer, name)
        if not partitions:
            self._on_state(False, f"the topic {name} is missing: run `mailroom topics create`")
            await asyncio.sleep(1)
            return
        self._shares.partitions = frozenset(partitions)
        taken: frozenset[int] | None = None
        gathering = Gathering(consumer, many_per_s=MANY_PER_S, wait_ms=100)
        while True:
            mine = self._shares.mine
            if taken != mine:
                taken = mine if await self._take(consumer, name, mine) else None
            self._on_state(True, "")
            if not taken:
                await asyncio.sleep(SHARE_AGAIN_S)
                continue
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
            gathering.saw(batches)
            if not (await self._apply(batches) if batches else await self._pass_over(consumer)):
                taken = None
                continue
            lag = sum(max(0, (consumer.highwater(tp) or 0) - records[-1].offset - 1) for tp, records in batches.items())
            if gathering.together and lag < RECORDS_AT_ONCE:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), GATHERED_S)

    async def _take(self, consumer: AIOKafkaConsumer, name: str, mine: frozenset[int]) -> bool:
        """Read these partitions from here on, from where the tables stand; False when one cannot be read yet."""
        self._shares.read(self, mine)
        parts = [TopicPartition(name, p) for p in sorted(mine)]
        consumer.assign(parts)
        if not parts:
            return True
        async with self._database.read() as connection:
            stored = {row.partition: row for row in await connection.execute(select(self._tables.offsets))}
        begin = await consumer.beginning_offsets(parts)
        ends = await consumer.end_offsets(parts)
        self._expected.clear()
        for tp in parts:
            row = stored.get(tp.partition)
            if row is None or row.next_offset > ends[tp]:
                return False  # these tables are not begun yet, or of another topic: the copy that leads sees to it
            offset = row.next_offset
            if offset < begin[tp]:
                # written anew meanwhile, or before: what of the copies was read is known by what they are copies of
                self._missed[tp.partition] = Missed(offset, begin[tp])
            else:
                self._missed[tp.partition] = Missed(row.missed_from, row.missed_to)
            self._expected[tp.partition] = offset
            consumer.seek(tp, max(offset, begin[tp]))
        return True

    async def _pass_over(self, consumer: AIOKafkaConsumer) -> bool:
        """Nothing came: what lies before the end is no record, but the mark that ends a transaction. It is read, too."""
        offsets = {}
        for tp in consumer.assignment():
            position = await consumer.position(tp)
            if position > self._expected[tp.partition]:
                offsets[tp.partition] = position
        return not offsets or await self._write([], offsets)

    async def _apply(self, batches: dict[TopicPartition, list[ConsumerRecord]]) -> bool:
        """Write a batch; False when somebody else writes one of its partitions.

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
        """Write these records in one transaction; False when somebody else writes one of their partitions."""
        offsets = {tp.partition: int(record.offset) + 1 for tp, record, _ in read}
        return await self._write([event for _, _, event in read if event is not None], offsets)

    async def _write(self, events: list[TicketEvent], offsets: dict[int, int]) -> bool:
        try:
            batch = await self._database.transact(lambda connection: self._written(connection, events, offsets))
        except _Overtaken:
            log.info("readmodel.overtaken", generation=self._tables.generation, partitions=sorted(offsets))
            return False
        self._expected |= offsets
        if batch.orphans:
            metrics.counter("mailroom_orphan_events_total", "Events of tickets that were never created").inc(
                batch.orphans
            )
        if events:
            metrics.counter("mailroom_console_events_total", "Events taken into the read model").inc(len(events))
            if self._shown:
                self._on_applied(events)
        return True

    def _written(self, connection: Connection, events: list[TicketEvent], offsets: dict[int, int]) -> Batch:
        sqlite_, table = self._database.sqlite, self._tables.offsets
        # shared, so that a switch comes before this transaction or after it
        query = select(generations.c.state).where(generations.c.id == self._tables.generation)
        if not sqlite_:
            query = query.add_columns(func.set_config("idle_in_transaction_session_timeout", HANGS, True))
        state = connection.scalar(query.with_for_update(read=True))
        if state not in ("active", "building") or not read_store.save_offsets(
            connection, table, self._expected, offsets, self._missed
        ):
            raise _Overtaken
        self._shown = state == "active"
        batch = read_store.load(connection, self._tables, events)
        for event in events:
            batch.apply(event)
        read_store.save(connection, self._tables, batch, sqlite_=sqlite_)
        upload_states.used_by(connection, events)
        if self._shown and events:
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
        if not self._shown:  # a rebuild meets the same records again
            log.warning("readmodel.record_left_out", partition=record.partition, offset=record.offset)
            return
        await bury_record(self._dead_letters, record, error, topic=topics.TICKET_EVENTS,
                          prefix=self._settings.topic_prefix, service="console")  # fmt: skip
