"""The outbox: no change without its publication, no publication lost, whatever stops in between."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import Notifications
from mailroom_console.storage.outbox import OUTBOX_PRODUCER, Publisher, publish
from mailroom_console.storage.schema import dead_letters, outbox
from mailroom_contracts import Queue, Record, topics
from mailroom_runtime.bus.fenced import Fenced, FencedProducer, NotAllowed
from mailroom_runtime.bus.kafka import BusDown, Producer
from sqlalchemy import func, select
from structlog.testing import capture_logs
from support.console_story import START
from support.waiting import eventually

from .conftest import Bus, RunningConsole, Starter
from .postgres import Postgres


class Stuttering(Producer):
    """A producer whose connection breaks after some records."""

    breaks_after = 10**9

    async def send_record(self, record, *, partition=None):  # type: ignore[no-untyped-def]
        if self.breaks_after <= 0:
            raise BusDown("gone")
        self.breaks_after -= 1
        await super().send_record(record, partition=partition)


def _queue(number: int, revision: int = 1) -> Queue:
    return Queue(id=f"q{number}", portal_id="p", name=f"Queue {number}", revision=revision)


@pytest.fixture
async def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'outbox.db'}")
    await database.migrate()
    yield database
    await database.close()


async def test_a_change_that_is_rolled_back_is_not_published(database: Database) -> None:
    async def broken_off() -> None:
        async with database.write() as connection:
            await publish(connection, topics.QUEUES, _queue(1), now=START)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken_off()
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(outbox)) == 0


async def test_a_break_between_sending_and_marking_loses_nothing_and_keeps_the_order(
    database: Database, start_console: Starter, bus: Bus
) -> None:
    async with database.write() as connection:
        for number in range(20):
            await publish(connection, topics.QUEUES, _queue(number % 5, 1 + number // 5), now=START)
    async with Stuttering(bus.settings, "console") as producer:
        publisher = Publisher(database, producer, Notifications(database))
        producer.breaks_after = 7
        with pytest.raises(BusDown):
            await publisher.publish_batch()
        producer.breaks_after = 10**9
        assert await publisher.publish_batch() == 20  # the seven go out again: nothing was marked
        assert await publisher.publish_batch() == 0
    seen = [m for key, m in await bus.all(topics.QUEUES) if isinstance(m, Queue)]
    assert len(seen) == 27
    latest = await bus.latest(topics.QUEUES)
    assert {key: m.revision for key, m in latest.items() if isinstance(m, Queue)} == {f"q{n}": 4 for n in range(5)}


class Paused(FencedProducer):
    """A producer whose process is stopped just before it writes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()

    async def write(self, records: Sequence[Record]) -> None:
        self.reached.set()
        await self.goes_on.wait()
        await super().write(records)


async def test_a_leader_that_was_paused_never_writes_an_older_row_last(
    postgres: Postgres, start_console: Starter, bus: Bus
) -> None:
    await start_console()  # whose topics these are
    database = Database(postgres.url(f"fence{secrets.token_hex(4)}"))
    await database.migrate()
    leads = {"first": True, "second": True}

    async def of(name: str) -> bool:
        return leads[name]

    async def changed(revision: int) -> None:
        async with database.write() as connection:
            await publish(connection, topics.QUEUES, _queue(1, revision), now=START)

    plain = Producer(bus.settings, "console")  # which nobody uses: it is not connected
    paused, other = Paused(bus.settings, OUTBOX_PRODUCER), FencedProducer(bus.settings, OUTBOX_PRODUCER)
    first = Publisher(database, plain, Notifications(database), paused, lambda: of("first"))
    second = Publisher(database, plain, Notifications(database), other, lambda: of("second"))
    try:
        await changed(1)
        stopped = asyncio.create_task(first.publish_batch())
        await asyncio.wait_for(paused.reached.wait(), 30)
        leads["first"] = False  # its lock is another's
        assert await second.publish_batch() == 1
        await changed(2)
        assert await second.publish_batch() == 1
        paused.goes_on.set()
        with pytest.raises(Fenced):
            await stopped
        assert (await bus.latest(topics.QUEUES))["q1"].revision == 2
        with pytest.raises(BusDown, match="leads"):
            await first.publish_batch()  # it opens the producer again, and learns that it may not
        await changed(3)
        with pytest.raises(Fenced):
            await second.publish_batch()
        assert await second.publish_batch() == 1, "it was fenced off for a moment, and leads"
        assert (await bus.latest(topics.QUEUES))["q1"].revision == 3
    finally:
        await paused.close()
        await other.close()
        await database.close()


