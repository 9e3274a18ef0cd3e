"""Dead letters: followed into a table, shown to their portal, put back on their topic or discarded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from mailroom_contracts import header
from mailroom_contracts.topics import TOPICS, by_name
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.dead_letters import ADDED
from mailroom_runtime.bus.kafka import BusDown, RecordTooLarge, partitions_for
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import ADMIN, PLATFORM, Principal
from mailroom_console.problems import Problem, conflict, invalid, not_found
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.database import Database
from mailroom_console.storage.paging import Page, number_cursor
from mailroom_console.storage.refusals import is_passing
from mailroom_console.storage.schema import dead_letters, dead_offsets, portals

log = get_logger()
STATES = ("new", "replayed", "discarded")


class DeadLetterReader:
    """Follows every dead-letter topic into the table; offsets in the same transaction."""

    def __init__(self, settings: ConsoleSettings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            consumer = AIOKafkaConsumer(
                **connection(self._settings), enable_auto_commit=False, auto_offset_reset="earliest",
                client_id="mailroom-console-dead",
            )  # fmt: skip
            try:
                await consumer.start()
                await self._read(consumer)
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("dead_letters.interrupted", error=type(error).__name__)
            finally:
                await consumer.stop()
            await asyncio.sleep(1)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        names = {t.dead_name(self._settings.topic_prefix): t.name for t in TOPICS}
        parts = [TopicPartition(n, p) for n in names for p in await partitions_for(consumer, n)]
        if not parts:
            return
        consumer.assign(parts)
        async with self._database.read() as connection:
            stored = {(r.topic, r.partition): r.next_offset for r in await connection.execute(select(dead_offsets))}
        if fresh := [tp for tp in parts if (names[tp.topic], tp.partition) not in stored]:
            await consumer.seek_to_beginning(*fresh)
        for tp in set(parts) - set(fresh):
            consumer.seek(tp, stored[names[tp.topic], tp.partition])
        while True:
            batches = await consumer.getmany(timeout_ms=2_000, max_records=500)
            if batches:
                await self._keep(batches, names)

    async def _keep(self, batches: dict[TopicPartition, list[ConsumerRecord]], names: dict[str, str]) -> None:
        rows, offsets = [], []
        for tp, records in batches.items():
            rows += [_row(names[tp.topic], record) for record in records]
            offsets.append({"topic": names[tp.topic], "partition": tp.partition, "next_offset": records[-1].offset + 1})
        dialect: Any = sqlite if self._database.sqlite else postgresql
        moved = dialect.insert(dead_offsets)
        async with self._database.write() as connection:
            await connection.execute(dialect.insert(dead_letters).on_conflict_do_nothing(), rows)
            await connection.execute(
                moved.on_conflict_do_update(
                    index_elements=["topic", "partition"], set_={"next_offset": moved.excluded.next_offset}
                ),
                offsets,
            )


async def listed(
    console: Console, principal: Principal, *, topic: str | None = None, state: str = "new", limit: int = 50,
    after: str | None = None,
) -> Page:  # fmt: skip
    """Dead letters of the portal, newest first."""
    principal.require(ADMIN)
    if state not in (*STATES, "all"):
        raise invalid("state", say("A state is one of {names}, all.", names=", ".join(STATES)))
    d = dead_letters
    # not their values: a page of them may be 100 MB
    columns = [column for column in d.c if column.name not in ("key", "value", "headers")]
    query = select(*columns, func.coalesce(func.length(d.c.value), 0).label("size")).where(
        await _visible(console, principal)
    )
    query = query.order_by(d.c.seq.desc()).limit(limit + 1)
    if state != "all":
        query = query.where(d.c.state == state)
    if topic:
        query = query.where(d.c.topic == topic)
    if after:
        query = query.where(d.c.seq < number_cursor(after))
    async with console.database.read() as connection:
        rows = (await connection.execute(query)).all()
    return Page([_shown(row) for row in rows[:limit]], str(rows[limit - 1].seq) if len(rows) > limit else None)


async def one(console: Console, principal: Principal, dead_id: str) -> dict[str, Any]:
    """A dead letter with its headers and value. Raises `Problem` 404."""
    principal.require(ADMIN)
    row = await _found(console, principal, dead_id)
    return _shown(row) | {
        "key": (row.key or b"").decode("utf-8", "replace"),
        "headers": dict(row.headers),
        "value": (row.value or b"").decode("utf-8", "replace"),
    }


async def replay(console: Console, principal: Principal, dead_id: str) -> dict[str, Any]:
    """Put it back on its topic, byte for byte. Ids make a second time harmless, but a discarded one stays so."""
    principal.require(ADMIN)
    row = await _found(console, principal, dead_id)
    if row.state == "discarded":
        raise conflict("discarded", say("This dead letter was discarded."))
    try:
        future = await console.producer.post_raw(
            by_name(row.topic).full_name(console.settings.topic_prefix), key=row.key, value=row.value,
            headers=[(n, v.encode("utf-8", "surrogateescape")) for n, v in row.headers if not n.startswith(ADDED)],
        )  # fmt: skip
        await asyncio.wait_for(future, 10)
    except (RecordTooLarge, MessageSizeTooLargeError):
        raise conflict(
            "too_large", say("Kafka takes no record as large as this one. Change what it is about.")
        ) from None
    except (BusDown, KafkaError, TimeoutError):
        raise Problem(
            503, "bus_unavailable", say("Kafka does not answer now. Try again: a second time does no harm.")
        ) from None
    return await _set_state(console, principal, row, "replayed")


async def discard(console: Console, principal: Principal, dead_id: str) -> dict[str, Any]:
    """Take it off the list; it stays readable as discarded."""
    principal.require(ADMIN)
    return await _set_state(console, principal, await _found(console, principal, dead_id), "discarded")


async def _set_state(console: Console, principal: Principal, row: Any, state: str) -> dict[str, Any]:
    now = console.now()
    async with console.database.write() as connection:
        await connection.execute(
            update(dead_letters).where(dead_letters.c.seq == row.seq).values(state=state, changed_at=now)
        )
        await audit.record(
            connection, portal_id=principal.portal_id, by=principal, action=f"dead_letter.{state}", kind="dead_letter",
            subject_id=str(row.seq), name=row.topic, now=now,
        )  # fmt: skip
    return _shown(row) | {"state": state}


async def _found(console: Console, principal: Principal, dead_id: str) -> Any:
    seq = int(dead_id) if dead_id.isdecimal() and dead_id.isascii() and len(dead_id) < 18 else -1
    size = func.coalesce(func.length(dead_letters.c.value), 0).label("size")
    query = select(dead_letters, size).where(dead_letters.c.seq == seq, await _visible(console, principal))
    async with console.database.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise not_found(mark("dead letter"))
    return row


async def _visible(console: Console, principal: Principal) -> Any:
    """Of one's own portal; what names no portal is seen by the platform, or by the only portal that there is."""
    own = dead_letters.c.portal_id == principal.portal_id
    if PLATFORM in principal.scopes:
        return own | dead_letters.c.portal_id.is_(None)
    async with console.database.read() as connection:
        number = await connection.scalar(select(func.count()).select_from(portals))
    return own | dead_letters.c.portal_id.is_(None) if number == 1 else own


