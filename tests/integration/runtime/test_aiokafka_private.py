"""What is used of aiokafka that it keeps private is there, and does what it is used for."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from mailroom_contracts import topics as names
from mailroom_runtime.bus import aiokafka_private

RECORDS: list[tuple[bytes, bytes | None]] = [(b"p1", b"{}"), (b"p2", b"{}"), (b"p1", None)]


async def test_a_consumers_fetches_and_membership(kafka: str, topics: str) -> None:
    topic = names.TICKET_EVENTS.full_name(topics)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, group_id=f"{topics}.private", fetch_max_wait_ms=500)
    await consumer.start()
    try:
        assert aiokafka_private.fetch_wait_ms(consumer) == 500
        aiokafka_private.set_fetch(consumer, min_bytes=1, wait_ms=40)
        assert aiokafka_private.fetch_wait_ms(consumer) == 40
        other = names.PORTALS.full_name(topics)
        assert not consumer.partitions_for_topic(other), "its own metadata does not know it"
        assert await aiokafka_private.all_partitions(consumer, other)
        generation, member_id = aiokafka_private.membership(consumer)
        assert generation >= 1
        assert member_id
    finally:
        await consumer.stop()


async def test_a_record_is_handed_out_as_it_was_decoded(
    kafka: str, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PartitionRecords, "_consumer_record", PartitionRecords._consumer_record)  # is put back
    name = names.PORTALS.full_name(topics)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        sent = [await producer.send_and_wait(name, value, key=key, partition=0) for key, value in RECORDS]
    for bare in (False, True):
        if bare:
            aiokafka_private.bare_records()
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
        await consumer.start()
        try:
            tp = TopicPartition(name, 0)
            consumer.assign([tp])
            consumer.seek(tp, sent[0].offset)
            found = [await consumer.getone() for _ in RECORDS]
        finally:
            await consumer.stop()
        assert [(r.key, r.value) for r in found] == RECORDS
        assert [r.offset for r in found] == [one.offset for one in sent]
        assert all(isinstance(r, ConsumerRecord) is not bare for r in found)


async def test_a_producer_that_is_given_up_fails_what_it_has_not_sent(kafka: str, topics: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=60_000)
    await producer.start()
    try:
        assert aiokafka_private.can_send(producer)
        waiting = await producer.send(names.PORTALS.full_name(topics), b"{}", key=b"p1")
        await aiokafka_private.give_up(producer, KafkaError("given up"), within_s=5)
        assert not aiokafka_private.can_send(producer)
        with pytest.raises(KafkaError, match="given up"):
            await asyncio.wait_for(waiting, 5)
    finally:
        await producer.stop()


async def test_a_consumer_at_rest_asks_seldom_and_is_told_at_once(
    kafka: str, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiokafka_private, "REST_AFTER_S", 0.3)
    aiokafka_private.rest()
    asked: list[int] = []
    send = AIOKafkaClient.send

    async def counted(self: AIOKafkaClient, node: int, request: Any, **options: Any) -> Any:
        if isinstance(request, FetchRequest):
            asked.append(request._max_wait_ms)
        return await send(self, node, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", counted)
    name = names.PORTALS.full_name(topics)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, fetch_max_wait_ms=100, auto_offset_reset="earliest")
    await consumer.start()
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        aiokafka_private.confirm_ends(consumer)
        consumer.assign([TopicPartition(name, 0)])
        while aiokafka_private.REST_WAIT_MS not in asked:
            await consumer.getmany(timeout_ms=100)
        assert asked[0] == 100
        before = aiokafka_private.read_to_end_at(consumer)
        assert before is not None
        began = time.monotonic()
        await producer.send_and_wait(name, b"{}", key=b"p1", partition=0)
        assert await consumer.getmany(timeout_ms=int(aiokafka_private.REST_WAIT_MS))
        assert time.monotonic() - began < aiokafka_private.REST_WAIT_MS / 1000
        while (at := aiokafka_private.read_to_end_at(consumer)) is None or at <= before:
            await consumer.getmany(timeout_ms=100)
        assert at <= time.monotonic()
        rested = asked.index(aiokafka_private.REST_WAIT_MS)
        while len(asked) < rested + 2:
            await consumer.getmany(timeout_ms=100)
        assert asked[rested + 1] == 100, "it is awake again"
    finally:
        await consumer.stop()
        await producer.stop()


async def test_an_end_is_not_confirmed_while_records_wait(kafka: str, topics: str) -> None:
    aiokafka_private.rest()
    name = names.PORTALS.full_name(topics)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, fetch_max_wait_ms=100, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        aiokafka_private.confirm_ends(consumer)
        for _ in range(2):
            await producer.send_and_wait(name, b"{}", key=b"p1", partition=0)
        tp = TopicPartition(name, 0)
        consumer.assign([tp])
        assert await consumer.getmany(timeout_ms=10_000, max_records=1)
        assert aiokafka_private.read_to_end_at(consumer) is None
        assert await consumer.getmany(timeout_ms=10_000, max_records=1)
        assert aiokafka_private.read_to_end_at(consumer) is not None
    finally:
        await consumer.stop()
        await producer.stop()
