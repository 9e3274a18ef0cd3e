"""The consume, handle, commit loop: at least once, in order within a partition.

Three kinds of trouble are three different things: poison goes to the dead letters at once; a dependency that is
away pauses and is tried again, however long it takes; too many dead letters in a row stop the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from mailroom_contracts import Message, Topic, Undecodable, decode, header
from mailroom_contracts.topics import TICKET_EVENTS

from mailroom_runtime.blobs.store import BlobsDown
from mailroom_runtime.process import metrics
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.redis.valkey import REDIS_DOWN

from .connection import connection
from .copies import Copies
from .dead_letters import bury_record
from .gathering import Gathering
from .groups import group_name
from .kafka import BusDown, Producer, start_when_possible

log = get_logger()

TRIES = 3
DEAD_IN_A_ROW = 20


class Poison(Exception):
    """This record can never be processed; the message says why."""


class Pause(Exception):
    """Something that is needed is away; the message says what. The record is tried again."""


AWAY = (Pause, BusDown, BlobsDown, *REDIS_DOWN)


@dataclass(frozen=True, slots=True)
class Inbound:
    """One record, decoded."""

    topic: Topic
    message: Message | None  # None: a tombstone
    key: str
    headers: tuple[tuple[str, bytes], ...]
    partition: int
    offset: int

    @property
    def traceparent(self) -> str | None:
        return header(self.headers, "traceparent")


Handle = Callable[[Inbound], Awaitable[None]]


async def consume(
    service: Service[Any],
    topics: Sequence[Topic],
    *,
    group: str,
    handle: Handle,
    producer: Producer,
    isolation: str = "read_committed",
    max_in_flight: int = 1,
    tombstones: bool = False,
    kinds: Collection[str] | None = None,
    before_commit: Callable[[], Awaitable[None]] | None = None,
    gather_ms: int = 50,
) -> None:
    """Handle every record until the service stops; returns then. Raises `service.Stopped` for lost offsets.

    `max_in_flight`: how many records of one partition may be handled at once; with more than 1, order holds only
    per key. Offsets are committed after each batch was handled and `before_commit` has returned. `kinds`: the only
    event types that are handled; others are not even decoded. `gather_ms`: how long fetches wait for company while
    much comes.
    """
    settings = service.settings
    by_name = {topic.full_name(settings.topic_prefix): topic for topic in topics}
    copies = Copies(TICKET_EVENTS.full_name(settings.topic_prefix))
    worker = _Worker(service, by_name, handle, producer, max_in_flight, tombstones, kinds, copies)
    service.health.set("kafka", False, "connecting to Kafka")
    consumer = AIOKafkaConsumer(
        **connection(settings),
        group_id=group_name(settings.topic_prefix, group),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=isolation,
        client_id=f"mailroom-{service.name}",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=600_000,
    )
    await start_when_possible(consumer, service.stopping)
    try:
        consumer.subscribe(list(by_name))
        gathering = Gathering(consumer, wait_ms=gather_ms)
        while not service.stopping.is_set():
            try:
                batches = await consumer.getmany(timeout_ms=500, max_records=500)
            except NoOffsetForPartitionError as error:
                raise Stopped(lost_offsets(group, error)) from error
            except OffsetOutOfRangeError as error:
                await copies.go_on(consumer, error)
                continue
            gathering.saw(batches)
            service.health.set("kafka", True)
            if not batches:
                continue
            done = await worker.handle_all(batches)
            if done:
                if before_commit is not None:
                    await worker.patiently(before_commit)
                try:
                    await consumer.commit(done)
                except (CommitFailedError, IllegalStateError):
                    # the group moved on without us: what we did is done again by its new owner, by the same ids
                    log.warning("consume.commit_lost", group=group)
                except KafkaError as error:
                    log.warning("consume.commit_failed", group=group, error=type(error).__name__)
            for partition in done:
                highwater = consumer.highwater(partition)
                if highwater is not None:
                    metrics.gauge("mailroom_lag", "Records behind", ["group", "topic", "partition"]).labels(
                        group, partition.topic, partition.partition
                    ).set(max(0, highwater - done[partition]))
    finally:
        await consumer.stop()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first single error of a group, however deep."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def lost_offsets(group: str, error: object) -> str:
    """What a person is told when a group has no committed offset."""
    return (
        f"the consumer group {group!r} has no committed offset ({error}). On a new installation run "
        "`mailroom topics create`; otherwise its offsets were lost: decide where it starts with "
        f"`mailroom topics create --start-group {group}=end` (or =beginning, which answers old mail again)"
    )


class _Worker:
    def __init__(
        self,
        service: Service[Any],
        by_name: dict[str, Topic],
        handle: Handle,
        producer: Producer,
        max_in_flight: int,
        tombstones: bool,
        kinds: Collection[str] | None,
        copies: Copies,
    ) -> None:
        self._copies = copies
        self._service, self._by_name, self._handle = service, by_name, handle
        self._producer, self._max_in_flight, self._tombstones = producer, max_in_flight, tombstones
        self._kinds = None if kinds is None else frozenset(kind.encode() for kind in kinds)
        self._dead_in_a_row = 0

    async def handle_all(self, batches: dict[TopicPartition, list[ConsumerRecord]]) -> dict[TopicPartition, int]:
        """Handle the batches, partitions side by side. Returns the offsets to commit."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {tp: group.create_task(self._partition(records)) for tp, records in batches.items()}
        except ExceptionGroup as errors:
            raise _first(errors) from errors
        return {tp: offset for tp, task in tasks.items() if (offset := task.result()) is not None}

    async def _partition(self, records: list[ConsumerRecord]) -> int | None:
        if self._max_in_flight == 1:
            done: int | None = None
            for record in records:
                if self._service.stopping.is_set():
                    return done
                if self._wanted(record):
                    await self._one(record)
                done = record.offset + 1
            return done
        limit = asyncio.Semaphore(self._max_in_flight)
        chains: dict[bytes, list[ConsumerRecord]] = {}
        for record in records:
            if self._wanted(record):
                chains.setdefault(record.key or b"", []).append(record)

        async def chain(of_key: list[ConsumerRecord]) -> None:
            for record in of_key:
                async with limit:
                    await self._one(record)

        async with asyncio.TaskGroup() as group:
            for of_key in chains.values():
                group.create_task(chain(of_key))
        return int(records[-1].offset) + 1

    def _wanted(self, record: ConsumerRecord) -> bool:
        if not self._copies.is_new(TopicPartition(record.topic, record.partition), record.headers):
            return False
        if self._kinds is None:
            return True
        return next((value in self._kinds for name, value in record.headers if name == "ce_type"), True)

    async def patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it as soon as everything that it needs is there."""
        backoff = Backoff(0.1)
        while True:
            try:
                await work()
                self._service.health.set("work", True)
                return
            except AWAY as error:
                self._pausing(error)
            await backoff.wait()

    def _pausing(self, error: Exception, **where: Any) -> None:
        log.warning("consume.paused", reason=str(error)[:300], **where)
        self._service.health.set("work", False, f"waiting: {str(error)[:200]}")

    async def _one(self, record: ConsumerRecord) -> None:
        topic = self._by_name[record.topic]
        failures = 0
        backoff = Backoff(0.1)
        while True:
            try:
                message = decode(topic, record.value, record.headers)
                if message is not None or (self._tombstones and record.value is None):
                    key = (record.key or b"").decode("utf-8", "replace")
                    inbound = Inbound(topic, message, key, tuple(record.headers), record.partition, record.offset)
                    await self._handle(inbound)
                self._dead_in_a_row = 0
                self._service.health.set("work", True)
                return
            except (Undecodable, Poison) as error:
                await self._bury(record, topic, error)
                return
            except AWAY as error:
                self._pausing(error, topic=record.topic, partition=record.partition)
            except Exception as error:
                failures += 1
                if failures >= TRIES:
                    log.error("consume.handler_failed", topic=record.topic, offset=record.offset, exc_info=error)
                    await self._bury(record, topic, error)
                    return
            await backoff.wait()

    async def _bury(self, record: ConsumerRecord, topic: Topic, error: Exception) -> None:
        backoff = Backoff(0.5)
        while True:
            try:
                await bury_record(
                    self._producer, record, error, topic=topic,
                    prefix=self._service.settings.topic_prefix, service=self._service.name,
                )  # fmt: skip
                break
            except (BusDown, KafkaError):
                await backoff.wait()
        self._dead_in_a_row += 1
        if self._dead_in_a_row >= DEAD_IN_A_ROW:
            raise Stopped(
                f"{DEAD_IN_A_ROW} records in a row could not be processed, the last one on {record.topic}: "
                "something is wrong with this service or its producer. See `mailroom dead list`"
            )
