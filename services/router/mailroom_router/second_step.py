"""The second step's engine: consume, decide, produce, in Kafka transactions (decision 0002).

One consumer group over the three inputs. Range assignment gives one worker the same partitions of all three (equal
counts of partitions, equal subscriptions). Here they are read and shared out; `worker` works on them.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, NoOffsetForPartitionError
from mailroom_contracts import Topic, topics
from mailroom_runtime.book import Book
from mailroom_runtime.bus import kafka
from mailroom_runtime.bus.aiokafka_private import membership
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.consume import lost_offsets
from mailroom_runtime.bus.gathering import Gathering
from mailroom_runtime.bus.groups import group_name
from mailroom_runtime.bus.kafka import Producer, start_when_possible
from mailroom_runtime.bus.rebalances import Rebalances
from mailroom_runtime.bus.single_records import SingleRecords
from mailroom_runtime.bus.standstill import Standstill
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.process.tasks import end, lasting

from .agents import Agents
from .batch import Desk
from .directories import Directories
from .directory_keeping import DirectoryKeeping, KnownDirectories
from .handed import Handed
from .inbox import INPUTS, Raw
from .learning import Learning
from .partition import Partition
from .redis_gate import RedisGate
from .restoring import Shared
from .settings import RouterSettings
from .store import Slot
from .transactions import Membership, Transactions, committed, fence_last
from .worker import Worker

log = get_logger()

GROUP = "router.tickets"
FULL, ROOM = 2_000, 500  # records of a topic's partition that wait: above, it is paused; below, resumed
LAG_EVERY_S = 1.0
STILL_S = 25.0
STOP_S = 5.0


def partition_of(ticket_id: str, partitions: int) -> int:
    """The partition of a ticket: Kafka's default partitioner over its id."""
    return kafka.partition_of(ticket_id.encode(), partitions)


