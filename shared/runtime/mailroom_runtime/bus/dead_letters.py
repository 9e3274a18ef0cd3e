"""Dead letters: what could not be processed, byte for byte, with the error in added headers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from aiokafka import ConsumerRecord
from mailroom_contracts import Topic
from mailroom_contracts.codec import Headers, rfc3339

from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from .kafka import Producer

log = get_logger()
ADDED = "mailroom_"
LONGEST_REASON = 500
UNREADABLE = "Unreadable"
WHOLE_BATCH = f"{ADDED}batch"  # the value is a record batch as the broker kept it, not a record: piece/pieces
PIECE_BYTES = 900_000


def dead_headers(
    headers: Iterable[tuple[str, bytes]],
    *,
    topic: str,
    partition: int,
    offset: int,
    service: str,
    error: str,
    error_type: str,
    now: datetime,
) -> Headers:
    """The original headers and what happened; a dead letter that dies again keeps only the last error."""
    added = {
        "mailroom_error": error[:LONGEST_REASON],
        "mailroom_error_type": error_type,
        "mailroom_topic": topic,
        "mailroom_partition": str(partition),
        "mailroom_offset": str(offset),
        "mailroom_service": service,
        "mailroom_failed_at": rfc3339(now),
    }
    return [h for h in headers if not h[0].startswith(ADDED)] + [(k, v.encode()) for k, v in added.items()]


async def bury(
    producer: Producer,
    *,
    topic: Topic,
    prefix: str,
    service: str,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes]],
    partition: int,
    offset: int,
    error: str,
    error_type: str,
) -> None:
    """Put a record on its topic's dead letters and wait for the ack. Raises `BusDown`."""
    source = topic.full_name(prefix)
    ready = dead_headers(
        headers,
        topic=source,
        partition=partition,
        offset=offset,
        service=service,
        error=error,
        error_type=error_type,
        now=datetime.now(UTC),
    )
    await (await producer.post_raw(topic.dead_name(prefix), key=key, value=value, headers=ready))
    metrics.counter("mailroom_dead_total", "Records put on dead letters", ["topic", "service"]).labels(
        source, service
    ).inc()
    log.error("record.dead", topic=source, partition=partition, offset=offset, error=error, error_type=error_type)


async def bury_record(
    producer: Producer, record: ConsumerRecord, error: Exception, *, topic: Topic, prefix: str, service: str
) -> None:
    """`bury` for a record as it was read and what it raised. Raises `BusDown`."""
    await bury(
        producer,
        topic=topic,
        prefix=prefix,
        service=service,
        key=record.key,
        value=record.value,
        headers=record.headers,
        partition=record.partition,
        offset=record.offset,
        error=str(error) or type(error).__name__,
        error_type=type(error).__name__,
    )


async def bury_batch(
    producer: Producer,
    data: bytes,
    *,
    topic: Topic,
    prefix: str,
    partition: int,
    offset: int,
    error: str,
    now: datetime,
) -> None:
    """Keep a whole batch that nothing can decode, in pieces that a record can hold. Raises `BusDown`."""
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    for number, piece in enumerate(pieces, 1):
        headers = dead_headers(
            (), topic=topic.full_name(prefix), partition=partition, offset=offset, service="cli", error=error,
            error_type=UNREADABLE, now=now,
        )  # fmt: skip
        headers.append((WHOLE_BATCH, f"{number}/{len(pieces)}".encode()))
        await (await producer.post_raw(topic.dead_name(prefix), key=None, value=piece, headers=headers))
