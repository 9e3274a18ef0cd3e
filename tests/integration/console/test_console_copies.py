"""Two copies of the console on one PostgreSQL are one console, whichever is asked; one of them dies."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mailroom_contracts import Reply, TicketCommand, TicketEvent, topics
from mailroom_runtime.process.tasks import end
from support.console_story import Story
from support.processes import ServiceProcess, free_port
from support.waiting import eventually

from .conftest import KEY, Bus, RunningConsole, Starter
from .postgres import Postgres

ROUNDS = 20
LOOKED_FOR_EVERY_S = 1.0  # what a copy would find by looking takes half of this, in the mean


@pytest.fixture
async def copies(
    start_console: Starter, postgres: Postgres, tmp_path: Path
) -> AsyncIterator[tuple[RunningConsole, httpx.AsyncClient]]:
    """The copy that leads, in this process, and the API of another one, a process."""
    url = postgres.url(f"two{secrets.token_hex(4)}")
    leader = await start_console(database=url)
    port, s = free_port(), leader.settings
    env = {
        "MAILROOM_KAFKA": s.kafka, "MAILROOM_REDIS": s.redis, "MAILROOM_TOPIC_PREFIX": s.topic_prefix,
        "MAILROOM_DATA": str(s.data), "MAILROOM_DATABASE": url, "MAILROOM_CONSOLE_PORT": str(port),
        "MAILROOM_URL": f"http://127.0.0.1:{port}", "MAILROOM_SECRET_KEYS": f"k1:{KEY}",
        "MAILROOM_MESSAGE_ID_KEYS": f"k1:{KEY}", "MAILROOM_SERVICES": "{}",
    }  # fmt: skip
    second = ServiceProcess("console", env, tmp_path / "second.log", forked=True)
    second.start()
    headers = {"Authorization": leader.api.headers["Authorization"]}
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=20) as other:
            yield leader, other
    finally:
        with contextlib.suppress(ProcessLookupError):
            second.kill()


async def test_what_is_done_at_one_is_seen_at_the_other_without_looking_for_it(
    copies: tuple[RunningConsole, httpx.AsyncClient], bus: Bus
) -> None:
    leader, other = copies
    story = Story(1, portal=leader.ids["portal"], queue=leader.ids["queue"], address=leader.ids["address"])
    await bus.events(story.created(), story.mail())

    async def there() -> bool:
        return (await other.get(f"/tickets/{story.ticket}")).status_code == 200

    await eventually(there, 15)

    def answer(command: TicketCommand) -> list[TicketEvent]:
        assert not isinstance(command, Reply)
        return [story.note("noted", command.id, command.actor)]

    # a command through the copy that does not lead: its events may be written by either
    async with bus.answering(leader, answer):
        began = time.monotonic()
        for number in range(ROUNDS):
            noted = await other.post(f"/tickets/{story.ticket}/notes", json={"text": f"note {number}"})
            assert (noted.status_code, noted.json()["shown"]) == (201, True)
        commands = (time.monotonic() - began) / ROUNDS
    # a configuration change through it, until the copy that leads has published it
    began = time.monotonic()
    for number in range(ROUNDS):
        name = f"Name {number}"
        assert (await other.patch(f"/addresses/{leader.ids['address']}", json={"full_name": name})).status_code == 200
        await _published(bus, leader, name)
    changes = (time.monotonic() - began) / ROUNDS
    print(f"a command at the other copy {commands * 1000:.0f} ms, a change until published {changes * 1000:.0f} ms")
    assert commands < LOOKED_FOR_EVERY_S / 4
    assert changes < LOOKED_FOR_EVERY_S / 4


async def _published(bus: Bus, leader: RunningConsole, name: str) -> None:
    async def told() -> bool:
        return getattr((await bus.latest(topics.ADDRESSES)).get(leader.ids["address"]), "full_name", "") == name

    await eventually(told, 15)


async def test_pages_at_either_copy_hear_of_changes_and_a_rebuild_asked_of_either_is_done_without_an_empty_list(
    copies: tuple[RunningConsole, httpx.AsyncClient], bus: Bus
) -> None:
    leader, other = copies
    stories = [Story(n, portal=leader.ids["portal"], queue=leader.ids["queue"], address=leader.ids["address"])
               for n in range(5)]  # fmt: skip
    for story in stories:
        await bus.events(story.created(), story.mail())

    async def listed(api: httpx.AsyncClient) -> int:
        return len((await api.get("/tickets")).json()["items"])

    async def all_there() -> bool:
        return [await listed(leader.api), await listed(other)] == [5, 5]

    await eventually(all_there, 20)
    watching = asyncio.create_task(_heard(leader, other, stories[0].ticket))
    try:

        async def heard() -> bool:
            await bus.events(stories[0].mail(f"more {time.monotonic()}", cause=str(time.monotonic())))
            return watching.done()

        await eventually(heard, 20)
        assert watching.result() == "ticket"
    finally:
        await end(watching)

    # asked of the copy that does not lead
    asked = await other.post("/rebuild")
    assert (asked.status_code, asked.json()["rebuilding"], asked.json()["generation"]) == (202, True, 0)
    counts: list[tuple[int, int]] = []

    async def switched() -> bool:
        counts.append((await listed(leader.api), await listed(other)))
        told = [(await api.get("/rebuild")).json() for api in (leader.api, other)]
        return [(one["rebuilding"], one["generation"]) for one in told] == [(False, 1), (False, 1)]

    await eventually(switched, 30)
    for _ in range(20):  # and after it, while the old tables are still there for who reads them
        counts.append((await listed(leader.api), await listed(other)))
    assert set(counts) == {(5, 5)}


async def _heard(leader: RunningConsole, other: httpx.AsyncClient, ticket: str) -> str:
    """The kind of the first change of that ticket that an open page of the other copy hears of."""
    site = str(other.base_url).removesuffix("/api/v1/")
    made = await leader.api.post("/agents", json={"email": leader.at("watcher"), "name": "W", "queue_ids": [leader.ids["queue"]],
                                                  "password": "a long enough password"})  # fmt: skip
    assert made.status_code == 201, made.text
    async with httpx.AsyncClient(base_url=site, timeout=30) as browser:
        who = {"email": leader.at("watcher"), "password": "a long enough password"}
        assert (await browser.post("/api/v1/session", json=who)).status_code == 200
        async with browser.stream("GET", "/live") as stream:
            kind = ""
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and value == ticket:
                    return kind
    return ""


async def test_the_copy_that_leads_stops(copies: tuple[RunningConsole, httpx.AsyncClient], bus: Bus) -> None:
    leader, other = copies
    story = Story(1, portal=leader.ids["portal"], queue=leader.ids["queue"], address=leader.ids["address"])
    await bus.events(story.created(), story.mail())
    await leader.stop()
    await bus.events(story.status("closed"))

    async def followed() -> Any:
        found = await other.get(f"/tickets/{story.ticket}")
        return found.status_code == 200 and found.json()["status"] == "closed"

    await eventually(followed, 20)
    changed = await other.patch(f"/addresses/{leader.ids['address']}", json={"full_name": "From the second"})
    assert changed.status_code == 200
    await _published(bus, leader, "From the second")
