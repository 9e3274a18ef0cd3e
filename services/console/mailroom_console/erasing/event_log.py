"""The event log forgets: asks the router to write `ticket.events` anew, partition by partition, and says how that stands.

By itself in a quiet hour, before what was erased has been in the log for too long; or when somebody asks. One partition at
a time, since its mail waits meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from mailroom_contracts import Actor, RenewEvents, ids, tombstone, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import BusDown, partition_of, partitions_for
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import PLATFORM, Principal
from mailroom_console.problems import Problem, not_found
from mailroom_console.storage.schema import erasures, log_renewals

from .asked import DONE
from .log_times import FINISHED, Erased, is_due
from .steps import steps

log = get_logger()
LOOK_S = 60.0
AGAIN_S = 600.0  # a command without an answer is sent again
ROUND = 6 * times.HOUR  # at the earliest between two rounds that nobody asked for
CONFIGURATION = (topics.PORTALS, topics.ADDRESSES, topics.QUEUES, topics.AGENTS, topics.ADDRESS_STATUS)
NOTHING = "-"  # no key of anything
IDLE, ASKED, FAILED = "idle", "asked", "failed"


async def renew(console: Console, principal: Principal, partition: int | None = None) -> dict[str, Any]:
    """Ask for all partitions, or one, to be written anew. Raises `Problem` 404 for one that is not there."""
    principal.require(PLATFORM)
    try:
        partitions = await _partitions(console)
    except KafkaError:
        raise Problem(503, "bus_unavailable", say("Kafka does not answer.")) from None
    if partition is not None and partition not in partitions:
        raise not_found(mark("partition"))
    async with console.database.write() as connection:
        await _ask(connection, partitions if partition is None else [partition], principal.name, console.now())
    return await standing(console, principal)


async def standing(console: Console, principal: Principal) -> dict[str, Any]:
    """How each partition stands."""
    principal.require(PLATFORM)
    async with console.database.read() as connection:
        rows = await connection.execute(select(log_renewals).order_by(log_renewals.c.partition))
        return {"partitions": [_shown(row) for row in rows]}


def _shown(row: Any) -> dict[str, Any]:
    return {
        "partition": row.partition, "state": row.state, "asked_at": times.rfc3339(row.asked_at), "asked_by": row.asked_by,
        "renewed_to": times.rfc3339(row.renewed_to), "problem": row.problem or None,
    }  # fmt: skip


class LogRenewing:
    """Carries out what was asked, and asks by itself."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._sent: dict[str, float] = {}  # commands, by when
        self._looked = float("-inf")

    async def run(self) -> None:
        """Never ends; what is away is waited for."""
        await steps(self._console, self.look, "event log", (BusDown, KafkaError))

    async def look(self) -> None:
        """One step. Raises `BusDown`, `KafkaError`."""
        async with self._console.database.read() as connection:
            rows = (await connection.execute(select(log_renewals).order_by(log_renewals.c.partition))).all()
        now = asyncio.get_running_loop().time()
        if (row := next((row for row in rows if row.state == ASKED), None)) is not None:
            await self._one(row, now)
        elif now - self._looked >= LOOK_S:
            self._looked = now
            await self._begin(rows)

    async def _one(self, row: Any, now: float) -> None:
        outcome = await self._console.read.outcome(row.command_id)
        if outcome is not None:
            values = {"state": IDLE, "renewed_to": row.asked_at, "problem": ""}
            if outcome.type != "events.renewed":
                values = {"state": FAILED, "problem": outcome.reason or outcome.code or outcome.type}
                log.error("event_log.not_renewed", partition=row.partition, reason=values["problem"])
            async with self._console.database.write() as connection:
                r = log_renewals
                same = (r.c.partition == row.partition, r.c.command_id == row.command_id)
                await connection.execute(update(r).where(*same).values(**values))
                await _tell_erasures(connection, self._console.now())
            await self._end_segments(row.partition)
            return
        if now - self._sent.get(row.command_id, -AGAIN_S) < AGAIN_S:
            return
        partitions = await _partitions(self._console)
        command = RenewEvents(
            id=row.command_id, ticket_id=name_on(row.partition, len(partitions)), portal_id="", partition=row.partition,
            again=await self._again(row), at=times.moment(row.asked_at), actor=Actor(kind="console", name="Mailroom"),
        )  # fmt: skip
        await self._console.producer.send(topics.TICKET_COMMANDS, command)
        self._sent = {row.command_id: now}

    async def _end_segments(self, partition: int) -> None:
        """Kafka compacts only what it is no longer writing to: a tombstone of nothing ends that where it is old."""
        for topic in CONFIGURATION:
            record = tombstone(topic, NOTHING, source="console")
            await self._console.producer.send_record(record, partition=partition)

    async def _again(self, row: Any) -> bool:
        """Whether something that is not readable any more may still be on the disks, and would go now."""
        e = erasures
        query = select(e.c.id).where(
            e.c.unreadable_at.is_not(None), e.c.gone_at.is_(None), e.c.done_at <= row.asked_at - FINISHED
        )
        async with self._console.database.read() as connection:
            return await connection.scalar(query.limit(1)) is not None

    async def _begin(self, rows: Any) -> None:
        settings, e, now = self._console.settings, erasures, self._console.now()
        if any(row.asked_at is not None and row.asked_at > now - ROUND for row in rows):
            return
        async with self._console.database.read() as connection:
            found = await connection.execute(
                select(e.c.done_at, e.c.unreadable_at).where(e.c.state == DONE, e.c.gone_at.is_(None))
            )
            waiting = [Erased(row.done_at, row.unreadable_at is not None) for row in found]
        within = int(settings.erasure_days * times.DAY)
        if is_due(waiting, now, within=within, quiet_hour=settings.erasure_hour):
            partitions = await _partitions(self._console)
            log.info("event_log.due", erasures=len(waiting), partitions=len(partitions))
            async with self._console.database.write() as connection:
                await _ask(connection, partitions, "Mailroom", now)


