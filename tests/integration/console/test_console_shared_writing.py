"""Several copies of the console write one read model on PostgreSQL, each its partitions: what comes of it is what one makes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import (
    Actor,
    Erased,
    InputIgnored,
    Merged,
    MessageSplit,
    Snoozed,
    TagsChanged,
    TicketEvent,
    TicketMessage,
    TookIn,
    topics,
)
from mailroom_runtime.bus.kafka import Producer
from support.console_copies import Copies
from support.console_story import Story
from support.servers import ValkeyServer
from support.waiting import eventually

from .conftest import Bus, console_settings
from .postgres import Postgres

pytestmark = pytest.mark.timeout(600)
PARTITIONS = 4
AGENT = Actor(kind="agent", id="a1", name="Ana")


@pytest.fixture
def partitions() -> int:
    return PARTITIONS


def _copies(folder: Path, kafka: str, prefix: str, redis: str, postgres: Postgres) -> Iterator[Copies]:
    made = Copies(kafka, prefix, redis, folder, postgres.url(f"shared{secrets.token_hex(4)}"))
    yield made
    made.kill()


@pytest.fixture
def copies(kafka: str, topics: str, valkey: ValkeyServer, postgres: Postgres, tmp_path: Path) -> Iterator[Copies]:
    yield from _copies(tmp_path / "copies", kafka, topics, valkey.url, postgres)


@pytest.fixture
def alone(kafka: str, topics: str, valkey: ValkeyServer, postgres: Postgres, tmp_path: Path) -> Iterator[Copies]:
    """Of the same topics, in a database of its own."""
    yield from _copies(tmp_path / "alone", kafka, topics, valkey.url, postgres)


@pytest.fixture
async def bus(kafka: str, topics: str, tmp_path: Path) -> AsyncIterator[Bus]:
    settings = console_settings(kafka, topics, tmp_path / "bus", "redis://127.0.0.1:1/0")
    async with Producer(settings, source="router") as producer:
        yield Bus(settings, producer)


def _events(n: int, portal: str, queue: str) -> list[TicketEvent]:
    """All that a ticket may go through, some of it with another one that may lie on another partition."""
    story, other = (Story(number, portal=portal, queue=queue, address=f"ad{n % 3}") for number in (2 * n, 2 * n + 1))
    mails = [story.mail(f"Where is it? {i}", cause=f"mail {n} {i}") for i in range(2)]
    reply = story.reply(f"reply {n}", actor=AGENT)
    found: list[TicketEvent] = [
        story.created(f"Order {n}"), *mails, story.assigned("a1"), story.note("As he said.", f"note {n}", AGENT), reply,
        story.delivery(reply, "sent" if n % 3 else "failed"),
        TagsChanged(**story._common(f"tags {n}", "ticket.tags_changed", AGENT), tags=[f"tag {n % 4}", "all"]),
        InputIgnored(**other._common(f"bounce {n}", "ticket.input_ignored"), input_type="email.routed",
                     code="unmatched_bounce", receipt_id=f"bounce {n}",
                     detail=TicketMessage(id=f"b{n}", direction="in", kind="bounce", at=story.at)),
        other.created(f"Other {n}", cause=f"other {n}"),
    ]  # fmt: skip
    match n % 5:
        case 0:
            found.append(Erased(**story._common(f"erase {n}", "ticket.erased")))
        case 1:  # one cause, two tickets
            cause = f"merge {n}"
            found.append(Merged(**story._common(cause, "ticket.merged", AGENT), into=other.ticket))
            later = other._common(cause, "ticket.took_in", AGENT) | {"at": story.at + timedelta(seconds=1)}
            found.append(TookIn(**later, source_id=story.ticket))
        case 2:
            split = story._common(f"split {n}", "ticket.message_split", AGENT)
            found.append(MessageSplit(**split, message_id=mails[1].message.id, to_ticket=other.ticket))
        case 3:
            until = story.at + timedelta(days=1)
            found.append(Snoozed(**story._common(f"snooze {n}", "ticket.snoozed", AGENT), until=until))
        case _:
            found.append(story.status("closed"))
    return found


class Going:
    """Events that come all the time, beside the test."""

    def __init__(self, bus: Bus, portal: str, queue: str) -> None:
        self._bus, self._portal, self._queue = bus, portal, queue
        self._stop = asyncio.Event()
        self.tickets = 0

    async def run(self) -> None:
        while not self._stop.is_set():
            for _ in range(3):
                await self._bus.events(*_events(self.tickets, self._portal, self._queue))
                self.tickets += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 0.3)

    def stop(self) -> None:
        self._stop.set()


async def _all_read(copies: Copies, bus: Bus) -> None:
    name = topics.TICKET_EVENTS.full_name(copies.prefix)
    async with AIOKafkaConsumer(bootstrap_servers=copies.kafka) as consumer:
        parts = [TopicPartition(name, p) for p in range(PARTITIONS)]
        ends = {tp.partition: end for tp, end in (await consumer.end_offsets(parts)).items()}

    async def read() -> bool:
        return await copies.read_to() == ends

    await eventually(read, 90, what="everything being read")


async def _shared_by(copies: Copies, *names: str) -> None:
    """Each of them writes a part, and each partition has one of them."""

    async def so() -> bool:
        writers = await copies.writers(since=last[0])
        if len(writers) < PARTITIONS:
            return False
        last[0] = (await copies.sql("SELECT max(n) AS n FROM moved"))[0]["n"]  # else what comes now is looked at
        return all(len(who) == 1 for who in writers.values()) and {who[0] for who in writers.values()} == set(names)

    last = [(await copies.sql("SELECT coalesce(max(n), 0) AS n FROM moved"))[0]["n"]]
    await eventually(so, 90, every=0.2, what=f"{names} writing all partitions")


async def test_copies_come_die_and_rebuild_and_the_rows_are_those_of_one_writer(
    copies: Copies, alone: Copies, bus: Bus
) -> None:
    await copies.start("a")
    await copies.watch()
    async with copies.api("a") as api:
        portal = (await api.get("/portals")).json()["items"][0]["id"]
        queue = (await api.get("/queues")).json()["items"][0]["id"]
    going = Going(bus, portal, queue)
    sending = asyncio.create_task(going.run())
    try:
        await _shared_by(copies, "a")
        await copies.start("b")
        await _shared_by(copies, "a", "b")
        # the copy that leads, too
        copies.running["a"].kill()
        await _shared_by(copies, "b")
        await copies.start("c")
        await _shared_by(copies, "b", "c")
        # asked of the copy that does not lead
        async with copies.api("c") as api:
            assert (await api.post("/rebuild")).json()["rebuilding"]
        await copies.start("d")

        async def rebuilt() -> bool:
            return await copies.shown() == 1

        await eventually(rebuilt, 90, what="the rebuild")
        await _shared_by(copies, "b", "c", "d")
        # the one that leads by now hangs, and comes back with what it had in hand
        copies.running["b"].pause()
        await _shared_by(copies, "c", "d")
        copies.running["b"].resume()
        await _shared_by(copies, "b", "c", "d")
        await asyncio.to_thread(copies.running["c"].terminate)
        await _shared_by(copies, "b", "d")
    finally:
        going.stop()
        await sending
    await _all_read(copies, bus)

    # nothing was written twice or backwards, whoever wrote
    for tables in ("rm0_offsets", "rm1_offsets"):
        for partition in range(PARTITIONS):
            moves = await copies.sql(
                "SELECT * FROM moved WHERE tables = $1 AND part = $2 ORDER BY n", tables, partition
            )
            assert moves
            assert [m["before"] for m in moves] == [0, *(m["after"] for m in moves[:-1])]
            assert all(m["after"] > m["before"] for m in moves)

    await alone.start("single")
    await _all_read(alone, bus)
    shared, single = await copies.rows(), await alone.rows()
    assert len(single["tickets"]) > going.tickets
    for table, rows in single.items():
        assert rows, table
        assert shared[table] == rows, table
    # and every copy shows them
    for name in ("b", "d"):
        async with copies.api(name) as api:
            assert (await api.get("/rebuild")).json() == {"rebuilding": False, "behind": 0, "lag": 0, "generation": 1}
            assert len((await api.get("/tickets", params={"limit": 200})).json()["items"]) == min(200, _listed(single))


def _listed(rows: dict[str, list[dict[str, Any]]]) -> int:
    return sum(row["place"] not in ("merged", "spam", "snoozed") for row in rows["tickets"])
