"""A partition without a leader for longer than the producer waits, under load, on two real brokers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from mailroom_contracts import Portal
from mailroom_contracts import topics as contracts
from mailroom_runtime.bus.kafka import BusDown, Producer, RecordTooLarge
from mailroom_runtime.process.settings import ServiceSettings
from support.second_broker import SecondBroker, split_topic
from support.servers import KafkaServer
from support.waiting import eventually

NAME = "split"


@pytest.fixture
def second(kafka_server: KafkaServer, tmp_path: Path) -> Iterator[SecondBroker]:
    made = SecondBroker(kafka_server.broker, tmp_path / "second")
    try:
        made.start()
        yield made
    finally:
        made.kill()


class Load:
    """Sends numbered records to each partition, every tenth of a second, and again until each is acknowledged."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.sent: dict[int, set[str]] = {0: set(), 1: set()}
        self.last: dict[int, float] = {0: 0.0, 1: 0.0}
        self.longest = {0: 0.0, 1: 0.0}
        self.stopped = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(100_000):
                if self.stopped:
                    return
                for partition in (0, 1):
                    group.create_task(self._one(partition, f"{partition}-{number}"))
                await asyncio.sleep(0.1)

    async def _one(self, partition: int, name: str) -> None:
        began = time.monotonic()
        while True:
            try:
                future = await self._producer.post_raw(
                    NAME, key=name.encode(), value=b"x" * 500, headers=[], partition=partition
                )
                await future
            except (BusDown, KafkaError):
                await asyncio.sleep(0.5)  # and it comes again, as a mail server would
            else:
                self.sent[partition].add(name)
                self.last[partition] = time.monotonic()
                self.longest[partition] = max(self.longest[partition], time.monotonic() - began)
                return


@pytest.mark.parametrize(
    ("waits_s", "away_s"),
    [
        (2.0, 6.0),
        pytest.param(10.0, 15.0, marks=pytest.mark.slow),
        pytest.param(10.0, 60.0, marks=pytest.mark.slow),
    ],
)
async def test_all_is_taken_again_when_the_leader_is_back(
    kafka_server: KafkaServer, second: SecondBroker, waits_s: float, away_s: float
) -> None:
    await split_topic(kafka_server.bootstrap, NAME)
    settings = ServiceSettings(kafka=kafka_server.bootstrap)
    async with Producer(settings, source="test", timeout_s=waits_s) as producer:
        load = Load(producer)
        sending = asyncio.create_task(load.run())
        await _until(lambda: len(load.sent[0]) > 5 and len(load.sent[1]) > 5, sending)
        await asyncio.to_thread(second.terminate, 30)
        gone = time.monotonic()
        await _until(lambda: time.monotonic() - gone > away_s, sending, away_s + 10)
        assert load.last[0] > gone + away_s - 2, "the other partition goes on"
        assert load.last[1] < gone + 1
        await asyncio.to_thread(second.start)
        back = time.monotonic()
        await _until(lambda: load.last[1] > back, sending, 5)
        count = len(load.sent[1])
        await _until(lambda: len(load.sent[1]) > count + 20, sending)
        load.stopped = True
        await asyncio.wait_for(sending, 20)
    read = await _read(kafka_server.bootstrap)
    for partition in (0, 1):
        assert sorted(read[partition]) == sorted(load.sent[partition]), "each once"


async def test_a_record_that_the_broker_refuses_for_good_spoils_no_other(kafka: str, topics: str) -> None:
    settings = ServiceSettings(kafka=kafka, topic_prefix=topics)
    name = contracts.PORTALS.full_name(topics)
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": "20000"})])
    finally:
        await admin.close()
    large, small = Portal(id="p1", name="x" * 50_000, revision=1), Portal(id="p1", name="Acme", revision=2)
    async with Producer(settings, source="test") as producer:
        with pytest.raises(RecordTooLarge):
            await producer.send(contracts.PORTALS, large)

        async def taken() -> bool:
            with contextlib.suppress(BusDown):
                await producer.send(contracts.PORTALS, small)
                return True
            return False

        await eventually(taken, 10)
        await producer.send(contracts.PORTALS, small)


async def _until(check: object, sending: asyncio.Task[None], timeout_s: float = 30) -> None:
    def checked() -> bool:
        if sending.done():
            sending.result()
        return bool(check())  # type: ignore[operator]

    await eventually(checked, timeout_s)


async def _read(bootstrap: str) -> dict[int, list[str]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[int, list[str]] = {0: [], 1: []}
    try:
        parts = [TopicPartition(NAME, n) for n in (0, 1)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(tp) < ends[tp] for tp in parts]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp.partition] += [r.key.decode() for r in records]
    finally:
        await consumer.stop()
    return found