class SecondStep:
    """Owns the partitions that the group gives it."""

    def __init__(
        self,
        service: Service[RouterSettings],
        book: Book,
        agents: Agents,
        gate: RedisGate,
        producer: Producer,
        learning: Learning,
        directories: Directories,
        handed: Handed | None = None,
    ) -> None:
        self._directories = directories
        self._records = SingleRecords(service.settings)
        self._service, self._settings = service, service.settings
        self._book, self._agents, self._gate, self._producer, self._learning = book, agents, gate, producer, learning
        self._by_name: dict[str, Topic] = {t.full_name(self._settings.topic_prefix): t for t in INPUTS}
        self._group = group_name(self._settings.topic_prefix, GROUP)
        self._handed = handed
        self._still: Standstill[tuple[str, int]] = Standstill(STILL_S)
        self._worker: Worker | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._slot: Slot | None = None
        self._rebalances = Rebalances(self._take, self._let_go)

    async def run(self) -> None:
        """Work until the service stops. Raises `Stopped` when offsets were lost."""
        root = Path(self._settings.data) / "router"
        # another broker's or prefix' states must not be taken for ours
        mark = hashlib.sha256(f"{self._settings.kafka}|{self._settings.topic_prefix}".encode()).hexdigest()[:12]
        self._slot = Slot(root / mark)
        consumer = AIOKafkaConsumer(
            **connection(self._settings),
            group_id=self._group,
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
        await start_when_possible(consumer, self._service.stopping)
        name = f"{self._settings.topic_prefix}.router.{self._slot.name}"
        self._worker = worker = Worker(
            Transactions(self._settings, name, self._group),
            self._desk(consumer),
            self._settings,
        )
        working = asyncio.create_task(worker.run(), name="worker")
        waiting = lasting(lambda: self._drain_waiting(worker), "waiting-tickets", again=True)
        keeping = DirectoryKeeping(self._settings, self._gate, self._directories, lambda: worker.partitions)
        directories = lasting(keeping.run, "directories", again=True)
        try:
            consumer.subscribe(list(self._by_name), listener=self._rebalances)
            measured_at = 0.0
            gathering = Gathering(consumer, many_per_s=300, wait_ms=15, longest_ms=40)
            while not self._service.stopping.is_set() and self._rebalances.failure is None and not working.done():
                try:
                    # its own timeout does not count while a rebalance is under way, which another member can hold up
                    async with asyncio.timeout(1):
                        batches = await consumer.getmany(timeout_ms=400, max_records=2_000)
                except TimeoutError:
                    continue
                except NoOffsetForPartitionError as error:
                    raise Stopped(lost_offsets(GROUP, error)) from error
                except KafkaError as error:
                    log.warning("consume.interrupted", error=type(error).__name__)
                    await asyncio.sleep(0.5)
                    continue
                gathering.saw(batches)
                self._service.health.set("kafka", True)
                for tp, records in batches.items():
                    self._feed(worker, tp, records)
                self._balance(worker, consumer)
                if time.monotonic() - measured_at > LAG_EVERY_S:
                    measured_at = time.monotonic()
                    self._measure_lag(worker, consumer)
            self._rebalances.check()
            if working.done():
                working.result()
        finally:
            worker.stop()
            await end(waiting, directories)
            await asyncio.gather(working, return_exceptions=True)
            try:
                async with asyncio.timeout(STOP_S):
                    await consumer.stop()
            except TimeoutError:
                # it waits for a rebalance that another member holds up; the group does without it after its session
                log.warning("consumer.stop_timed_out", after_s=STOP_S)
            await self._records.close()
            self._slot.release()

    def _feed(self, worker: Worker, tp: TopicPartition, records: Sequence[Any]) -> None:
        if tp.partition not in worker.partitions:
            # not taken over yet: what was read must be read again, never be passed over
            if self._consumer is not None and tp in self._consumer.assignment():
                self._consumer.seek(tp, records[0].offset)
            return
        topic = self._by_name[tp.topic]
        raws = [Raw(topic, tp.partition, r.offset, r.key, r.value, r.headers) for r in records]
        worker.feed(tp.partition, topic, raws)

    def _balance(self, worker: Worker, consumer: AIOKafkaConsumer) -> None:
        """Pause what has enough, resume what has room."""
        assigned, paused = consumer.assignment(), consumer.paused()
        partitions = worker.partitions
        for tp in assigned:
            partition = partitions.get(tp.partition)
            queued = len(partition.inbox.lane(self._by_name[tp.topic])) if partition is not None else 0
            # asked of the consumer itself: a rebalance begins to read what was paused before it
            if queued > FULL and tp not in paused:
                consumer.pause(tp)
            elif queued < ROOM and tp in paused:
                consumer.resume(tp)

    def _measure_lag(self, worker: Worker, consumer: AIOKafkaConsumer) -> None:
        partitions = worker.partitions
        for tp in consumer.assignment():
            highwater, partition = consumer.highwater(tp), partitions.get(tp.partition)
            if highwater is not None and partition is not None and (done := partition.done(tp)) is not None:
                metrics.gauge("mailroom_lag", "Records behind", ["group", "topic", "partition"]).labels(
                    GROUP, tp.topic, tp.partition
                ).set(max(0, highwater - done))
        self._look_whether_it_gets_on(worker)

    def _look_whether_it_gets_on(self, worker: Worker) -> None:
        """What was read and waits here is not seen from outside (`bus.progress`): nothing of it is settled, or some is."""
        waiting = {
            (lane.topic.name, number): len(lane)
            for number, partition in worker.partitions.items() for lane in partition.inbox.lanes
        }  # fmt: skip
        still = self._still.look(dict.fromkeys(waiting, 0), waiting, time.monotonic(), worker.settled)
        self._service.health.set(
            "settling", not still, f"{sum(waiting.values())} inputs wait, and none was settled for {STILL_S:g} s"
        )

    # rebalances
    async def _let_go(self, revoked: set[TopicPartition]) -> None:
        """Finish the transaction under way, then give the partitions up."""
        numbers = {tp.partition for tp in revoked}
        if numbers:
            log.info("partitions.revoked", partitions=sorted(numbers))
        assert self._worker is not None
        await self._worker.let_go(numbers)

    async def _take(self, assigned: set[TopicPartition]) -> None:
        """Take partitions over; each opens by itself, records wait meanwhile. Raises `Stopped`."""
        assert self._worker is not None
        assert self._consumer is not None
        numbers = {tp.partition for tp in assigned}
        counts = {name: sum(1 for tp in assigned if tp.topic == name) for name in self._by_name}
        log.info("partitions.assigned", partitions=sorted(numbers))
        if len(set(counts.values())) > 1:
            raise Stopped(
                f"the topics of the router have different numbers of partitions ({counts}): see `mailroom doctor`"
            )
        self._worker.take_over(
            [Partition(number, self._shared()) for number in sorted(numbers - set(self._worker.partitions))],
            Membership(*membership(self._consumer)),
        )
        self._service.health.set("tickets", True)

    def _desk(self, consumer: AIOKafkaConsumer) -> Desk:
        name = next(iter(self._by_name))
        settings = self._settings

        @cache
        def count() -> int:  # asked when there are records, so the consumer knows
            return len(consumer.partitions_for_topic(name) or ()) or settings.partitions

        return Desk(
            self._book,
            settings.message_id_ring(),
            self._agents,
            self._gate,
            lambda ticket_id: partition_of(ticket_id, count()),
            timedelta(days=settings.router_reply_days),
            self._handed,
        )

    def _shared(self) -> Shared:
        assert self._slot is not None
        return Shared(
            settings=self._settings,
            learn=self._learning.learn,
            learnt_to=self._learning.learnt_to,
            committed=self._committed,
            unblock=self._unblock,
            folder=self._slot.folder,
            directories=KnownDirectories(self._gate, self._directories),
            records=self._records,
        )

    def _inputs(self, number: int) -> list[TopicPartition]:
        return [TopicPartition(name, number) for name in self._by_name]

    async def _committed(self, number: int) -> dict[TopicPartition, int]:
        assert self._consumer is not None
        async with asyncio.timeout(60):
            found = await committed(self._consumer, self._group, self._inputs(number), self._settings)
        for tp in self._inputs(number):
            if tp not in found:
                raise Stopped(lost_offsets(GROUP, f"{tp.topic} partition {number}"))
        return found

    async def _unblock(self, number: int) -> None:
        assert self._consumer is not None
        log.warning("partition.blocked", partition=number, reason="a transaction of another worker is open")
        await fence_last(self._consumer, self._group, self._inputs(number), self._settings)

    # waiting tickets
    async def _drain_waiting(self, worker: Worker) -> None:
        """Once a second: wake what was put aside until now; where somebody of a queue is online, ask for an agent."""
        while True:
            await asyncio.sleep(1)
            for partition in [p for p in worker.partitions.values() if p.ready]:
                for wake in partition.waiting.awake(datetime.now(UTC), time.monotonic()):
                    await self._producer.post(topics.TICKET_COMMANDS, wake)
            lists = [p.waiting for p in worker.partitions.values() if p.ready and len(p.waiting)]
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