async def _ask(connection: AsyncConnection, partitions: list[int], by: str, now: int) -> None:
    r = log_renewals
    known = set(await connection.scalars(select(r.c.partition)))
    for partition in partitions:
        values = {"state": ASKED, "asked_at": now, "asked_by": by, "problem": "",
                  "command_id": ids.command_id("", f"ticket.events/{partition}", str(now))}  # fmt: skip
        if partition in known:
            await connection.execute(update(r).where(r.c.partition == partition).values(**values))
        else:
            await connection.execute(insert(r).values(partition=partition, **values))


async def _tell_erasures(connection: AsyncConnection, now: int) -> None:
    """What every partition has left is told with the erasure."""
    rows = [row.renewed_to for row in await connection.execute(select(log_renewals.c.renewed_to))]
    if not rows or None in rows:
        return
    to, e = min(rows), erasures
    done = e.c.state == DONE
    await connection.execute(
        update(e).where(done, e.c.unreadable_at.is_(None), e.c.done_at < to).values(unreadable_at=now)
    )
    await connection.execute(
        update(e).where(done, e.c.gone_at.is_(None), e.c.done_at < to - FINISHED).values(gone_at=now)
    )


async def _partitions(console: Console) -> list[int]:
    consumer = AIOKafkaConsumer(**connection(console.settings), enable_auto_commit=False)
    try:
        await consumer.start()
        return await partitions_for(consumer, topics.TICKET_EVENTS.full_name(console.settings.topic_prefix))
    finally:
        await consumer.stop()


def name_on(partition: int, partitions: int) -> str:
    """A name that Kafka's default partitioner puts on this partition: the ticket that a command needs, and there is not."""
    number = 0
    while partition_of((name := ids.derive("ticket.events", str(number))).encode(), partitions) != partition:
        number += 1
    return name
