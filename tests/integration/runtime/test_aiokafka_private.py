"""What is used of aiokafka that it keeps private is there, and does what it is used for."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from mailroom_contracts import topics as names
from mailroom_runtime.bus import aiokafka_private


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