async def test_what_is_too_large_is_set_aside_and_the_rest_is_written(
    postgres: Postgres, start_console: Starter, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_console()
    database = Database(postgres.url(f"large{secrets.token_hex(4)}"))
    await database.migrate()
    monkeypatch.setattr("mailroom_console.storage.outbox.LARGEST", 10_000_000)
    async with database.write() as connection:
        for number, name in ((1, "small"), (2, "x" * 1_100_000), (3, "small")):
            queue = _queue(number).model_copy(update={"name": name})
            await publish(connection, topics.QUEUES, queue, now=START)
    fenced = FencedProducer(bus.settings, OUTBOX_PRODUCER)
    publisher = Publisher(database, Producer(bus.settings, "console"), Notifications(database), fenced)
    try:
        assert await publisher.publish_batch() == 3
        assert {"q1", "q3"} <= set(await bus.latest(topics.QUEUES))
        async with database.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(dead_letters)) == 1
    finally:
        await fenced.close()
        await database.close()


class Refused(FencedProducer):
    """What tests/integration/runtime/test_rights.py shows of a broker whose rights are an older release's."""

    async def open(self) -> None:
        raise NotAllowed("acme.console.outbox")


async def test_without_the_right_to_be_the_one_it_publishes_all_the_same_and_says_so(
    postgres: Postgres, start_console: Starter, bus: Bus
) -> None:
    await start_console()
    database = Database(postgres.url(f"rights{secrets.token_hex(4)}"))
    await database.migrate()
    async with database.write() as connection:
        await publish(connection, topics.QUEUES, _queue(77), now=START)
    refused = Refused(bus.settings, OUTBOX_PRODUCER)
    async with Producer(bus.settings, "console") as producer:
        publisher = Publisher(database, producer, Notifications(database), refused)
        with capture_logs() as logs:
            assert await publisher.publish_batch() == 1
    await database.close()
    assert "q77" in await bus.latest(topics.QUEUES)
    (said,) = [line for line in logs if line["event"] == "outbox.not_fenced"]
    assert (said["transactional_id"], said["do"]) == ("acme.console.outbox", "run deploy/kafka/acls again")


async def test_what_was_changed_before_a_crash_is_published_after_it(
    start_console: Starter, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(self: Publisher) -> None:
        await asyncio.Event().wait()

    console = await start_console()
    await console.stop()
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "run", nothing)
        console = await start_console()
        changed = await console.api.patch(f"/addresses/{console.ids['address']}", json={"full_name": "After all"})
        assert changed.status_code == 200
        await console.stop()
    await start_console()

    async def told() -> bool:
        address = (await bus.latest(topics.ADDRESSES)).get(console.ids["address"])
        return getattr(address, "full_name", "") == "After all"

    await eventually(told, 15)


async def test_every_change_of_many_writers_arrives_in_its_order(console: RunningConsole, bus: Bus) -> None:
    path = f"/queues/{console.ids['queue']}"
    for number in range(10):
        await asyncio.gather(*(console.api.patch(path, json={"name": f"Name {number}-{n}"}) for n in range(3)))
    final = await console.get(path)

    async def settled() -> bool:
        queue = (await bus.latest(topics.QUEUES)).get(console.ids["queue"])
        return isinstance(queue, Queue) and queue.revision == final["revision"]

    await eventually(settled, 10)
    revisions = [
        m.revision for key, m in await bus.all(topics.QUEUES) if key == console.ids["queue"] and isinstance(m, Queue)
    ]
    assert revisions == sorted(revisions)
