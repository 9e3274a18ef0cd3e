"""One partition of the second step: its states, its transactional producer, and its batches, one transaction each.

The producer's transactional.id is made from the partition: whoever opens it fences whoever had it before, so a worker
that was stopped and comes back can commit nothing any more (aiokafka cannot fence by the group's generation).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from mailroom_contracts import Record, Undecodable, header, topics
from mailroom_contracts.tickets import TicketState
from mailroom_runtime import metrics
from mailroom_runtime.dead_letters import dead_headers
from mailroom_runtime.gathering import Rate
from mailroom_runtime.logs import get_logger
from mailroom_runtime.service import Stopped

from .batch import Desk, Raw, Worked
from .facts import Facts, facts
from .settings import RouterSettings
from .store import Store
from .waiting import WaitingList

log = get_logger()

DEAD_IN_A_ROW = 20
FENCED_WAIT_S = 6.0  # longer than the group needs to tell us that the partition is another's now
REINDEX_S = 600.0  # states this young are put into the index again after a take-over
BATCH_BYTES = 400_000
CALM_PER_S = 50.0  # inputs a second that are no load: 140 mails a second over 8 partitions, with all that follows them
GATHERED, GATHER_S, GATHER_RAMP_S = 200, 0.5, 0.5
PATIENT_S = 0.25  # how long inputs that nobody waits for wait for company
PAUSES = (0.05, 0.2, 1.0, 2.0, 5.0)

Learn = Callable[[Sequence[Facts]], None]
Committed = Callable[[int], Awaitable[dict[TopicPartition, int]]]


@dataclass(frozen=True, slots=True)
class Shared:
    """What the partitions of one worker share."""

    settings: RouterSettings
    desk: Desk
    learn: Learn
    committed: Committed  # committed offsets of the three inputs; raises `Stopped` when there are none
    group: str
    folder: Path
    transactional_id: Callable[[int], str]


class Partition:
    """Worked on by one task (`run`). `feed` gives it records; `hand_over` ends it between two transactions."""

    def __init__(self, number: int, shared: Shared) -> None:
        self.number = number
        self.waiting = WaitingList()
        self.ready = False
        self._shared = shared
        self._settings = shared.settings
        self._queue: deque[Raw] = deque()
        self._fed = asyncio.Event()
        self._urgent = asyncio.Event()  # somebody waits for something in the queue
        self._stop = asyncio.Event()
        self._store: Store | None = None
        self._producer: AIOKafkaProducer | None = None
        self._next: dict[TopicPartition, int] = {}
        self._dead_in_a_row = 0
        self._rate = Rate()  # of inputs
        self._learnt_to = 0  # offset of `tickets` up to which the index knows everything

    def feed(self, raws: Sequence[Raw]) -> None:
        """Records in the order of their offsets."""
        self._queue.extend(raws)
        self._fed.set()
        if any(map(_is_urgent, raws)):
            self._urgent.set()

    async def _gather(self) -> None:
        """Wait for company: a transaction costs six round trips, and the broker a log write for each.

        Mail and people's commands wait only while much comes, and the more the more comes.
        """
        if len(self._queue) < GATHERED and not self._urgent.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENT_S):
                    await self._urgent.wait()
        if len(self._queue) < GATHERED and (wait_s := self._load_s) > 0.005:
            await self._pause(wait_s)

    @property
    def _load_s(self) -> float:
        return min(GATHER_S, max(0.0, (self._rate.per_s() / CALM_PER_S - 1) * GATHER_RAMP_S))

    @property
    def queued(self) -> int:
        return len(self._queue)

    def done(self, tp: TopicPartition) -> int | None:
        """The next offset of an input, once it is known."""
        return self._next.get(tp)

    def hand_over(self) -> None:
        """Begin no further transaction."""
        self._stop.set()
        self._fed.set()
        self._urgent.set()

    async def run(self) -> None:
        """Open, then work until `hand_over`. What fails for a while is tried again from the last commit."""
        failures = 0
        try:
            while not self._stop.is_set():
                try:
                    if self._producer is None:
                        await self._open()
                    await self._step()
                    failures = 0
                except ProducerFenced:
                    log.warning("partition.fenced", partition=self.number)
                    await self._close_producer()
                    await self._pause(FENCED_WAIT_S)
                except (KafkaError, TimeoutError) as error:
                    log.warning("partition.interrupted", partition=self.number, error=type(error).__name__)
                    await self._close_producer()
                    await self._pause(PAUSES[min(failures, len(PAUSES) - 1)])
                    failures += 1
        finally:
            self.ready = False
            await self._close_producer()
            if self._store is not None:
                self._store.close()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _open(self) -> None:
        """Fence whoever had the partition, bring the states up to date, and find where to go on."""
        started = time.monotonic()
        self.ready = False
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            transactional_id=self._shared.transactional_id(self.number),
            transaction_timeout_ms=30_000,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=1_000_000,
            request_timeout_ms=10_000,
            client_id=f"mailroom-router-{self.number}",
        )
        try:
            async with asyncio.timeout(30):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await producer.stop()
            raise KafkaError(f"no transactional producer: {error}") from error
        except asyncio.CancelledError:
            await producer.stop()
            raise
        self._producer = producer
        if self._store is None:
            self._store = Store(self._shared.folder / f"tickets-{self.number}")
        restored = await self._restore(self._store)
        self._next = await self._shared.committed(self.number)
        self._queue = deque(r for r in self._queue if r.offset >= self._next.get(self._input(r), 0))
        self.waiting = WaitingList()
        for state in self._store.waiting():
            self.waiting.note(state, state.id)
        self.ready = True
        log.info(
            "partition.opened",
            partition=self.number,
            restored=restored,
            waiting=len(self.waiting),
            seconds=round(time.monotonic() - started, 3),
        )

    async def _restore(self, store: Store) -> int:
        """Read what `tickets` has beyond the store's checkpoint. Returns how many states that was."""
        tp = TopicPartition(topics.TICKETS.full_name(self._settings.topic_prefix), self.number)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await consumer.start()
        count = 0
        try:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            if store.checkpoint > end:
                log.warning("partition.store_is_ahead", partition=self.number)  # the topic was made anew
                store.clear()
            position = store.checkpoint
            consumer.seek(tp, position)
            young: list[Facts] = []
            while position < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    last = {(r.key or b"").decode("utf-8", "replace"): r for r in records}
                    store.take({key: r.value for key, r in last.items()}, records[-1].offset + 1)
                    count += len(records)
                    fresh = [key for key, r in last.items() if r.value is not None and _is_young(r.timestamp)]
                    young += [facts(None, state) for key in fresh if (state := self._state(key)) is not None]
                position = await consumer.position(tp)
            store.write({}, position)
            self._learnt_to = position
            self._shared.learn(young)
        finally:
            await consumer.stop()
        return count

    def _state(self, ticket_id: str) -> TicketState | None:
        assert self._store is not None
        try:
            return self._store.get(ticket_id)
        except Undecodable as error:
            raise Stopped(f"the state of ticket {ticket_id} in `tickets` cannot be read: {error}") from None

    async def _step(self) -> None:
        """One batch, one transaction."""
        while not self._queue:
            self._fed.clear()
            if self._stop.is_set():
                return
            await self._fed.wait()
        await self._gather()
        if self._stop.is_set():
            return
        raws: list[Raw] = []
        size = 0
        while self._queue and len(raws) < self._settings.router_batch and size < 4_000_000:
            raw = self._queue.popleft()
            if raw.offset >= self._next.get(self._input(raw), 0):
                raws.append(raw)
                size += len(raw.value or b"")
        if not self._queue and not self._stop.is_set():
            self._urgent.clear()
        if not raws:
            return
        try:
            await self._transact(raws)
        except BaseException:
            # not committed: it stays the first thing to do, here or at whoever has the partition next
            self._queue.extendleft(reversed(raws))
            raise

    async def _transact(self, raws: Sequence[Raw]) -> None:
        assert self._store is not None
        assert self._producer is not None
        started = time.monotonic()
        worked = await self._shared.desk.work(self.number, raws, self._state)
        producer = self._producer
        await producer.begin_transaction()
        acks = await self._send(producer, worked)
        offsets = dict(self._next)
        for raw in raws:
            offsets[self._input(raw)] = raw.offset + 1
        changed = {tp: offset for tp, offset in offsets.items() if offset != self._next.get(tp)}
        states_to = max((m.offset for m in await asyncio.gather(*acks)), default=None)
        await producer.send_offsets_to_transaction(changed, self._shared.group)
        await producer.commit_transaction()
        self._next = offsets
        outputs = worked.outputs
        # The checkpoint trails one batch behind the index: after a crash the last batch is read, and indexed, again.
        values = {ticket_id: r.value for ticket_id, r in zip(outputs.states, outputs.state_records(), strict=True)}
        self._store.write(dict(outputs.states), self._learnt_to or None, values)
        if states_to is not None:
            self._learnt_to = states_to + 1
        for ticket_id, state in outputs.states.items():
            self.waiting.note(state, ticket_id)
        self._shared.learn(outputs.facts)
        self._rate.add(len(raws))
        self._measure(worked, time.monotonic() - started, len(raws))
        self._count_dead(worked, len(raws))

    async def _send(self, producer: AIOKafkaProducer, worked: Worked) -> list[asyncio.Future[Any]]:
        """Queue all records; the futures of the states' batches, whose offsets matter."""
        prefix = self._settings.topic_prefix
        by_topic: dict[str, list[Record]] = {}
        for record in worked.outputs.records:
            by_topic.setdefault(record.topic.full_name(prefix), []).append(record)
        states = topics.TICKETS.full_name(prefix)
        by_topic[states] = worked.outputs.state_records()
        acks: list[asyncio.Future[Any]] = []
        for name, records in by_topic.items():
            futures = await self._send_all(producer, name, records)
            if name == states:
                acks = futures
        for record in worked.outputs.elsewhere:
            await producer.send(
                record.topic.full_name(prefix), value=record.value, key=record.key, headers=record.headers
            )
        for raw, ticket_id in worked.misplaced:
            log.info("input.misplaced", topic=raw.topic.name, partition=raw.partition, ticket_id=ticket_id)
            await producer.send(
                raw.topic.full_name(prefix), value=raw.value, key=ticket_id.encode(), headers=list(raw.headers)
            )
        for raw, error in worked.poison:
            headers = dead_headers(
                raw.headers,
                topic=raw.topic.full_name(prefix),
                partition=raw.partition,
                offset=raw.offset,
                service="router",
                error=str(error) or type(error).__name__,
                error_type=type(error).__name__,
                now=datetime.now(UTC),
            )
            await producer.send(raw.topic.dead_name(prefix), value=raw.value, key=raw.key, headers=headers)
        return acks

    async def _send_all(
        self, producer: AIOKafkaProducer, name: str, records: Sequence[Record]
    ) -> list[asyncio.Future[Any]]:
        """All records go to this partition of the topic: whole batches are handed over, not single records."""
        acks: list[asyncio.Future[Any]] = []
        batch = producer.create_batch()
        for record in records:
            while batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                acks.append(await producer.send_batch(batch, name, partition=self.number))
                batch = producer.create_batch()
        if batch.record_count():
            batch.close()
            acks.append(await producer.send_batch(batch, name, partition=self.number))
        return acks

    def _input(self, raw: Raw) -> TopicPartition:
        return TopicPartition(raw.topic.full_name(self._settings.topic_prefix), raw.partition)

    def _measure(self, worked: Worked, seconds: float, count: int) -> None:
        metrics.histogram("mailroom_router_transaction_seconds", "One transaction").observe(seconds)
        metrics.counter("mailroom_router_inputs_total", "Inputs of the second step").inc(count)
        latency = metrics.histogram("mailroom_mail_to_ticket_seconds", "From acceptance to the ticket's event")
        for one in worked.latencies:
            latency.observe(one + seconds)

    def _count_dead(self, worked: Worked, count: int) -> None:
        for raw, error in worked.poison:
            metrics.counter("mailroom_dead_total", "Records put on dead letters", ["topic", "service"]).labels(
                raw.topic.full_name(self._settings.topic_prefix), "router"
            ).inc()
            log.error(
                "record.dead",
                topic=raw.topic.name,
                partition=raw.partition,
                offset=raw.offset,
                error=str(error),
                error_type=type(error).__name__,
            )
        self._dead_in_a_row = self._dead_in_a_row + len(worked.poison) if len(worked.poison) == count else 0
        if self._dead_in_a_row >= DEAD_IN_A_ROW:
            raise Stopped(
                f"{self._dead_in_a_row} inputs in a row could not be processed: something is wrong with the router or "
                "with a producer. See `mailroom dead list`"
            )

    async def _close_producer(self) -> None:
        """Close it; an open transaction ends with it, by the next owner's fence at the latest."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (KafkaError, TimeoutError) as error:
                log.warning("partition.producer_not_closed", partition=self.number, error=type(error).__name__)


def _is_urgent(raw: Raw) -> bool:
    """Mail, and what people ask for; not automatic replies, nor how sending went."""
    if raw.topic is topics.TICKET_COMMANDS:
        return header(raw.headers, "ce_type") != "ticket.auto_reply"
    return raw.topic is not topics.EMAIL_DELIVERY


def _is_young(timestamp_ms: int) -> bool:
    return time.time() - timestamp_ms / 1000 < REINDEX_S
