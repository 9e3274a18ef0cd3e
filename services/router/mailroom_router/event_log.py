"""One partition of `ticket.events`, read and cut as only its writer may: what of it stays when it is written anew.

What stays is every record but those of erased tickets, in the order in which they were first written; without persons who were
taken out of its ticket. A copy says in a
header what it is a copy of, so that copies which a broken-off try left behind are known: their originals are still there.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from mailroom_contracts import COPY_OF, copy_of, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.forgotten import Forgotten
from mailroom_runtime.process.settings import ServiceSettings

ERASED = ("ce_type", b"ticket.erased")
FORGOTTEN = ("ce_type", b"ticket.person_forgotten")
STUCK_S = 20.0
AT_ONCE = 1_000  # records that are looked through before anything else of the process has its turn


@dataclass(frozen=True, slots=True)
class Content:
    """What a look through the partition found: where it began and ended, and the last erasure of each ticket in it.

    `forgotten`: who was taken out of each ticket, and where. `due`: something that was erased is still there.
    """

    first: int
    end: int
    erased: Mapping[bytes | None, int] = field(default_factory=dict)
    forgotten: Mapping[bytes | None, Sequence[tuple[int, Forgotten]]] = field(default_factory=dict)
    due: bool = False

    def keeps(self, record: ConsumerRecord) -> bool:
        """Whether the record is to be written again."""
        if self.repeats(record):
            return False
        erased_at = self.erased.get(record.key)
        return erased_at is None or record.offset > erased_at or ERASED in record.headers

    def without_persons(self, record: ConsumerRecord) -> ConsumerRecord:
        """The record as it is to be written again: without those who were taken out of its ticket afterwards."""
        persons = [person for at, person in self.forgotten.get(record.key, ()) if record.offset < at]
        if not persons or record.value is None:
            return record
        value = told = json.loads(record.value)
        for person in persons:
            value = person.without(value)
        if value is told:
            return record
        return replace(record, value=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    def repeats(self, record: ConsumerRecord) -> bool:
        """A copy whose original is still there: of a try that was broken off."""
        original = copy_of(record.headers)
        return original is not None and original >= self.first

    def seen(
        self, record: ConsumerRecord, erased: dict[bytes | None, int],
        forgotten: dict[bytes | None, list[tuple[int, Forgotten]]],
    ) -> bool:  # fmt: skip
        """Note an erasure, or a person that was taken out; True for one whose ticket's records still are as they were."""
        if self.repeats(record):
            return False
        if ERASED in record.headers:
            erased[record.key] = record.offset
        elif FORGOTTEN in record.headers and record.value is not None:
            told = json.loads(record.value)
            person = Forgotten(told["portal_id"], told["person"])
            forgotten.setdefault(record.key, []).append((record.offset, person))
        else:
            return False
        return copy_of(record.headers) is None


@dataclass(slots=True)
class Tally:
    """Counts records and what is in them, in order: within a process, equal tallies are of equal records."""

    count: int = 0
    digest: int = 0

    def add(self, record: ConsumerRecord) -> None:
        """Take one in; what says that it is a copy does not count."""
        self.count += 1
        headers = tuple(original_headers(record))
        self.digest = hash((self.digest, record.key, record.value, headers, record.timestamp))


def original_headers(record: ConsumerRecord) -> list[tuple[str, bytes]]:
    """The headers without the one that a copy has."""
    return [(name, value) for name, value in record.headers if name != COPY_OF]


class EventLog:
    """Reads one partition and deletes its beginning. `moved` is told how many records were read, as they are."""

    def __init__(self, settings: ServiceSettings, number: int, moved: Callable[[int], None]) -> None:
        self._settings, self._moved = settings, moved
        self.tp = TopicPartition(topics.TICKET_EVENTS.full_name(settings.topic_prefix), number)

    async def look(self) -> Content:
        """Read all that there is now. Raises `KafkaError`, `TimeoutError`."""
        consumer = await self._consumer()
        try:
            first = (await consumer.beginning_offsets([self.tp]))[self.tp]
            return await self._look(consumer, Content(first, first))
        finally:
            await consumer.stop()

    async def look_on(self, before: Content) -> Content:
        """Read what came since. Raises `KafkaError`, `TimeoutError`."""
        consumer = await self._consumer()
        try:
            return await self._look(consumer, before)
        finally:
            await consumer.stop()

    async def _look(self, consumer: AIOKafkaConsumer, before: Content) -> Content:
        end = await self.end()
        erased, due = dict(before.erased), before.due
        forgotten = {key: list(persons) for key, persons in before.forgotten.items()}
        async for records in self._read(consumer, before.end, end):
            for record in records:
                due |= before.seen(record, erased, forgotten)
        return Content(before.first, end, erased, forgotten, due)

    async def read(self, first: int, end: int) -> AsyncGenerator[list[ConsumerRecord], None]:
        """The records from `first` up to before `end`. Raises `KafkaError`, `TimeoutError` when they do not come."""
        consumer = await self._consumer()
        try:
            async for records in self._read(consumer, first, end):
                yield records
        finally:
            await consumer.stop()

    async def end(self, *, beyond: int = -1) -> int:
        """Where the next record will be, of whatever transaction, as soon as that is beyond this offset.

        Raises `KafkaError`, `TimeoutError`.
        """
        # asked as one who reads everything: what a transaction is still writing is part of it
        asking = AIOKafkaConsumer(**connection(self._settings), enable_auto_commit=False)
        try:
            await asking.start()
            async with asyncio.timeout(STUCK_S):
                while (end := int((await asking.end_offsets([self.tp]))[self.tp])) <= beyond:  # noqa: ASYNC110 - Kafka tells nobody
                    await asyncio.sleep(0.01)
            return end
        finally:
            await asking.stop()

    async def delete_before(self, offset: int) -> None:
        """Delete what lies before this offset; nothing when that is gone already. Raises `KafkaError`."""
        admin = AIOKafkaAdminClient(**connection(self._settings))
        try:
            await admin.start()
            await admin.delete_records({self.tp: RecordsToDelete(before_offset=offset)}, timeout_ms=20_000)
        finally:
            await admin.close()

    async def _consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **connection(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            client_id="mailroom-router-renewal",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=2 << 20,
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        consumer.assign([self.tp])
        return consumer

    async def _read(
        self, consumer: AIOKafkaConsumer, first: int, end: int
    ) -> AsyncGenerator[list[ConsumerRecord], None]:
        position = first
        consumer.seek(self.tp, first)
        stuck_at = time.monotonic() + STUCK_S
        while position < end:
            records = (await consumer.getmany(timeout_ms=200, max_records=AT_ONCE)).get(self.tp, [])
            if some := [record for record in records if record.offset < end]:
                self._moved(len(some))
                yield some
            reached = await consumer.position(self.tp)
            if reached > position:
                position, stuck_at = reached, time.monotonic() + STUCK_S
            elif time.monotonic() > stuck_at:
                raise TimeoutError(
                    f"{self.tp.topic} partition {self.tp.partition} gives nothing from offset {position} on"
                )
            await asyncio.sleep(0)
