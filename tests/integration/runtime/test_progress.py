"""A consumer that stands still while records wait is told within 30 s, whatever holds it; one that is idle is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from mailroom_contracts import Actor, AddNote, topics
from mailroom_runtime.bus import progress
from mailroom_runtime.bus.consume import Inbound, consume
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.progress import Watch
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings
from support.waiting import eventually


class Desk:
    """One consuming service in this process, whose handler can be held."""

    def __init__(self, settings: ServiceSettings, producer: Producer) -> None:
        self.settings, self.producer = settings, producer
        self.service = Service("test", settings)
        self.watch = Watch(settings)
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.handled = 0
        self.now = 0.0

    async def handle(self, _: Inbound) -> None:
        await self.go_on.wait()
        self.handled += 1

    async def put(self, many: int) -> None:
        for number in range(many):
            note = AddNote(id=f"c{number}", ticket_id=f"t{number}", portal_id="p", actor=Actor(kind="api"),
                           at=datetime.now(UTC))  # fmt: skip
            await self.producer.send(topics.TICKET_COMMANDS, note)

    async def look(self) -> list[str]:
        """As it would be a third of the time later."""
        self.now += progress.STILL_S / 3
        return await self.watch.look(self.now)


@pytest.fixture
async def desk(kafka: str, topics: str) -> AsyncIterator[Desk]:
    progress.note_consumers()
    settings = ServiceSettings(kafka=kafka, topic_prefix=topics, partitions=4)
    async with Producer(settings, source="test") as producer:
        made = Desk(settings, producer)
        running = asyncio.create_task(_run(made))
        yield made
        made.go_on.set()
        made.service.stopping.set()
        await asyncio.wait_for(running, 20)
        await made.watch.close()


async def _run(desk: Desk) -> None:
    await consume(desk.service, [topics.TICKET_COMMANDS], group="router.tickets", handle=desk.handle,
                  producer=desk.producer)  # fmt: skip


async def test_a_handler_that_never_ends_is_told_and_one_that_goes_on_is_not(desk: Desk) -> None:
    await desk.put(3)
    await eventually(lambda: desk.handled == 3, 30)
    for _ in range(5):  # idle, for longer than anybody may stand still
        assert await desk.look() == []
    desk.go_on.clear()
    await desk.put(4)

    async def told() -> Any:
        return await desk.look()

    (first, *_) = await eventually(told, 15)
    assert "router.tickets has taken nothing of" in first
    assert "records wait" in first
    desk.go_on.set()
    await eventually(lambda: desk.handled == 7, 15)

    async def well() -> bool:
        return await desk.look() == []

    await eventually(well, 15)


async def test_a_consumer_that_gets_no_records_any_more_is_told(desk: Desk) -> None:
    await desk.put(1)
    await eventually(lambda: desk.handled == 1, 30)
    (consumer,) = [c for c in progress._consumers if c._group_id is not None]
    consumer._fetcher._fetch_task.cancel()  # as aiokafka's fetching ends of an error of its own
    await desk.put(8)

    async def told() -> Any:
        return await desk.look()

    assert await eventually(told, 15)
