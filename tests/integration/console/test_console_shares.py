"""Who may write a partition of the read model, and what keeps out who may not any more: on both databases."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mailroom_console.read_model import store
from mailroom_console.read_model.generations import Generations
from mailroom_console.storage.database import Database
from mailroom_console.storage.leadership import Leadership
from mailroom_console.storage.read_schema import GENERATIONS, SEQUENCE
from mailroom_console.storage.shares import PARTITIONS as PARTITIONS_LOCK
from mailroom_console.storage.shares import Shares
from mailroom_contracts import Actor, Merged, TicketEvent, TookIn
from mailroom_runtime.bus.copies import NOTHING
from sqlalchemy import Connection, select, text
from support.console_story import Story
from support.waiting import eventually

from .postgres import Postgres

TABLES = GENERATIONS[0]
PARTITIONS = frozenset(range(6))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'c.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url(f"shares{secrets.token_hex(4)}")
    made = Database(url)
    await made.migrate()
    await Generations(made).make()
    yield made
    await made.close()


async def _moved(database: Database, expected: int, to: int) -> bool:
    def move(connection: Connection) -> bool:
        return store.save_offsets(connection, TABLES.offsets, {0: expected}, {0: to}, {0: NOTHING})

    return await database.transact(move)


async def test_a_partition_moves_only_from_where_its_writer_took_it_to_be(database: Database) -> None:
    assert not await _moved(database, 0, 5), "tables that were not begun are written by nobody"
    await Generations(database).prepare(0, PARTITIONS)
    assert await _moved(database, 0, 5)
    for expected, to in ((0, 5), (0, 9), (4, 6), (6, 4)):  # who was overtaken, further behind or ahead
        assert not await _moved(database, expected, to)
    assert (await Generations(database).positions())[0] == {p: 5 if p == 0 else 0 for p in PARTITIONS}
    await Generations(database).prepare(0, PARTITIONS)
    assert await _moved(database, 5, 6), "a new leader changes nothing of it"


async def test_the_second_of_two_writers_waits_and_then_writes_nothing(postgres: Postgres) -> None:
    database = Database(postgres.url(f"two{secrets.token_hex(4)}"))
    await database.migrate()
    await Generations(database).make()
    await Generations(database).prepare(0, PARTITIONS)
    async with database.write() as first:
        assert await first.run_sync(lambda c: store.save_offsets(c, TABLES.offsets, {0: 0}, {0: 7}, {0: NOTHING}))
        second = asyncio.create_task(_moved(database, 0, 3))

        async def waits() -> bool:
            async with database.read() as connection:
                return bool(await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

        await eventually(waits, 10)
    assert not await second
    assert (await Generations(database).positions())[0][0] == 7
    await database.close()


@pytest.mark.parametrize("first", [0, 1])
async def test_of_one_cause_with_two_tickets_the_earlier_outcome_stays_whoever_writes_first(
    database: Database, first: int
) -> None:
    agent = Actor(kind="agent", id="a1")
    one, two = (Story(n, portal="p", queue="q", address="ad") for n in (1, 2))
    merged = Merged(**one._common("merge", "ticket.merged", agent), into=two.ticket)
    taken = TookIn(**(two._common("merge", "ticket.took_in", agent) | {"at": one.at + timedelta(seconds=1)}),
                   source_id=one.ticket)  # fmt: skip
    events: list[TicketEvent] = [merged, taken]
    together: list[list[TicketEvent]] = [[events[first], events[1 - first]]]
    for batches in ([[events[first]], [events[1 - first]]], together):
        for batch in batches:
            await database.transact(lambda c, b=batch: _write(c, b, database.sqlite))  # type: ignore[misc]
        async with database.write() as connection:
            rows = (await connection.execute(select(TABLES.outcomes))).all()
            assert [(row.type, row.ticket_id) for row in rows] == [("ticket.merged", one.ticket)]
            await connection.run_sync(store.clear, TABLES, sqlite_=database.sqlite)


def _write(connection: Connection, events: list[TicketEvent], sqlite_: bool) -> None:
    batch = store.load(connection, TABLES, events)
    for event in events:
        batch.apply(event)
    store.save(connection, TABLES, batch, sqlite_=sqlite_)


async def test_new_tickets_are_numbered_beyond_those_that_an_older_version_wrote(database: Database) -> None:
    for number in range(1, 4):
        # each time as after an upgrade: one writer numbered the last ticket itself
        async with database.write() as connection:
            query = "SELECT coalesce(max(seq), 0) FROM rm0_tickets"
            last = await connection.scalar(text(query)) or 0
            taken = None if database.sqlite else (await connection.execute(text(f"SELECT * FROM {SEQUENCE}"))).one()
            story = Story(100 + number, portal="p", queue="q", address="ad")
            await connection.run_sync(_write, [story.created()], database.sqlite)
            await connection.execute(
                text("UPDATE rm0_tickets SET seq = :to WHERE id = :id"), {"to": last + 1, "id": story.ticket}
            )
            if taken is not None:  # it knows nothing of the sequence
                back = text(f"SELECT setval('{SEQUENCE}', :last, :called)")
                await connection.execute(back, {"last": taken.last_value, "called": taken.is_called})
        if not database.sqlite:
            await Generations(database).take_numbers()
        for each in range(2):
            new = Story(10 * number + each, portal="p", queue="q", address="ad")
            await database.transact(lambda c, s=new: _write(c, [s.created()], database.sqlite))  # type: ignore[misc]


async def _locked(database: Database) -> int:
    async with database.read() as connection:
        query = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = {PARTITIONS_LOCK}"
        return await connection.scalar(text(query)) or 0


class Held:
    """A copy's share, held beside the test."""

    def __init__(self, database: Database) -> None:
        self.shares = Shares(database)
        self.shares.partitions = PARTITIONS
        self._task = asyncio.create_task(self.shares.run())

    async def end(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Leading:
    """A copy that leads, and knows that the others write, too."""

    def __init__(self, database: Database) -> None:
        self._task = asyncio.create_task(
            Leadership(database).lead(Generations(database).take_numbers, lambda: [self._for_ever()])
        )

    async def _for_ever(self) -> None:
        await asyncio.Event().wait()

    async def end(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def test_partitions_are_shared_while_a_copy_leads_and_given_up_when_nobody_writes_them(
    postgres: Postgres,
) -> None:
    database = Database(postgres.url(f"held{secrets.token_hex(4)}"))
    await database.migrate()
    held = [Held(database), Held(database)]

    async def parts(*numbers: int) -> Any:
        mine = [each.shares.mine for each in held]
        whole = sorted(p for part in mine for p in part)
        return sorted(len(part) for part in mine) == sorted(numbers) and len(whole) == len(set(whole))

    try:
        # an older version leads, and writes everything itself
        await eventually(lambda: len({each.shares._own for each in held}) == 2, 10)
        assert await parts(0, 0)
        leading = Leading(database)
        held.append(Held(database))
        await eventually(lambda: parts(2, 2, 2), 15)
        # what one still writes, nobody else takes
        for each in held:
            each.shares.read("reader", each.shares.mine)
        written = [each.shares.mine for each in held]
        new = Held(database)
        held.append(new)
        await eventually(lambda: any(each.shares.mine < had for each, had in zip(held, written, strict=False)), 15)
        await eventually(lambda: new.shares._wanted, 15)
        assert await _locked(database) == len(PARTITIONS)
        assert not new.shares.mine
        assert all(each.shares.mine <= had for each, had in zip(held, written, strict=False))
        for each in held:
            each.shares.read("reader", frozenset())
        await eventually(lambda: parts(2, 2, 1, 1), 15)
        # those of one that ends are taken by the others
        await held.pop(1).end()
        await eventually(lambda: parts(2, 2, 2), 15)
        # the one that leads ends: nobody writes until another leads
        await leading.end()
        await eventually(lambda: parts(0, 0, 0), 15)
        leading = Leading(database)
        await eventually(lambda: parts(2, 2, 2), 15)
        await leading.end()
    finally:
        for each in held:
            await each.end()
        await database.close()