def _row(topic: str, record: ConsumerRecord) -> dict[str, Any]:
    """A record as a row; the portal as the value says it, where it says one."""
    portal_id = None
    try:
        value = json.loads(record.value or b"null")
        if isinstance(value, dict):
            found = value.get("id") if topic == "portals" else value.get("portal_id")
            portal_id = found if isinstance(found, str) and len(found) <= 64 else None
    except ValueError:
        portal_id = None

    def said(name: str) -> str | None:
        return header(record.headers, f"{ADDED}{name}")

    return {
        "topic": topic, "partition": record.partition, "offset": record.offset, "portal_id": portal_id,
        "service": said("service"), "error": said("error"), "error_type": said("error_type"),
        "failed_at": said("failed_at"), "key": record.key, "value": record.value,
        "headers": [[name, value.decode("utf-8", "surrogateescape")] for name, value in record.headers],
        "state": "new", "changed_at": None,
    }  # fmt: skip


def _shown(row: Any) -> dict[str, Any]:
    return {"id": str(row.seq), "topic": row.topic, "partition": row.partition, "offset": row.offset,
            "service": row.service, "error": row.error, "error_type": row.error_type, "failed_at": row.failed_at,
            "state": row.state, "changed_at": times.rfc3339(row.changed_at), "size": row.size}  # fmt: skip
