"""The second step's engine: consume, decide, produce, in Kafka transactions (decision 0002).

One consumer group over the three inputs. Range assignment gives one worker the same partitions of all three (equal
counts of partitions, equal subscriptions); each partition is worked on by itself, see `partition`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, NoOffsetForPartitionError
from mailroom_contracts import Topic, topics
from mailroom_runtime import kafka, metrics
from mailroom_runtime.consume import lost_offsets
from mailroom_runtime.gathering import Gathering
from mailroom_runtime.groups import GROUPS, group_name
from mailroom_runtime.kafka import Producer
from mailroom_runtime.logs import get_logger
from mailroom_runtime.service import Service, Stopped

from .agents import Agents
from .batch import Desk, Raw
from .book import Book
from .facts import Facts
from .partition import Partition, Shared
from .redis_gate import RedisGate
from .settings import RouterSettings
from .store import Slot

log = get_logger()

GROUP = "router.tickets"
INPUTS = GROUPS[GROUP]
FULL, ROOM = 3_000, 1_000  # records queued per partition: above, it is paused; below, resumed
HAND_OVER_S = 8.0
LAG_EVERY_S = 1.0
INDEXED_EVERY_S = 0.05  # what tickets' changes say goes into the index together


def partition_of(ticket_id: str, partitions: int) -> int:
    """The partition of a ticket: Kafka's default partitioner over its id."""
    return kafka.partition_of(ticket_id.encode(), partitions)


