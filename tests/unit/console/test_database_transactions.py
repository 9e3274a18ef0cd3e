"""Transactions that run in a thread on SQLite: whole or not at all, one writer at a time, never left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mailroom_console.read_model.waiters import Outcome, Waiters
from mailroom_console.storage.database import Database
from sqlalchemy import Connection, text


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with made.write() as connection:
        await connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield made
    await made.close()


class Work:
    """Writes 1, then waits until it is let go."""

    def __init__(self, *, waits: bool = False) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        if not waits:
            self.go.set()

    def __call__(self, connection: Connection) -> str:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
        self.began.set()
        assert self.go.wait(10)
        return "done"


async def numbers(database: Database) -> list[int]:
    async with database.read() as connection:
        return [row.n for row in await connection.execute(text("SELECT n FROM numbers ORDER BY n"))]


async def test_it_commits_at_the_end_and_not_when_it_fails(database: Database) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(text("INSERT INTO numbers VALUES (2)"))
        raise ValueError("no")

    assert await database.transact(Work()) == "done"
    with pytest.raises(ValueError, match="no"):
        await database.transact(fails)
    assert await numbers(database) == [1]


async def test_others_wait_for_their_turn_and_the_loop_goes_on(database: Database) -> None:
    async def other() -> None:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO numbers VALUES (2)"))

    work = Work(waits=True)
    running = asyncio.create_task(database.transact(work))
    assert await asyncio.to_thread(work.began.wait, 10)
    waiting = asyncio.create_task(other())
    assert await numbers(database) == []  # readers need not wait
    assert not waiting.done()
    work.go.set()
    await asyncio.gather(running, waiting)
    assert await numbers(database) == [1, 2]


async def test_who_is_cancelled_leaves_nothing_running(database: Database) -> None:
    work = Work(waits=True)
    running = asyncio.create_task(database.transact(work))
    assert await asyncio.to_thread(work.began.wait, 10)
    running.cancel()
    assert await numbers(database) == []
    assert not running.done()
    work.go.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await numbers(database) == [1]


async def test_there_is_a_hurry_while_anybody_waits() -> None:
    waiters = Waiters()
    with waiters.expect("a") as first:
        with waiters.expect("b"):
            assert waiters.hurry.is_set()
        assert waiters.hurry.is_set()
        waiters.tell([("a", Outcome("ticket.assigned"))])
        assert (await first).type == "ticket.assigned"
    assert not waiters.hurry.is_set()
