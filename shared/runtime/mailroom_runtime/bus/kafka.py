"""The producer that every service uses, and reading a topic to its end."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError
from mailroom_contracts import Message, Record, Topic, encode
from prometheus_client import Counter

from mailroom_runtime.process import metrics
from mailroom_runtime.process.settings import ServiceSettings

from .aiokafka_private import all_partitions
from .connection import connection
from .patience import Patience
from .renewal import RenewedProducer
from .tracing import new_traceparent
from .unreadable import UnreadableRecords, unreadable_in

UNREADABLE_S = 5.0  # `skipping` steps over what was given up within two
_M, _32_BITS = 0x5BD1E995, 0xFFFFFFFF


class BusDown(ConnectionError):
    """Kafka did not take the record in time; try again later."""


class RecordTooLarge(ValueError):
    """Kafka will never take this record; long parts belong into the blob store."""


@lru_cache(maxsize=20_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default (murmur2) partitioner gives `key`.

    aiokafka's own goes byte by byte, for every record anew: as long as the rest of sending one.
    """
    length = len(key)
    found = 0x9747B28C ^ length
    for word in struct.unpack_from(f"<{length // 4}I", key):
        word = word * _M & _32_BITS
        word = (word ^ word >> 24) * _M & _32_BITS
        found = found * _M & _32_BITS ^ word
    if length % 4:
        found = (found ^ int.from_bytes(key[length & ~3 :], "little")) * _M & _32_BITS
    found = (found ^ found >> 13) * _M & _32_BITS
    return ((found ^ found >> 15) & 0x7FFFFFFF) % partitions


class Producer:
    """Sends records with acks=all, idempotent. `source` goes into ce_source."""

    def __init__(
        self, settings: ServiceSettings, source: str, *, linger_ms: int = 2, timeout_s: float = 10.0, **options: Any
    ) -> None:
        self._settings, self._source, self._timeout = settings, source, timeout_s
        # a record fails by itself first: who gave up waiting would not know that it is never written
        self._patience = Patience(timeout_s + 1.0)
        self._published: dict[str, Counter] = {}
        self._options = {"linger_ms": linger_ms, "max_batch_size": 262_144, **options}
        self._producer = RenewedProducer(self._made)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _made(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **connection(self._settings),
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(self._timeout * 1000),
            max_request_size=1_000_000,
            client_id=f"mailroom-{self._source}",
            **self._options,
        )

    async def start(self) -> None:
        """Connect; waits for Kafka as long as it takes."""
        await self._producer.start()

    async def close(self) -> None:
        """Send what waits, then disconnect."""
        await self._producer.close()

    async def send(
        self,
        topic: Topic,
        message: Message,
        *,
        causation_id: str | None = None,
        traceparent: str | None = None,
        partition: int | None = None,
    ) -> None:
        """Send and wait until all replicas have it. Raises `BusDown` or `RecordTooLarge`."""
        record = self._encoded(topic, message, causation_id, traceparent)
        await self.send_record(record, partition=partition)

    async def post(
        self,
        topic: Topic,
        message: Message,
        *,
        causation_id: str | None = None,
        traceparent: str | None = None,
        partition: int | None = None,
    ) -> asyncio.Future[Any]:
        """Queue it; the future ends when all replicas have it."""
        record = self._encoded(topic, message, causation_id, traceparent)
        return await self.post_record(record, partition=partition)

    def _encoded(self, topic: Topic, message: Message, causation_id: str | None, traceparent: str | None) -> Record:
        trace = traceparent or new_traceparent()
        return encode(topic, message, source=self._source, causation_id=causation_id, traceparent=trace)

    async def send_record(self, record: Record, *, partition: int | None = None) -> None:
        """Send a ready record (a tombstone, say) and wait. Raises `BusDown` or `RecordTooLarge`."""
        try:
            async with self._patience.lasting():
                await (await self.post_record(record, partition=partition))
        except TimeoutError:
            raise BusDown("Kafka did not answer in time") from None
        except MessageSizeTooLargeError as error:  # the broker's own limit may be lower than ours
            raise RecordTooLarge(f"a record for {record.topic.name} has {len(record.value or b'')} bytes") from error
        except KafkaError as error:
            raise BusDown(f"Kafka did not take the record: {type(error).__name__}") from error

    async def post_record(self, record: Record, *, partition: int | None = None) -> asyncio.Future[Any]:
        """Queue a ready record; the future ends when all replicas have it."""
        return await self.post_raw(
            record.topic.full_name(self._settings.topic_prefix),
            key=record.key,
            value=record.value,
            headers=record.headers,
            partition=partition,
        )

    async def post_raw(
        self,
        name: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        partition: int | None = None,
    ) -> asyncio.Future[Any]:
        """Queue bytes on a topic by its full name."""
        if partition is None and key is not None and (known := self._producer.partitions_of(name)):
            partition = partition_of(key, known)
        try:
            future = await self._producer.send(name, value=value, key=key, headers=headers, partition=partition)
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(f"a record for {name} has {len(value or b'')} bytes") from error
        except KafkaError as error:
            raise BusDown(f"Kafka did not take the record: {type(error).__name__}") from error
        published = self._published.get(name)
        if published is None:
            published = metrics.counter("mailroom_published_total", "Records published", ["topic"]).labels(name)
            self._published[name] = published
        published.inc()
        return future