class SecondStep(ConsumerRebalanceListener):  # type: ignore[misc]
    """Owns the partitions that the group gives it."""

    def __init__(
        self,
        service: Service[RouterSettings],
        book: Book,
        agents: Agents,
        gate: RedisGate,
        producer: Producer,
        learn: Any,
    ) -> None:
        self._service, self._settings = service, service.settings
        self._book, self._agents, self._gate, self._producer, self._learn = book, agents, gate, producer, learn
        self._by_name: dict[str, Topic] = {t.full_name(self._settings.topic_prefix): t for t in INPUTS}
        self._partitions: dict[int, tuple[Partition, asyncio.Task[None]]] = {}
        self._paused: set[int] = set()
        self._consumer: AIOKafkaConsumer | None = None
        self._slot: Slot | None = None
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Work until the service stops. Raises `Stopped` when offsets were lost."""
        root = Path(self._settings.data) / "router"
        # another broker's or prefix' states must not be taken for ours
        mark = hashlib.sha256(f"{self._settings.kafka}|{self._settings.topic_prefix}".encode()).hexdigest()[:12]
        self._slot = Slot(root / mark)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            group_id=group_name(self._settings.topic_prefix, GROUP),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=(RangePartitionAssignor,),
            client_id="mailroom-router",
            session_timeout_ms=int(self._settings.router_session_timeout_s * 1000),
            heartbeat_interval_ms=1_000,
            max_poll_interval_ms=600_000,
            rebalance_timeout_ms=30_000,
            fetch_max_wait_ms=250,
            max_partition_fetch_bytes=4 << 20,
        )
        self._consumer = consumer
        while not self._service.stopping.is_set():
            try:
                await consumer.start()
                break
            except KafkaError:
                await asyncio.sleep(1)
        waiting = asyncio.create_task(self._drain_waiting(), name="waiting-tickets")
        try:
            consumer.subscribe(list(self._by_name), listener=self)
            measured_at = 0.0
            gathering = Gathering(consumer, many_per_s=100, wait_ms=10)
            while not self._service.stopping.is_set() and self._failure is None:
                try:
                    batches = await consumer.getmany(timeout_ms=200, max_records=2_000)
                except NoOffsetForPartitionError as error:
                    raise Stopped(lost_offsets(GROUP, error)) from error
                except KafkaError as error:
                    log.warning("consume.interrupted", error=type(error).__name__)
                    await asyncio.sleep(0.5)
                    continue
                gathering.saw(batches)
                self._service.health.set("kafka", True)
                for tp, records in batches.items():
                    self._feed(tp, records)
                self._balance(consumer)
                if time.monotonic() - measured_at > LAG_EVERY_S:
                    measured_at = time.monotonic()
                    self._measure_lag(consumer)
            if self._failure is not None:
                raise self._failure
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await self._let_go(set(self._partitions))
            await consumer.stop()
            self._slot.release()

    def _feed(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        owned = self._partitions.get(tp.partition)
        if owned is None:
            # not taken over yet: what was read must be read again, never be passed over
            if self._consumer is not None and tp in self._consumer.assignment():
                self._consumer.seek(tp, records[0].offset)
            return
        topic = self._by_name[tp.topic]
        owned[0].feed([Raw(topic, tp.partition, r.offset, r.key, r.value, r.headers) for r in records])

    def _balance(self, consumer: AIOKafkaConsumer) -> None:
        """Pause partitions that have enough, resume those that have room."""
        assigned = consumer.assignment()
        for number, (partition, _) in self._partitions.items():
            parts = [tp for tp in assigned if tp.partition == number]
            if partition.queued > FULL and number not in self._paused:
                consumer.pause(*parts)
                self._paused.add(number)
            elif partition.queued < ROOM and number in self._paused:
                consumer.resume(*parts)
                self._paused.discard(number)

    def _measure_lag(self, consumer: AIOKafkaConsumer) -> None:
        for tp in consumer.assignment():
            highwater, owned = consumer.highwater(tp), self._partitions.get(tp.partition)
            if highwater is not None and owned is not None and (done := owned[0].done(tp)) is not None:
                metrics.gauge("mailroom_lag", "Records behind", ["group", "topic", "partition"]).labels(
                    GROUP, tp.topic, tp.partition
                ).set(max(0, highwater - done))

    # rebalances
    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish the transactions under way, then give the partitions up."""
        numbers = {tp.partition for tp in revoked}
        if numbers:
            log.info("partitions.revoked", partitions=sorted(numbers))
        await self._let_go(numbers)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Take partitions over; each opens by itself, records wait in its queue meanwhile."""
        try:
            self._take(assigned)
        except Exception as error:
            # aiokafka would only log it, and the partitions would be nobody's
            self._failure = error
            raise

    def _take(self, assigned: set[TopicPartition]) -> None:
        numbers = {tp.partition for tp in assigned}
        counts = {name: sum(1 for tp in assigned if tp.topic == name) for name in self._by_name}
        log.info("partitions.assigned", partitions=sorted(numbers))
        if len(set(counts.values())) > 1:
            self._failure = Stopped(
                f"the topics of the router have different numbers of partitions ({counts}): see `mailroom doctor`"
            )
            return
        shared = self._shared()
        for number in sorted(numbers - set(self._partitions)):
            partition = Partition(number, shared)
            task = asyncio.create_task(partition.run(), name=f"partition-{number}")
            task.add_done_callback(self._ended)
            self._partitions[number] = (partition, task)
        self._service.health.set("tickets", True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            log.error("partition.failed", error=str(error))
            self._failure = error

    async def _let_go(self, numbers: set[int]) -> None:
        going = [self._partitions.pop(n) for n in numbers if n in self._partitions]
        self._paused -= numbers
        for partition, _ in going:
            partition.hand_over()
        tasks = [task for _, task in going]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=HAND_OVER_S)
            for task in late:
                log.warning("partition.hand_over_late", task=task.get_name())
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _shared(self) -> Shared:
        assert self._consumer is not None
        assert self._slot is not None
        count = self._partition_count()
        return Shared(
            settings=self._settings,
            desk=Desk(
                self._book,
                self._settings.message_id_ring(),
                self._agents,
                self._gate,
                lambda ticket: partition_of(ticket, count),
                timedelta(days=self._settings.router_reply_days),
            ),
            learn=self._learn,
            committed=self._committed,
            group=group_name(self._settings.topic_prefix, GROUP),
            folder=self._slot.folder,
            transactional_id=lambda number: f"{self._settings.topic_prefix}.router.{number}",
        )

    def _partition_count(self) -> int:
        assert self._consumer is not None
        found = self._consumer.partitions_for_topic(next(iter(self._by_name))) or set()
        return len(found) or self._settings.partitions

    async def _committed(self, number: int) -> dict[TopicPartition, int]:
        assert self._consumer is not None
        result: dict[TopicPartition, int] = {}
        for name in self._by_name:
            tp = TopicPartition(name, number)
            async with asyncio.timeout(20):
                offset = await self._consumer.committed(tp)
            if offset is None:
                raise Stopped(lost_offsets(GROUP, f"{name} partition {number}"))
            result[tp] = offset
        return result

    # waiting tickets
    async def _drain_waiting(self) -> None:
        """Once a second: where somebody of a queue is online, ask for an agent for its waiting tickets."""
        while True:
            await asyncio.sleep(1)
            lists = [p.waiting for p, _ in self._partitions.values() if p.ready and len(p.waiting)]
            metrics.gauge("mailroom_tickets_waiting", "Tickets that wait for an online agent").set(
                sum(len(w) for w in lists)
            )
            if not lists or not self._gate.ready:
                continue
            pairs = {pair for w in lists for pair in w.queues()}
            members = {pair: self._book.agents_of(pair[1], pair[0]) for pair in pairs}
            wanted = [(portal, agent) for (portal, _), agents in members.items() for agent in agents]
            nobody: frozenset[str] = frozenset()
            online = await self._gate.attempt(self._agents.online(wanted), nobody)
            staffed = {pair for pair, agents in members.items() if not online.isdisjoint(agents)}
            for waiting in lists:
                for command in waiting.due(staffed, datetime.now(UTC), time.monotonic()):
                    await self._producer.post(topics.TICKET_COMMANDS, command)


async def flush_facts(
    pending: list[Facts], fed: asyncio.Event, gate: RedisGate, learn: Sequence[Any], most: int = 100_000
) -> None:
    """Write what tickets' changes say into the index, in order, whenever Redis answers; never ends."""
    spoilt = False
    while True:
        if not pending:
            fed.clear()
            await fed.wait()
        if spoilt and gate.up:
            await gate.spoil()
            spoilt = False
        if not gate.up:
            if len(pending) > most:
                pending.clear()
                log.warning("index.spoilt", reason="Redis was away for too long")
                spoilt = True
            await asyncio.sleep(0.1)
            continue
        if len(pending) < 500:
            await asyncio.sleep(INDEXED_EVERY_S)
        batch, pending[:] = pending[:500], pending[500:]
        for write in learn:
            if not await gate.attempt(_done(write(batch)), False):
                pending[:0] = batch
                break


async def _done(work: Any) -> bool:
    await work
    return True
