"""The outbox: a change and its publication are one transaction; a publisher brings the rows to Kafka in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from mailroom_contracts import Message, Record, Topic, encode, tombstone
from mailroom_contracts.topics import by_name
from mailroom_runtime.bus.fenced import FencedProducer, NotAllowed
from mailroom_runtime.bus.kafka import BusDown, Producer, RecordTooLarge
from mailroom_runtime.bus.tracing import new_traceparent
from mailroom_runtime.process import metrics
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.languages import say
from mailroom_console.problems import Problem

from .database import Database
from .notifications import OUTBOX, Notifications, notify
from .schema import dead_letters, outbox

log = get_logger()
SOURCE = "console"
OUTBOX_PRODUCER = "console.outbox"
BATCH = 200
ALONE_S = 60.0  # on SQLite there is no other copy
KEEP_US = 7 * times.DAY
LARGEST = 900_000  # bytes of a record's value; Kafka takes 1 MB, headers included
NOT_A_PARTITION = -1  # of what never was on Kafka, among the dead letters


async def publish(connection: AsyncConnection, topic: Topic, message: Message, *, now: datetime) -> None:
    """Put `message` into the outbox of this transaction."""
    await _put(connection, encode(topic, message, source=SOURCE, traceparent=new_traceparent(), now=now))


async def retract(connection: AsyncConnection, topic: Topic, key: str) -> None:
    """Put the tombstone of `key` into the outbox of this transaction."""
    await _put(connection, tombstone(topic, key, source=SOURCE))


async def _put(connection: AsyncConnection, record: Record) -> None:
    if len(record.value or b"") > LARGEST:
        # said to who asks for the change, in whose transaction this is
        raise Problem(413, "too_large", say("All of it together is more than can be kept. Make the texts shorter."))
    await connection.execute(
        insert(outbox).values(
            topic=record.topic.name,
            key=record.key.decode(),
            value=record.value,
            headers=[[name, value.decode()] for name, value in record.headers],
        )
    )
    await notify(connection, OUTBOX)


class Publisher:
    """Sends what the outbox holds, in order; a row is marked once Kafka acknowledged it.

    A crash between the two sends a row again, which changes nothing: the topics are compacted and the event ids equal.
    Where there may be several copies, `fenced` writes and `leads` says whether this copy may: it is asked after the others
    were fenced off, and the rows are read after that, so who was paused in between never has an older row written last.
    """

    def __init__(
        self,
        database: Database,
        producer: Producer,
        notifications: Notifications,
        fenced: FencedProducer | None = None,
        leads: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._database, self._producer = database, producer
        self._fenced, self._leads = None if database.sqlite else fenced, leads
        self._wake = asyncio.Event()
        database.on_commit.append(self._wake.set)
        notifications.on(OUTBOX, lambda _: self._wake.set())

    async def run(self) -> None:
        """Publish for ever; Kafka away is waited out."""
        backoff = Backoff(longest_s=5.0)
        try:
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
                    # another copy of the console may have written and not been heard, so look now and then without being woken
                    await asyncio.wait_for(self._wake.wait(), ALONE_S if self._database.sqlite else 2.0)
        finally:
            if self._fenced is not None:
                await self._fenced.close()

    async def publish_batch(self) -> int:
        """Publish the oldest rows; how many. Raises `BusDown`."""
        if self._fenced is not None and not self._fenced.is_open:
            await self._fence_off(self._fenced)
        async with self._database.read() as connection:
            rows = (
                await connection.execute(
                    select(outbox).where(outbox.c.published_at.is_(None)).order_by(outbox.c.seq).limit(BATCH)
                )
            ).all()
        if not rows:
            return 0
        records: list[tuple[Any, Record]] = []
        for row in rows:
            try:
                headers = [(name, value.encode()) for name, value in row.headers]
                records.append((row, Record(by_name(row.topic), row.key.encode(), row.value, headers)))
            except (KeyError, ValueError) as error:
                await self._set_aside(row, error)
        await self._write(records)
        now = times.micros(times.now())
        async with self._database.engine.begin() as connection:
            await connection.execute(
                update(outbox).where(outbox.c.seq.in_([row.seq for row in rows])).values(published_at=now)
            )
            await connection.execute(delete(outbox).where(outbox.c.published_at < now - KEEP_US))
        metrics.counter("mailroom_outbox_published_total", "Configuration records published").inc(len(rows))
        return len(rows)

    async def _fence_off(self, fenced: FencedProducer) -> None:
        """The one producer of all copies is this one's, if this copy leads."""
        try:
            await fenced.open()
        except NotAllowed as error:  # the rights of an older release
            log.error("outbox.not_fenced", transactional_id=str(error), do="run deploy/kafka/acls again")
            self._fenced = None
            return
        if self._leads is not None and not await self._leads():
            await fenced.close()
            raise BusDown("another copy of the console leads")

    async def _write(self, records: list[tuple[Any, Record]]) -> None:
        """In order; what Kafka will never take is set aside."""
        if self._fenced is not None:
            try:
                await self._fenced.write([record for _, record in records])
                return
            except RecordTooLarge:  # one of them: none was written
                for row, record in records:
                    try:
                        await self._fenced.write([record])
                    except RecordTooLarge as error:
                        await self._set_aside(row, error)
                return
        for row, record in records:
            try:
                await self._producer.send_record(record)
            except RecordTooLarge as error:
                await self._set_aside(row, error)

    async def _set_aside(self, row: Any, error: Exception) -> None:
        """Among the dead letters, where *Activity* shows it: it can never be published and must not hold up others."""
        log.error("outbox.set_aside", topic=row.topic, key=row.key, error=str(error))
        metrics.counter("mailroom_outbox_set_aside_total", "Configuration records that Kafka cannot take").inc()
        insert_once: Any = (sqlite if self._database.sqlite else postgresql).insert(dead_letters)
        values = {
            "topic": row.topic, "partition": NOT_A_PARTITION, "offset": row.seq, "portal_id": _portal_of(row),
            "service": SOURCE, "error": str(error)[:500], "error_type": type(error).__name__,
            "failed_at": times.rfc3339(times.micros(times.now())), "key": row.key.encode(), "value": row.value,
            "headers": row.headers, "state": "new", "changed_at": None,
        }  # fmt: skip
        async with self._database.engine.begin() as connection:
            await connection.execute(insert_once.values(**values).on_conflict_do_nothing())


def _portal_of(row: Any) -> str | None:
    try:
        value = json.loads(row.value or b"null")
    except ValueError:
        return None
    found = value.get("id" if row.topic == "portals" else "portal_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 else None
