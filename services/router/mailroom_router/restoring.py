"""Taking a partition over: finding where the states of its tickets lie, and reading what came since (decision 0058)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from mailroom_contracts import Undecodable, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.single_records import SingleRecords
from mailroom_runtime.bus.unreadable import unreadable_in
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped

from . import directory
from .directory_keeping import KnownDirectories, ticket_of
from .facts import Facts, Learnt
from .lean_state import read_facts
from .settings import RouterSettings
from .store import Store, may_wait

log = get_logger()

REINDEX_S = 600.0  # states this young are put into the index again after a take-over
STUCK_S = 2.0

YIELD_EVERY = 200
FAR_BEHIND = 50_000  # records: below it the store's own states are read on, which costs a second


@dataclass(frozen=True, slots=True)
class Shared:
    """What the partitions of one worker share."""

    settings: RouterSettings
    learn: Callable[[Sequence[Facts], Learnt], None]
    learnt_to: Callable[[int], Awaitable[int | None]]
    """Up to which offset of `tickets` the index knows a partition; None: nobody can say."""
    committed: Callable[[int], Awaitable[dict[TopicPartition, int]]]
    """Of the three inputs of a partition, when nothing is open any more; raises `Stopped` when there are none."""
    unblock: Callable[[int], Awaitable[None]]  # end what another worker left open
    folder: Path
    directories: KnownDirectories
    records: SingleRecords


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that is up to date: up to which offset of `tickets`, by reading how many states, and what the index is to hear."""

    to: int
    read: int
    young: list[Facts]


