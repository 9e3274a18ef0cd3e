"""Record batches as the broker keeps them: what is left of records that nothing can decode.

Source: Kafka's documentation, "Record Batch" (version 2: base offset, length, leader epoch, magic, CRC, attributes, last
offset delta, …) and "Message sets" before it; offset, length and magic lie at the same place in all versions.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from mailroom_runtime.process.settings import ServiceSettings

from .connection import connection
from .unreadable import contain, reason_of

_HEAD = struct.Struct(">qii")  # base offset, length of what follows it, leader epoch (a CRC in old versions)
_MAGIC_AT, _LAST_DELTA_AT = 16, 23
_LENGTH_COUNTS_FROM = 12
MOST_BYTES = 4 << 20
WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class RawBatch:
    """One batch: the offsets it holds, and its bytes."""

    offset: int
    next_offset: int
    data: bytes


def cut(data: bytes) -> Iterator[RawBatch]:
    """The whole batches in what a broker answered; a last one that is not whole is left out."""
    at = 0
    while at + _HEAD.size + 1 <= len(data):
        base, length, _ = _HEAD.unpack_from(data, at)
        end = at + _LENGTH_COUNTS_FROM + length
        if length <= 0 or end > len(data):
            return
        last = base
        if data[at + _MAGIC_AT] >= 2 and length >= _LAST_DELTA_AT:
            last += max(0, struct.unpack_from(">i", data, at + _LAST_DELTA_AT)[0])
        yield RawBatch(base, last + 1, data[at:end])
        at = end


def problem(tp: TopicPartition, batch: RawBatch) -> str | None:
    """Why the batch cannot be read; None when it can."""
    contain()
    found = PartitionRecords(tp, MemoryRecords(batch.data), [], batch.offset, None, None, True, 0)
    for _ in found:
        pass
    return reason_of(found.unreadable) if found.unreadable is not None else None


async def fetch(settings: ServiceSettings, tp: TopicPartition, offset: int) -> RawBatch | None:
    """The batch that holds `offset`, or the next after it; None beyond the end. Raises KafkaError or TimeoutError."""
    return next(iter(await fetch_some(settings, tp, offset)), None)


async def fetch_some(settings: ServiceSettings, tp: TopicPartition, offset: int) -> list[RawBatch]:
    """`fetch` and what follows it, as far as the broker gives it at once."""
    client = AIOKafkaClient(**connection(settings))
    async with asyncio.timeout(WAIT_S):
        try:
            await client.bootstrap()
            await client.set_topics([tp.topic])
            response = await client.send(await leader_of(client, tp), _request(tp, offset))
        finally:
            await client.close()
    return batches_in(response, tp, offset)


def batches_in(response: Any, tp: TopicPartition, offset: int) -> list[RawBatch]:
    """What a broker answered when it was asked for one partition from `offset` on. Raises KafkaError."""
    found: list[RawBatch] = []
    for _, partitions in response.topics:
        for _, code, *rest in partitions:
            if code:
                raise for_code(code)(f"{tp.topic} partition {tp.partition} offset {offset}")
            found += [batch for batch in cut(bytes(rest[-1] or b"")) if batch.next_offset > offset]
    return found


async def leader_of(client: AIOKafkaClient, tp: TopicPartition) -> Any:
    """The broker that has the partition. Raises `UnknownTopicOrPartitionError`."""
    partitions = client.cluster.partitions_for_topic(tp.topic) or ()
    if tp.partition not in partitions:
        raise UnknownTopicOrPartitionError(f"there is no {tp.topic} partition {tp.partition}")
    while (leader := client.cluster.leader_for_partition(tp)) in (None, -1):
        await client.force_metadata_update()
    return leader


def _request(tp: TopicPartition, offset: int) -> FetchRequest:
    most = MOST_BYTES
    return FetchRequest(500, 1, most, 0, [(tp.topic, [(tp.partition, offset, most)])], rack_id="")
