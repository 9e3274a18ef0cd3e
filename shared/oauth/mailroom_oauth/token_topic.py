"""Renewed tokens on their compacted topic, read to its end each time: once an hour for an address."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import AddressTokens, Undecodable, decode_as, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import BusDown, Producer, partition_of, partitions_for
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings

log = get_logger()
READ_WITHIN_S = 20.0


class TokenTopic:
    """A `TokenStore` on Kafka."""

    def __init__(self, settings: ServiceSettings, producer: Producer) -> None:
        self._settings, self._producer = settings, producer
        self._name = topics.ADDRESS_TOKENS.full_name(settings.topic_prefix)

    async def write(self, tokens: AddressTokens) -> None:
        """Acknowledged by all replicas when it returns. Raises `BusDown`."""
        await self._producer.send(topics.ADDRESS_TOKENS, tokens)

    async def read(self, address_id: str) -> AddressTokens | None:
        """The address's latest record. Only its own partition is read. Raises `BusDown`."""
        consumer = AIOKafkaConsumer(
            **connection(self._settings), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                await consumer.start()
                return await self._latest(consumer, address_id.encode())
        except (KafkaError, TimeoutError) as error:
            raise BusDown(f"Kafka does not answer ({type(error).__name__})") from None
        finally:
            await consumer.stop()

    async def _latest(self, consumer: AIOKafkaConsumer, key: bytes) -> AddressTokens | None:
        known = await partitions_for(consumer, self._name)
        if not known:
            raise BusDown(f"the topic {self._name} is missing: run `mailroom topics create`")
        part = TopicPartition(self._name, partition_of(key, len(known)))
        consumer.assign([part])
        await consumer.seek_to_beginning(part)
        end = (await consumer.end_offsets([part]))[part]
        latest: bytes | None = None
        while await consumer.position(part) < end:
            for record in (await consumer.getmany(part, timeout_ms=200)).get(part, []):
                if record.key == key:
                    latest = record.value
        if latest is None:
            return None
        try:
            return decode_as(AddressTokens, latest)
        except Undecodable as error:
            log.error("oauth.tokens_broken", address_id=key.decode("utf-8", "replace"), error=str(error))
            return None
