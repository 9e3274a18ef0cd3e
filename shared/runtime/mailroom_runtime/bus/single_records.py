"""Single records of a topic by their offsets, in a few milliseconds: for who knows where something lies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from mailroom_runtime.process.kafka_access import KafkaAccess

from .connection import connection
from .raw_batches import batches_in, leader_of

TOGETHER = 32  # requests on their way at once; a broker answers those of a connection one after the other
WAIT_S = 10.0


class SingleRecords:
    """Keeps a connection from the first record that is asked for until `close`."""

    def __init__(self, settings: KafkaAccess) -> None:
        self._settings = settings
        self._client: AIOKafkaClient | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def at(self, tp: TopicPartition, offsets: Iterable[int]) -> dict[int, tuple[bytes | None, bytes | None]]:
        """Key and value of the records at these offsets; without those where none is any more.

        They must be known to be committed: it is not looked at whether a transaction was aborted. Raises `KafkaError`.
        """
        found: dict[int, tuple[bytes | None, bytes | None]] = {}
        asked = set(offsets)
        wanted = sorted(asked)
        try:
            async with asyncio.timeout(WAIT_S):
                client = await self._connected(tp.topic)
                leader = await leader_of(client, tp)
                while rest := [offset for offset in wanted if offset not in found][:TOGETHER]:
                    answers = await asyncio.gather(*(client.send(leader, _request(tp, one)) for one in rest))
                    for offset, answer in zip(rest, answers, strict=True):
                        self._read(tp, answer, offset, found)
                    wanted = [offset for offset in wanted if offset > rest[-1]]
        except TimeoutError:
            await self.close()
            raise KafkaError(f"{tp.topic} partition {tp.partition} could not be read in {WAIT_S:g} s") from None
        except KafkaError:  # another leader, or a connection that broke: begun anew the next time
            await self.close()
            raise
        return {offset: record for offset, record in found.items() if offset in asked}

    async def _connected(self, topic: str) -> AIOKafkaClient:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaClient(**connection(self._settings))
                try:
                    await client.bootstrap()
                    await client.set_topics([topic])
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client

    @staticmethod
    def _read(tp: TopicPartition, answer: Any, offset: int, found: dict[int, Any]) -> None:
        """The record, and those beside it, which may be wanted next."""
        for batch in batches_in(answer, tp, offset)[:1]:
            records = MemoryRecords(batch.data).next_batch()
            if not records.validate_crc():
                raise KafkaError(f"{tp.topic} partition {tp.partition} offset {offset} has another CRC")
            for record in records:
                found[record.offset] = (
                    bytes(record.key) if record.key is not None else None,
                    bytes(record.value) if record.value is not None else None,
                )


def _request(tp: TopicPartition, offset: int) -> FetchRequest:
    # the least that a broker gives is the whole batch
    return FetchRequest(500, 1, 1, 0, [(tp.topic, [(tp.partition, offset, 1)])], rack_id="")
