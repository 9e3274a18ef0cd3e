"""Records as no careful client writes them, and as every client may: header names that are no text, all codecs."""

from __future__ import annotations

import struct

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

CODECS = ("gzip", "snappy", "lz4", "zstd")
_CRC_AT, _CRC_OVER = 17, 21  # in a record batch of version 2
_NAME, _NO_TEXT = "mark", b"\xff\xfe\xff\xfe"


async def put_unreadable(bootstrap: str, topic: str, partition: int, *, records: int = 1, key: bytes = b"k") -> int:
    """A batch whose header names are not UTF-8, which brokers take; gives its first offset."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        batch = producer.create_batch()
        for number in range(records):
            batch.append(timestamp=None, key=key, value=b'{"n": %d}' % number, headers=[(_NAME, b"x")])
        batch.close()
        data = bytearray(bytes(batch._build()).replace(_NAME.encode(), _NO_TEXT))
        struct.pack_into(">I", data, _CRC_AT, calc_crc32c(bytes(data[_CRC_OVER:])))
        batch._buffer = data
        written = await (await producer.send_batch(batch, topic, partition=partition))
        return int(written.offset)
    finally:
        await producer.stop()


async def put_compressed(
    bootstrap: str, codec: str, topic: str, key: bytes, values: list[bytes], headers: list[tuple[str, bytes]]
) -> None:
    """Records in batches compressed by that codec."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type=codec, linger_ms=20)
    await producer.start()
    try:
        for value in values:
            await producer.send(topic, key=key, value=value, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()
