"""One partition of the second step: what waits to be worked on, the states of its tickets, and how far it is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import Topic, Undecodable, topics
from mailroom_contracts.tickets import TicketState
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.single_records import SingleRecords
from mailroom_runtime.bus.unreadable import unreadable_in
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped
from mailroom_runtime.process.tasks import end

from . import directory
from .directory_keeping import KnownDirectories
from .facts import Facts, Learnt
from .inbox import Inbox, Raw
from .lean_state import read_facts
from .outputs import Outputs
from .settings import RouterSettings
from .store import Store, may_wait
from .waiting import WaitingList

log = get_logger()

REINDEX_S = 600.0  # states this young are put into the index again after a take-over
STUCK_S = 2.0

YIELD_EVERY = 200
FAR_BEHIND = 50_000  # records: below it the store's own states are read on, which costs a second
BROUGHT_TOGETHER = 200


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


class DirectoryWrong(KafkaError):  # type: ignore[misc]
    """A state does not lie where it was said to lie: the partition is to be opened anew, without what said so."""


class Partition:
    """`inbox` is what waits, in memory; `open` brings the states up to date."""

    def __init__(self, number: int, shared: Shared) -> None:
        self.number = number
        self.waiting = WaitingList()
        self.ready = False
        self._shared = shared
        self._prefix = shared.settings.topic_prefix
        self.inbox = Inbox()
        self._store: Store | None = None
        self._next: dict[TopicPartition, int] = {}
        self._learnt_to = 0  # offset of `tickets` up to which the index knows everything
        self._distrusted = False  # what was said about where states lie is wrong
        self._bringing: asyncio.Task[None] | None = None

    @property
    def states_to(self) -> int:
        """The offset of `tickets` up to which this partition was read and written."""
        return self._learnt_to

    def done(self, tp: TopicPartition) -> int | None:
        """The next offset of an input, once it is known."""
        return self._next.get(tp)

    @property
    def offsets(self) -> dict[TopicPartition, int]:
        """The next offset of each input, as it is committed."""
        return dict(self._next)

    def offsets_after(self, raws: Sequence[Raw]) -> dict[TopicPartition, int]:
        """The offsets to commit with these inputs."""
        return {self._input(raw.topic): raw.offset + 1 for raw in raws}

    def state(self, ticket_id: str) -> TicketState | None:
        """A ticket of this partition that was brought, or None. Raises `Stopped` when what is kept of it cannot be read."""
        assert self._store is not None
        try:
            return self._store.get(ticket_id)
        except Undecodable as error:
            raise _unreadable(ticket_id, error) from None

    async def bring(self, ticket_ids: Iterable[str]) -> None:
        """Fetch the states of these that lie in the topic alone. Raises `KafkaError` and `Stopped`."""
        assert self._store is not None
        wanted = {one: offset for one in ticket_ids if (offset := self._store.missing(one)) is not None}
        if not wanted:
            return
        records = await self._shared.records.at(self._states, wanted.values())
        for ticket_id, offset in wanted.items():
            key, value = records.get(offset, (None, None))
            if key != ticket_id.encode() or value is None:
                self._distrusted = True
                raise DirectoryWrong(f"the state of ticket {ticket_id} is not at offset {offset} of {self._states}")
            self._keep(ticket_id, value, offset)

    def _keep(self, ticket_id: str, value: bytes, offset: int) -> None:
        if self._store is None:
            raise KafkaError(f"{self._states} was given up meanwhile")
        try:
            state = self._store.bring(ticket_id, value, offset)
        except Undecodable as error:
            raise _unreadable(ticket_id, error) from None
        if state is not None:
            self.waiting.note(state, ticket_id)

    def erased(self, ticket_id: str) -> tuple[str, ...]:
        """Of a ticket that was erased here: the last inputs that it had, by their causes."""
        assert self._store is not None
        return self._store.erased(ticket_id)

    def applied(self, raws: Sequence[Raw], outputs: Outputs, states_to: int | None) -> None:
        """A transaction with these inputs was committed; `states_to` is the offset of its last state."""
        assert self._store is not None
        self._moved_to(self.offsets_after(raws))
        # The checkpoint trails one batch behind the index: after a crash the last batch is read, and indexed, again.
        values = {ticket_id: r.value for ticket_id, r in zip(outputs.states, outputs.state_records(), strict=True)}
        self._store.write(dict(outputs.states), self._learnt_to or None, values, outputs.erased)
        if states_to is not None:
            self._learnt_to = states_to + 1
        for ticket_id, state in outputs.states.items():
            self.waiting.note(state, ticket_id)
        self._shared.learn(outputs.facts, Learnt(self.number, self._learnt_to))

    def _moved_to(self, offsets: dict[TopicPartition, int]) -> None:
        self._next |= offsets
        for lane in self.inbox.lanes:
            lane.done_to(self._next.get(self._input(lane.topic), 0))

    def _input(self, topic: Topic) -> TopicPartition:
        return TopicPartition(topic.full_name(self._prefix), self.number)

    @property
    def _states(self) -> TopicPartition:
        return self._input(topics.TICKETS)

    # taking over
    async def open(self) -> None:
        """Find where to go on and bring the states up to date. Raises `KafkaError`, `TimeoutError`, `Stopped`."""
        started = time.monotonic()
        self.ready = False
        # In this order: once no transaction of a former owner can change the offsets any more, none can add states.
        following = await self._shared.committed(self.number)
        if self._store is None:
            self._store = Store(self._shared.folder / f"tickets-{self.number}")
        await self._end_bringing()
        restored = await self._restore(self._store)
        self._next = {}
        self._moved_to(following)
        self.waiting = WaitingList()
        for number, state in enumerate(self._store.waiting(), 1):
            self.waiting.note(state, state.id)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a hundred thousand of them take seconds, in which nothing else would be done
        elsewhere = self._store.waiting_elsewhere()
        if elsewhere:
            self._bringing = asyncio.create_task(self._bring_waiting(elsewhere), name=f"waiting-{self.number}")
        self.ready = True
        log.info(
            "partition.opened",
            partition=self.number,
            restored=restored,
            waiting=len(self.waiting),
            waiting_elsewhere=len(elsewhere),
            seconds=round(time.monotonic() - started, 3),
        )

    async def _bring_waiting(self, offsets: Sequence[int]) -> None:
        """Tickets that may wait for an agent or a time: their turn comes by itself, so nobody else would ask for them."""
        backoff = Backoff(0.1, 5.0)
        rest = list(offsets)
        while rest:
            some = rest[:BROUGHT_TOGETHER]
            try:
                for offset, (key, value) in (await self._shared.records.at(self._states, some)).items():
                    if key is not None and value is not None:
                        self._keep(key.decode("utf-8", "replace"), value, offset)
            except Stopped as error:  # whoever works on that ticket stops; the others are to have their turn
                log.error("partition.waiting_unreadable", partition=self.number, error=str(error))
            except KafkaError as error:
                log.warning("partition.waiting_not_read", partition=self.number, error=type(error).__name__)
                await backoff.wait()
                continue
            del rest[: len(some)]

    async def _end_bringing(self) -> None:
        if self._bringing is not None:
            await end(self._bringing)
            self._bringing = None

    async def _restore(self, store: Store) -> int:
        """Find where states lie, and read what `tickets` has beyond that, or beyond what the index knows when that is less.

        Returns how many states were read.
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
                log.warning("partition.store_is_ahead", partition=self.number)  # the topic was made anew
                store.clear()
            learnt_to = await self._shared.learnt_to(self.number)
            if self._distrusted:
                await self._forget_all(store)
            tail = _Tail(learnt_to)
            probes = await self._adopt(store, end_offset)
            if not store.checkpoint:
                await self._scan(store, consumer, end_offset, tail)
            position = store.checkpoint if learnt_to is None else min(store.checkpoint, learnt_to)
            consumer.seek(tp, position)
            position = await self._read_tail(store, consumer, position, tail)
            if not await self._holds(probes, tail.seen):
                await self._forget_all(store)
                return tail.count + await self._restore(store)
            self._distrusted = False
            store.write({}, position)
            self._learnt_to = position
            self._shared.learn(tail.young, Learnt(self.number, position))
        finally:
            await consumer.stop()
        return tail.count

    async def _forget_all(self, store: Store) -> None:
        log.error("partition.directory_wrong", partition=self.number)
        await self._shared.directories.drop(self.number)
        store.clear()

    async def _adopt(self, store: Store, end_offset: int) -> list[bytes]:
        """Take over where states lie, from a directory that is much newer than the store; lines of it to look at."""
        if store.checkpoint >= end_offset - FAR_BEHIND and (store.checkpoint or not end_offset):
            return []
        found = await self._shared.directories.read(self.number)
        if found is None:
            return []
        head, parts = found
        if head.to > end_offset:
            log.warning("partition.directory_is_ahead", partition=self.number)  # the topic was made anew
            await self._shared.directories.drop(self.number)
            return []
        if store.checkpoint:
            if head.to < store.checkpoint + FAR_BEHIND:
                return []
            store.clear()
        for _ in store.locate(parts, head.to):
            await asyncio.sleep(0)
        log.info("partition.located", partition=self.number, up_to=head.to, bytes=sum(head.sizes))
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
                lines.note(_key(r), r.offset, waits=value is not None and may_wait(value), gone=value is None)
                if number % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        position = await consumer.position(self._states)
        parts = lines.take()
        for _ in store.locate((parts.get(number, b"") for number in range(directory.PARTS)), position):
            await asyncio.sleep(0)
        await self._shared.directories.begin(self.number, position, parts)

    async def _read_tail(self, store: Store, consumer: AIOKafkaConsumer, position: int, tail: _Tail) -> int:
        """Take over what was written since; up to which offset that was."""
        tp = self._states
        # Up to the high watermark, not only to what is committed so far: the markers of a transaction whose offsets
        # are committed may still be on their way to this partition.
        async for records in self._read(consumer, position, lambda: consumer.highwater(tp)):
            last = {_key(r): r for r in records}
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
                await self._shared.unblock(self.number)
                stuck_at = time.monotonic() + STUCK_S

    async def compact(self) -> None:
        """Let nothing of what was erased stay in the files, either."""
        if self._store is not None:
            await asyncio.to_thread(self._store.compact)

    def close(self) -> None:
        """Let go of the states."""
        self.ready = False
        if self._bringing is not None:
            self._bringing.cancel()
        if self._store is not None:
            self._store.close()
            self._store = None


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
        last = {_key(r): r for r in records if self._is_to_be_told(r)}
        for number, (key, r) in enumerate(last.items(), 1):
            if r.value is not None:
                try:
                    self.young.append(read_facts(r.value))
                except Undecodable as error:
                    raise _unreadable(key, error) from None
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _is_to_be_told(self, record: ConsumerRecord) -> bool:
        return _is_young(record.timestamp) or (self._learnt_to is not None and record.offset >= self._learnt_to)


def _key(record: ConsumerRecord) -> str:
    return (record.key or b"").decode("utf-8", "replace")


def _unreadable(ticket_id: str, error: Undecodable) -> Stopped:
    return Stopped(f"the state of ticket {ticket_id} in `tickets` cannot be read: {error}")


def _is_young(timestamp_ms: int) -> bool:
    return time.time() - timestamp_ms / 1000 < REINDEX_S
