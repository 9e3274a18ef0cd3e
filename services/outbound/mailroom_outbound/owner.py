"""Owns partitions of the lanes topic, as the consumer group assigns them."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from mailroom_contracts import Message, Topic, Undecodable, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.dead_letters import bury_record
from mailroom_runtime.bus.gathering import Gathering
from mailroom_runtime.bus.groups import group_name
from mailroom_runtime.bus.kafka import BusDown, Producer
from mailroom_runtime.bus.rebalances import Rebalances
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.tasks import end

from .desk import Desk
from .lease import Holder
from .mending import Mending
from .partition import Partition
from .records import lane_partition
from .settings import OutboundSettings

log = get_logger()
GROUP = "outbound.lanes"
NOTE_POSITION_EVERY_S = 5.0
LEAVE_WITHIN_S = 3.0  # how long a rebalance waits for sends to end; longer ones end under their lease


class Owner:
    """Reads each assigned partition from its beginning and runs its lanes."""

    def __init__(
        self,
        service: Service[OutboundSettings],
        desk: Desk,
        producer: Producer,
        mending: Mending,
        *,
        place: str,
        process: str,
    ):
        self._service, self._desk, self._producer, self._mending = service, desk, producer, mending
        self._place, self._process, self._term = place, process, 0
        self._name = topics.EMAIL_LANES.full_name(service.settings.topic_prefix)
        self._partitions: dict[int, Partition] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._assigned: set[TopicPartition] = set()  # not set up yet
        self._consumer = AIOKafkaConsumer(
            **connection(service.settings),
            group_id=group_name(service.settings.topic_prefix, GROUP),
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # each assignment reads its partition whole, whatever was committed
            client_id=f"mailroom-{service.name}-lanes",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=600_000,
        )

    def changed(self, topic: Topic, key: str, _: Message | None) -> None:
        """A configuration record came."""
        if topic is not topics.ADDRESSES:
            return
        partition = self._partitions.get(lane_partition(key, self._service.settings.partitions))
        if partition is not None and not partition.reconfigured(key):
            self._mending.look(key)

    async def run(self) -> None:
        """Own partitions until the service stops; then finish what is under way."""
        service = self._service
        service.health.set("lanes", False, "joining the other senders")
        while not service.stopping.is_set():
            try:
                await self._consumer.start()
                break
            except KafkaError:
                await asyncio.sleep(1)
        noted_at = time.monotonic()
        try:
            rebalances = Rebalances(self._take, self._give_up)
            self._consumer.subscribe([self._name], listener=rebalances)
            gathering = Gathering(self._consumer, wait_ms=100)
            while not service.stopping.is_set():
                await self._set_up()
                batches = await self._consumer.getmany(timeout_ms=400, max_records=2000)
                rebalances.check()
                gathering.saw(batches)
                for tp, records in batches.items():
                    if (partition := self._partitions.get(tp.partition)) is not None:
                        await self._apply(partition, records)
                await self._check()
                if time.monotonic() - noted_at > NOTE_POSITION_EVERY_S:
                    noted_at = time.monotonic()
                    await self._note_positions()
        finally:
            self._leave(list(self._partitions.values()))
            try:
                await self._finish_leaving(None)
            finally:
                await end(*self._leaving)
                await self._consumer.stop()

    async def _apply(self, partition: Partition, records: list[ConsumerRecord]) -> None:
        try:
            await partition.apply(records)
        except BusDown as error:
            # only repeats and poison are written here; both come again when the partition is read the next time
            log.warning("lanes.not_repeated", partition=partition.number, reason=str(error)[:200])
            await partition.moved_to(records[-1].offset + 1)

    async def _check(self) -> None:
        """Empty partitions are read at once; a lane that failed ends the service."""
        for partition in self._partitions.values():
            if not partition.loaded:
                position = await self._consumer.position(TopicPartition(self._name, partition.number))
                await partition.moved_to(position)
            for error in partition.failed_lanes():
                raise error
        loaded = bool(self._consumer.assignment()) and all(p.loaded for p in self._partitions.values())
        self._service.health.set("lanes", loaded or not self._partitions, "reading the waiting mail")
        metrics.gauge("mailroom_outbound_waiting", "Mails that wait in this process's lanes").set(
            sum(p.waiting for p in self._partitions.values())
        )

    async def _note_positions(self) -> None:
        """Commit how far we read: only so that lag can be seen; nobody starts from there."""
        offsets = {TopicPartition(self._name, p.number): p.position for p in self._partitions.values() if p.position}
        if offsets:
            try:
                await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError, KafkaError) as error:
                log.info("lanes.position_not_noted", error=type(error).__name__)

    # rebalance

    async def _give_up(self, revoked: set[TopicPartition]) -> None:
        self._assigned -= revoked
        self._leave([p for tp in revoked if (p := self._partitions.pop(tp.partition, None)) is not None])
        await self._finish_leaving(LEAVE_WITHIN_S)

    async def _take(self, assigned: set[TopicPartition]) -> None:
        # nothing may be read before its partition is set up, which happens between two readings
        if assigned:
            self._consumer.pause(*assigned)
            self._assigned = set(assigned)

    async def _set_up(self) -> None:
        if not self._assigned:
            return
        self._term += 1
        holder = Holder(self._place, self._process, self._term)
        assigned, self._assigned = self._assigned, set()
        for tp in assigned:
            end = await self._end_offset(tp)
            self._partitions[tp.partition] = Partition(
                tp.partition, end, self._desk, holder, bury=self._bury, end_offset=partial(self._end_offset, tp)
            )
        try:
            self._consumer.resume(*assigned)
            await self._consumer.seek_to_beginning(*assigned)
        except IllegalStateError:
            # taken away again meanwhile; the next assignment sets up what it gives
            self._leave([p for tp in assigned if (p := self._partitions.pop(tp.partition, None)) is not None])
            return
        log.info("lanes.assigned", partitions=sorted(tp.partition for tp in assigned), term=self._term)

    async def _end_offset(self, tp: TopicPartition) -> int:
        while True:
            try:
                return int((await self._consumer.end_offsets([tp]))[tp])
            except KafkaError as error:
                log.info("lanes.end_unknown", partition=tp.partition, error=type(error).__name__)
                await asyncio.sleep(0.5)

    def _leave(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            self._leaving.update(partition.stop())

    async def _finish_leaving(self, timeout_s: float | None) -> None:
        if not self._leaving:
            return
        done, self._leaving = await asyncio.wait(self._leaving, timeout=timeout_s)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _bury(self, record: ConsumerRecord, error: Undecodable) -> None:
        await bury_record(
            self._producer, record, error, topic=topics.EMAIL_LANES,
            prefix=self._service.settings.topic_prefix, service=self._service.name,
        )  # fmt: skip
