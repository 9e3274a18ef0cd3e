"""The outbox: a change and its publication are one transaction; a publisher brings the rows to Kafka in order."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from mailroom_contracts import Message, Record, Topic, encode, tombstone
from mailroom_contracts.topics import by_name
from mailroom_runtime.bus.kafka import BusDown, Producer
from mailroom_runtime.bus.tracing import new_traceparent
from mailroom_runtime.process import metrics
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times

from .database import Database
from .schema import outbox

log = get_logger()
SOURCE = "console"
BATCH = 200
KEEP_US = 7 * times.DAY


async def publish(connection: AsyncConnection, topic: Topic, message: Message, *, now: datetime) -> None:
    """Put `message` into the outbox of this transaction."""
    await _put(connection, encode(topic, message, source=SOURCE, traceparent=new_traceparent(), now=now))


async def retract(connection: AsyncConnection, topic: Topic, key: str) -> None:
    """Put the tombstone of `key` into the outbox of this transaction."""
    await _put(connection, tombstone(topic, key, source=SOURCE))


async def _put(connection: AsyncConnection, record: Record) -> None:
    await connection.execute(
        insert(outbox).values(
            topic=record.topic.name,
            key=record.key.decode(),
            value=record.value,
            headers=[[name, value.decode()] for name, value in record.headers],
        )
    )


class Publisher:
    """Sends what the outbox holds, in order; a row is marked once Kafka acknowledged it.

    A crash between the two sends a row again, which changes nothing: the topics are compacted and the event ids equal.
    """

    def __init__(self, database: Database, producer: Producer) -> None:
        self._database, self._producer = database, producer
        self._wake = asyncio.Event()
        database.on_commit.append(self._wake.set)

    async def run(self) -> None:
        """Publish for ever; Kafka away is waited out."""
        backoff = Backoff(longest_s=5.0)
        while True:
            self._wake.clear()
            try:
                while await self.publish_batch():
                    backoff.reset()
            except BusDown as error:
                log.warning("outbox.waiting", reason=str(error))
                await backoff.wait()
                continue
            with contextlib.suppress(TimeoutError):
                # another copy of the console may have written, so look now and then without being woken
                await asyncio.wait_for(self._wake.wait(), 2.0)

    async def publish_batch(self) -> int:
        """Publish the oldest rows; how many. Raises `BusDown`."""
        async with self._database.read() as connection:
            rows = (
                await connection.execute(
                    select(outbox).where(outbox.c.published_at.is_(None)).order_by(outbox.c.seq).limit(BATCH)
                )
            ).all()
        if not rows:
            return 0
        for row in rows:
            headers = [(name, value.encode()) for name, value in row.headers]
            await self._producer.send_record(Record(by_name(row.topic), row.key.encode(), row.value, headers))
        now = times.micros(times.now())
        async with self._database.engine.begin() as connection:
            await connection.execute(
                update(outbox).where(outbox.c.seq.in_([row.seq for row in rows])).values(published_at=now)
            )
            await connection.execute(delete(outbox).where(outbox.c.published_at < now - KEEP_US))
        metrics.counter("mailroom_outbox_published_total", "Configuration records published").inc(len(rows))
        return len(rows)