async def connect_producer(settings: ServiceSettings, source: str, **options: Any) -> Producer:
    """A producer that is connected."""
    producer = Producer(settings, source, **options)
    await producer.start()
    return producer


async def read_to_end(
    settings: ServiceSettings, names: list[str], *, committed_only: bool = True, required: bool = False
) -> AsyncIterator[ConsumerRecord]:
    """Every record of these topics (full names) from the first up to the end as it was at the start.

    A topic that is missing, or that we have no right to see, has none; with `required` it raises
    `UnknownTopicOrPartitionError`, for who would take nothing for an answer.
    Raises `UnreadableRecords` where that cannot be done, and nobody gives up what cannot be read.
    """
    async with Reading(settings, names, committed_only=committed_only, required=required) as reading:
        async for _, records in reading.to_end():
            for record in records:
                yield record


class Reading:
    """Topics (full names) that are read to their ends as often as `to_end` is asked, each time from where the last ended."""

    def __init__(
        self, settings: ServiceSettings, names: list[str], *, committed_only: bool = True, required: bool = False
    ) -> None:
        """`required` as for `read_to_end`."""
        self._names, self._required = names, required
        self._consumer = AIOKafkaConsumer(
            **connection(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if committed_only else "read_uncommitted",
        )
        self.positions: dict[TopicPartition, int] = {}
        """Up to where all that is to be had was handed out."""

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        try:
            for name in self._names:
                found = await partitions_for(self._consumer, name)
                if self._required and not found:
                    raise UnknownTopicOrPartitionError(f"{name} is missing, or may not be read")
                self.positions.update((TopicPartition(name, p), 0) for p in found)
            if self.positions:
                self._consumer.assign(list(self.positions))
                self.positions.update(await self._consumer.beginning_offsets(list(self.positions)))
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    def begin(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions alone, from these offsets on."""
        self.positions = dict(positions)
        self._consumer.assign(list(positions))

    async def ends(self) -> dict[TopicPartition, int]:
        """Where they end now."""
        return dict(await self._consumer.end_offsets(list(self.positions))) if self.positions else {}

    async def to_end(self) -> AsyncIterator[tuple[TopicPartition, Sequence[ConsumerRecord]]]:
        """What there is up to the ends as they are now. Raises as `read_to_end`."""
        consumer, positions = self._consumer, self.positions
        ends = await self.ends()
        waiting = {tp for tp, position in positions.items() if ends[tp] > position}
        for tp in waiting:
            consumer.seek(tp, positions[tp])
        moved_at = time.monotonic()
        while waiting:
            for tp, records in (await consumer.getmany(*waiting, timeout_ms=200)).items():
                yield tp, records
                positions[tp] = records[-1].offset + 1
            for tp in list(waiting):
                # control records move the position without a record, so the position is what counts
                positions[tp] = await consumer.position(tp)
                if positions[tp] >= ends[tp]:
                    waiting.remove(tp)
            standing = [what for tp in waiting if (what := unreadable_in(tp)) is not None]
            if not standing:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > UNREADABLE_S:
                raise UnreadableRecords(str(standing[0]))


async def start_when_possible(consumer: AIOKafkaConsumer, stopping: asyncio.Event) -> None:
    """Start the consumer once Kafka can be reached; returns before that only where the service stops."""
    while not stopping.is_set():
        try:
            await consumer.start()
            return
        except KafkaError:
            await asyncio.sleep(1)


async def partitions_for(consumer: AIOKafkaConsumer, name: str, *, wait_s: float = 2.0) -> list[int]:
    """The topic's partitions, waiting a little for a topic that was just made; [] for a missing one."""
    end = asyncio.get_running_loop().time() + wait_s
    while True:
        found = await all_partitions(consumer, name)
        if found or asyncio.get_running_loop().time() > end:
            return sorted(found)
        await asyncio.sleep(0.1)