class Restoring:
    """Brings the store of one partition up to date. `restore` raises `KafkaError` and `Stopped`."""

    def __init__(self, number: int, shared: Shared) -> None:
        self._number, self._shared = number, shared
        self._states = TopicPartition(topics.TICKETS.full_name(shared.settings.topic_prefix), number)

    async def restore(self, store: Store, *, distrusted: bool) -> Restored:
        """Find where states lie, and read what `tickets` has beyond that, or beyond what the index knows when that is less.

        `distrusted`: what was said about where states lie is wrong.
        """
        tp = self._states
        consumer = AIOKafkaConsumer(
            **connection(self._shared.settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
        )
        try:
            await consumer.start()
            consumer.assign([tp])
            end_offset = (await consumer.end_offsets([tp]))[tp]
            if store.checkpoint > end_offset:
                log.warning("partition.store_is_ahead", partition=self._number)  # the topic was made anew
                store.clear()
            learnt_to = await self._shared.learnt_to(self._number)
            if distrusted:
                await self._forget_all(store)
            tail = _Tail(learnt_to)
            probes = await self._adopt(store, end_offset)
            if not store.checkpoint:
                await self._scan(store, consumer, end_offset, tail)
            position = store.checkpoint if learnt_to is None else min(store.checkpoint, learnt_to)
            consumer.seek(tp, position)
            position = await self._read_tail(store, consumer, position, tail)
            if not await self._holds(probes, tail.seen):
                anew = await self.restore(store, distrusted=True)
                return Restored(anew.to, tail.count + anew.read, anew.young)
            store.write({}, position)
        finally:
            await consumer.stop()
        return Restored(position, tail.count, tail.young)

    async def _forget_all(self, store: Store) -> None:
        log.error("partition.directory_wrong", partition=self._number)
        await self._shared.directories.drop(self._number)
        store.clear()

    async def _adopt(self, store: Store, end_offset: int) -> list[bytes]:
        """Take over where states lie, from a directory that is much newer than the store; lines of it to look at."""
        if store.checkpoint >= end_offset - FAR_BEHIND and (store.checkpoint or not end_offset):
            return []
        found = await self._shared.directories.read(self._number)
        if found is None:
            return []
        head, parts = found
        if head.to > end_offset:
            log.warning("partition.directory_is_ahead", partition=self._number)  # the topic was made anew
            await self._shared.directories.drop(self._number)
            return []
        if store.checkpoint:
            if head.to < store.checkpoint + FAR_BEHIND:
                return []
            store.clear()
        for _ in store.locate(parts, head.to):
            await asyncio.sleep(0)
        log.info("partition.located", partition=self._number, up_to=head.to, bytes=sum(head.sizes))
        return [lines[-directory.ENTRY_BYTES :] for lines in parts if lines]

    async def _holds(self, probes: Sequence[bytes], seen: Collection[bytes]) -> bool:
        """Whether the states lie where these lines say, but for those that were seen to be elsewhere since."""
        lines = {directory.spot_of(line).offset: line[:16] for line in probes if not directory.is_gone(line)}
        lines = {offset: mark for offset, mark in lines.items() if mark not in seen}
        if not lines:
            return True
        records = await self._shared.records.at(self._states, lines)
        keys = {offset: (key or b"").decode("utf-8", "replace") for offset, (key, _) in records.items()}
        return all(offset in keys and directory.mark(keys[offset]) == mark for offset, mark in lines.items())

    async def _scan(self, store: Store, consumer: AIOKafkaConsumer, end_offset: int, tail: _Tail) -> None:
        """Find where each state lies by reading all of them, without writing any of them down."""
        lines = directory.Lines()
        await consumer.seek_to_beginning(self._states)
        async for records in self._read(consumer, 0, lambda: end_offset):
            await tail.note(records)
            for number, r in enumerate(records, 1):
                value = r.value
                lines.note(ticket_of(r), r.offset, waits=value is not None and may_wait(value), gone=value is None)
                if number % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        position = await consumer.position(self._states)
        parts = lines.take()
        for _ in store.locate((parts.get(number, b"") for number in range(directory.PARTS)), position):
            await asyncio.sleep(0)
        await self._shared.directories.begin(self._number, position, parts)

    async def _read_tail(self, store: Store, consumer: AIOKafkaConsumer, position: int, tail: _Tail) -> int:
        """Take over what was written since; up to which offset that was."""
        tp = self._states
        # Up to the high watermark, not only to what is committed so far: the markers of a transaction whose offsets
        # are committed may still be on their way to this partition.
        async for records in self._read(consumer, position, lambda: consumer.highwater(tp)):
            last = {ticket_of(r): r for r in records}
            store.take({key: r.value for key, r in last.items()}, records[-1].offset + 1)
            tail.seen.update(directory.mark(key) for key in last)
            await tail.note(records)
        return int(await consumer.position(tp))

    async def _read(
        self, consumer: AIOKafkaConsumer, position: int, end_offset: Callable[[], int | None]
    ) -> AsyncIterator[Sequence[ConsumerRecord]]:
        """What there is up to an end; a transaction that another worker left open before it is ended."""
        tp = self._states
        stuck_at = time.monotonic() + STUCK_S
        while (wanted := end_offset()) is None or position < wanted:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                yield records
            if (reached := await consumer.position(tp)) > position:
                position, stuck_at = reached, time.monotonic() + STUCK_S
            elif time.monotonic() > stuck_at and unreadable_in(tp) is None:
                await self._shared.unblock(self._number)
                stuck_at = time.monotonic() + STUCK_S


class _Tail:
    """What is told to the index again of the states that are read: the young ones, and those that it does not know."""

    def __init__(self, learnt_to: int | None) -> None:
        self._learnt_to = learnt_to
        self.young: list[Facts] = []
        self.seen: set[bytes] = set()
        """Marks of the tickets that were taken over."""
        self.count = 0

    async def note(self, records: Sequence[ConsumerRecord]) -> None:
        """Raises `Stopped` when one of them cannot be read."""
        self.count += len(records)
        last = {ticket_of(r): r for r in records if self._is_to_be_told(r)}
        for number, (key, r) in enumerate(last.items(), 1):
            if r.value is not None:
                try:
                    self.young.append(read_facts(r.value))
                except Undecodable as error:
                    raise unreadable(key, error) from None
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _is_to_be_told(self, record: ConsumerRecord) -> bool:
        return _is_young(record.timestamp) or (self._learnt_to is not None and record.offset >= self._learnt_to)


def unreadable(ticket_id: str, error: Undecodable) -> Stopped:
    return Stopped(f"the state of ticket {ticket_id} in `tickets` cannot be read: {error}")


def _is_young(timestamp_ms: int) -> bool:
    return time.time() - timestamp_ms / 1000 < REINDEX_S
