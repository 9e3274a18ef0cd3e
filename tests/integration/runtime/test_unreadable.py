"""Batches that nothing can decode: their partition stands still, all else goes on, and a person can give them up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import RecordsSkipped, topics
from mailroom_runtime.bus import skipping, unreadable
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import Producer, partition_of
from mailroom_runtime.bus.raw_batches import fetch, problem
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import end
from support.odd_records import CODECS, put_compressed, put_unreadable
from support.waiting import eventually

COMMANDS = topics.TICKET_COMMANDS


@pytest.fixture
async def settings(kafka: str, topics: str) -> ServiceSettings:
    unreadable.contain()
    return ServiceSettings(kafka=kafka, topic_prefix=topics, partitions=4)


@pytest.fixture
async def service(settings: ServiceSettings) -> AsyncIterator[Service[ServiceSettings]]:
    made = Service("test", settings)
    watching = asyncio.create_task(skipping.watch(made))
    yield made
    await end(watching)


class Reader:
    """Reads partitions 0 and 1 of the commands, and remembers what came."""

    def __init__(self, settings: ServiceSettings) -> None:
        name = COMMANDS.full_name(settings.topic_prefix)
        self.parts = [TopicPartition(name, 0), TopicPartition(name, 1)]
        self.values: dict[int, list[bytes]] = {0: [], 1: []}
        self.consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False, auto_offset_reset="earliest")

    async def follow(self) -> None:
        """For ever."""
        while True:
            for tp, records in (await self.consumer.getmany(timeout_ms=100)).items():
                self.values[tp.partition] += [record.value for record in records]

    async def read(self, partition: int, many: int) -> list[bytes]:
        """What came of a partition, as soon as it is so many."""
        await eventually(lambda: len(self.values[partition]) >= many, 15)
        return self.values[partition]


@pytest.fixture
async def reader(settings: ServiceSettings) -> AsyncIterator[Reader]:
    made = Reader(settings)
    await made.consumer.start()
    made.consumer.assign(made.parts)
    following = asyncio.create_task(made.follow())
    yield made
    await end(following)
    await made.consumer.stop()


async def _put(settings: ServiceSettings, partition: int, *values: bytes) -> None:
    name = COMMANDS.full_name(settings.topic_prefix)
    async with Producer(settings, source="test") as producer:
        for value in values:
            await (await producer.post_raw(name, key=b"k", value=value, headers=[], partition=partition))


async def test_what_cannot_be_read_stops_its_partition_only_and_is_stepped_over_when_given_up(
    settings: ServiceSettings, service: Service[ServiceSettings], reader: Reader
) -> None:
    name = COMMANDS.full_name(settings.topic_prefix)
    await _put(settings, 0, b"before")
    offset = await put_unreadable(settings.kafka, name, 0, records=3)
    await _put(settings, 0, b"after")
    await _put(settings, 1, b"beside")

    assert await reader.read(0, 1) == [b"before"]
    assert await reader.read(1, 1) == [b"beside"]
    (stop,) = await eventually(unreadable.stops)
    assert (stop.what.topic, stop.what.partition, stop.what.offset) == (name, 0, offset)
    assert "UnicodeDecodeError" in stop.what.reason

    def told() -> bool:
        return f"mailroom records skip {name} 0 {offset}" in str(service.health.report())

    await eventually(told, 10)
    assert not service.health.ready

    await _put(settings, 1, b"goes on")
    assert await reader.read(1, 2) == [b"beside", b"goes on"]

    batch = await fetch(settings, reader.parts[0], offset)
    assert batch is not None
    assert (batch.offset, batch.next_offset) == (offset, offset + 3)
    assert "UnicodeDecodeError" in str(problem(reader.parts[0], batch))
    async with Producer(settings, source="test") as producer:
        await producer.send(topics.RECORDS_SKIPPED, RecordsSkipped(
            topic=name, partition=0, offset=batch.offset, next_offset=batch.next_offset, at=datetime.now(UTC),
        ))  # fmt: skip
    assert await reader.read(0, 2) == [b"before", b"after"]
    await eventually(lambda: service.health.ready, 10)

    # whoever reads it later, or again, passes over it too
    reader.consumer.seek(reader.parts[0], 0)
    assert await reader.read(0, 4) == [b"before", b"after", b"before", b"after"]


async def test_what_can_be_read_has_no_problem(settings: ServiceSettings) -> None:
    await _put(settings, 0, b"fine")
    tp = TopicPartition(COMMANDS.full_name(settings.topic_prefix), 0)
    batch = await fetch(settings, tp, 0)
    assert batch is not None
    assert problem(tp, batch) is None
    assert await fetch(settings, tp, 1) is None


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec_is_read(settings: ServiceSettings, reader: Reader, codec: str) -> None:
    values = [b"%s %d " % (codec.encode(), n) * 50 for n in range(20)]
    for partition in (0, 1):
        key = next(b"%d" % n for n in range(100) if partition_of(b"%d" % n, 4) == partition)
        await put_compressed(settings.kafka, codec, reader.parts[0].topic, key, values, [("ce_id", b"x")])
        assert await reader.read(partition, 20) == values
