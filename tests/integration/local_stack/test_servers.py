"""The test servers themselves: that a stopped or emptied one is really gone, and back on its own port."""

from __future__ import annotations

import asyncio

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from support.servers import KafkaServer, ValkeyServer
from support.topics import create_topics


async def _produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=b"k")
    finally:
        await producer.stop()


async def _read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value or b"" for _ in range(count)]
    finally:
        await consumer.stop()


async def test_topics_of_the_run(kafka: str, topics: str) -> None:
    await _produce(kafka, f"{topics}.email.received.v1", b"one")
    assert await _read(kafka, f"{topics}.email.received.v1", 1) == [b"one"]


async def test_a_broker_keeps_its_records_over_a_stop_and_a_kill(kafka_server: KafkaServer, topic_prefix: str) -> None:
    bootstrap, topic = kafka_server.bootstrap, f"{topic_prefix}.tickets.v1"
    await create_topics(bootstrap, topic_prefix, 1)
    await _produce(bootstrap, topic, b"one")
    kafka_server.stop()
    kafka_server.start()
    await _produce(bootstrap, topic, b"two")
    kafka_server.kill()
    kafka_server.start()
    await _produce(bootstrap, topic, b"three")
    assert await _read(bootstrap, topic, 3) == [b"one", b"two", b"three"]


def test_valkey_keeps_over_a_stop_and_forgets_when_emptied(valkey: ValkeyServer) -> None:
    client = valkey.client()
    client.set("k", "v")
    valkey.stop()
    with pytest.raises(redis.ConnectionError):
        client.get("k")
    valkey.start()
    assert client.get("k") == b"v"
    valkey.stop()
    valkey.start(empty=True)
    assert client.get("k") is None
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
