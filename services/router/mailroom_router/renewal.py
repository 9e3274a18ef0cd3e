"""Writing one partition of `ticket.events` anew, so that it forgets erased tickets (decision 0050).

First a look whether there is anything to forget, while the partition is worked on as ever. Only for the copying nothing
else is written to it: its inputs wait. Then the copy is read back, and when it is all there the old part is deleted. Each
transaction names the group's generation, as all do: who slept through a rebalance copies nothing. Broken off at any
point it is begun anew, by whoever has the partition then: the command that asked for it is not done before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing

from aiokafka import ConsumerRecord, TopicPartition
from mailroom_contracts import COPY_OF, RenewEvents, topics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import end

from .draft import Renewed
from .event_log import Content, EventLog, Tally, original_headers
from .partition import Partition
from .transactions import Copy, Membership, Outgoing, Transactions

log = get_logger()
CHUNK, CHUNK_BYTES = 8_000, 4_000_000  # of one transaction: what other partitions of the worker wait for


class NotWhole(RuntimeError):
    """The copy is not what was read: nothing was deleted."""


class Renewal:
    """`step` does what may not be done beside other transactions; everything else goes on by itself."""

    def __init__(
        self, settings: ServiceSettings, partition: Partition, command: RenewEvents, moved: Callable[[int], None],
        wake: Callable[[], None],
    ) -> None:  # fmt: skip
        self.partition, self.command = partition, command.id
        self._again = command.again
        self.copying = False  # no input of the partition is to be worked on
        self._log = EventLog(settings, partition.number, moved)
        self._states = TopicPartition(topics.TICKETS.full_name(settings.topic_prefix), partition.number)
        self._wake = wake
        self._chunks: asyncio.Queue[list[ConsumerRecord] | None] = asyncio.Queue(maxsize=2)
        self._content: Content | None = None
        self._start = 0  # before the first copy, after everything else
        self._read, self._written, self._left_out = Tally(), 0, 0
        self._began = time.monotonic()
        self._task: asyncio.Task[Renewed | None] = self._go_on(self._look())

    # what the worker does
    @property
    def failure(self) -> BaseException | None:
        """What broke the reading or the deleting, if anything did."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    @property
    def result(self) -> Renewed | None:
        """What came of it; None while it is not done."""
        return self._task.result() if self._task.done() and self.failure is None else None

    @property
    def has_work(self) -> bool:
        """Whether `step` has something to do: not while something is being read, or when all is done."""
        if self.failure is not None or self.result is not None:
            return False
        return not self._chunks.empty() if self.copying else self._task.done()

    async def step(self, transactions: Transactions, membership: Membership) -> None:
        """Begin to copy, or write the next part. Raises `KafkaError`, `TimeoutError`."""
        if not self.copying:
            await self._begin(transactions, membership)
            return
        chunk = self._chunks.get_nowait()
        if chunk is None:
            self.copying = False
            self._task = self._go_on(self._finish(await self._log.end()))
            return
        await self._write(transactions, membership, [copied(record) for record in chunk])
        self._written += len(chunk)

    async def close(self) -> None:
        """Break it off, or be done with it."""
        await end(self._task)

    def _go_on(self, work: Coroutine[None, None, Renewed | None]) -> asyncio.Task[Renewed | None]:
        task = asyncio.create_task(work, name="renewal")
        task.add_done_callback(lambda _: self._wake())
        return task

    # in turn
    async def _look(self) -> Renewed | None:
        found = self._content = await self._log.look()
        if not found.due and not self._again:
            return Renewed(0, 0, found.first)
        await self._log.delete_before(found.first)  # deletes nothing: without the right to it, nothing is copied either
        return None

    async def _begin(self, transactions: Transactions, membership: Membership) -> None:
        """From here on nothing but copies is written. An empty transaction comes first: its markers, which are of now,
        let the broker begin new segments where the present ones are old, so that the old part goes with its files, and
        what is behind tombstones is compacted though nothing else comes."""
        before = await self._log.end()
        await self._write(transactions, membership, [])
        self._start, self.copying = await self._log.end(beyond=before), True
        self._task = self._go_on(self._copy())

    async def _copy(self) -> None:
        assert self._content is not None
        content = self._content = await self._log.look_on(self._content)
        chunk: list[ConsumerRecord] = []
        size = 0
        async with aclosing(self._log.read(content.first, self._start)) as reading:
            async for records in reading:
                for record in records:
                    if not content.keeps(record):
                        self._left_out += not content.repeats(record)
                        continue
                    record = content.without_persons(record)
                    self._read.add(record)
                    chunk.append(record)
                    size += len(record.value or b"")
                    if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
                        await self._hand_over(chunk)
                        chunk, size = [], 0
        if chunk:
            await self._hand_over(chunk)
        await self._hand_over(None)

    async def _hand_over(self, chunk: list[ConsumerRecord] | None) -> None:
        await self._chunks.put(chunk)
        self._wake()

    async def _finish(self, to: int) -> Renewed:
        """Read the copy back as anybody would; delete the old part when all of it is there."""
        waited_s = time.monotonic() - self._began
        there = Tally()
        async with aclosing(self._log.read(self._start, to)) as reading:
            async for records in reading:
                for record in records:
                    there.add(record)
        if there != self._read or there.count != self._written:
            raise NotWhole(f"{self._read.count} records were read, {there.count} are in the copy")
        await self._log.delete_before(self._start)
        await self.partition.compact()
        log.info("events.renewed", partition=self.partition.number, copied=there.count, left_out=self._left_out,
                 copied_after_s=round(waited_s, 3), seconds=round(time.monotonic() - self._began, 3))  # fmt: skip
        return Renewed(there.count, self._left_out, self._start)

    async def _write(self, transactions: Transactions, membership: Membership, copies: list[Copy]) -> None:
        parts = {self._log.tp} if copies else {self._log.tp, self._states}

        async def outgoing() -> Outgoing:
            return Outgoing({self._log.tp: copies} if copies else {}, [])

        await transactions.write(membership, self.partition.offsets, parts, outgoing())


def copied(record: ConsumerRecord) -> Copy:
    """The record as it is written again: as it was, with a header that says where that is."""
    headers = [*original_headers(record), (COPY_OF, str(record.offset).encode())]
    return Copy(topics.TICKET_EVENTS, record.key, record.value, headers, record.timestamp)
