"""Which generation of the read model is shown, which is being built, and how far each was written: the table of
generations and the offsets, which all copies of the console read and the leading one changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import SHOWN, notify
from mailroom_console.storage.read_schema import FORM, GENERATIONS, SEQUENCE
from mailroom_console.storage.schema import generations

from . import store


@dataclass(frozen=True, slots=True)
class Standing:
    """`written`: the generations that follow the events. `due`: a rebuild is asked for, or the form is an older one."""

    active: int
    building: bool
    asked: bool
    due: bool

    @property
    def other(self) -> int:
        return 1 - self.active

    @property
    def written(self) -> frozenset[int]:
        return frozenset({0, 1} if self.building else {self.active})


class Generations:
    """Reads and changes them, each change in a transaction that the copies hear of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self) -> None:
        """On an empty database: the first one."""
        async with self._database.write() as connection:
            rows = {row.id: row for row in await connection.execute(select(generations))}
            for missing in {0, 1} - rows.keys():
                state = "active" if missing == 0 and not rows else "empty"
                await connection.execute(
                    insert(generations).values(id=missing, state=state, form=FORM, started_at=times.micros(times.now()))
                )

    async def standing(self) -> Standing:
        async with self._database.read() as connection:
            rows = {row.id: row for row in await connection.execute(select(generations))}
        active = next((row for row in rows.values() if row.state == "active"), rows[0])
        other = rows[1 - active.id]
        building = other.state == "building" and other.form == FORM
        asked = other.state == "asked"
        # what an older version began to build is begun anew
        due = asked or (other.state == "building" and not building) or active.form != FORM
        return Standing(active.id, building, asked, due and not building)

    async def ask(self) -> None:
        """Ask for a rebuild; the leading copy begins it."""
        async with self._database.write() as connection:
            await connection.execute(update(generations).where(generations.c.state == "empty").values(state="asked"))
            await notify(connection, SHOWN)

    async def take_numbers(self) -> None:
        """On PostgreSQL, before anybody writes: new tickets' numbers are beyond all that there are."""
        async with self._database.write() as connection:
            tables = [tables.tickets for tables in GENERATIONS]
            most = max([await connection.scalar(select(func.max(t.c.seq))) or 0 for t in tables])
            # never back: other copies may be taking numbers
            await connection.execute(
                text(
                    f"SELECT setval('{SEQUENCE}', :most) FROM {SEQUENCE} "  # noqa: S608 - names of ours
                    "WHERE last_value < :most OR (last_value = :most AND NOT is_called)"
                ),
                {"most": most},
            )

    async def prepare(self, active: int, partitions: Iterable[int]) -> None:
        """Every partition has its row: only then can it be written."""
        async with self._database.write() as connection:
            await self._rows(connection, active, partitions)

    async def begin(self, generation: int, partitions: Iterable[int]) -> None:
        """Empty it; from here on it is built."""
        async with self._database.write() as connection:
            # first, so that who writes it is done, and whoever comes sees that it is another one
            await connection.execute(
                update(generations).where(generations.c.id == generation)
                .values(state="building", form=FORM, started_at=times.micros(times.now()), finished_at=None)
            )  # fmt: skip
            await connection.run_sync(store.clear, GENERATIONS[generation], sqlite_=self._database.sqlite)
            await self._rows(connection, generation, partitions)
            await notify(connection, SHOWN)

    async def switch(self, new: int) -> None:
        """Show the one that was built. Batches that are being written end first, and later ones see it."""
        async with self._database.write() as connection:
            for each, state in sorted({new: "active", 1 - new: "empty"}.items()):
                finished = {"finished_at": times.micros(times.now())} if each == new else {}
                await connection.execute(
                    update(generations).where(generations.c.id == each).values(state=state, **finished)
                )
            await notify(connection, SHOWN)

    async def clear(self, generation: int) -> None:
        """Empty it, if it is shown to nobody and not asked for."""
        async with self._database.write() as connection:
            query = select(generations.c.state).where(generations.c.id == generation).with_for_update()
            if await connection.scalar(query) == "empty":
                await connection.run_sync(store.clear, GENERATIONS[generation], sqlite_=self._database.sqlite)

    async def positions(self) -> list[dict[int, int]]:
        """Of both generations, at one moment: the next offset of each partition."""
        async with self._database.read() as connection:
            found: list[dict[int, int]] = [{}, {}]
            for tables in GENERATIONS:
                o = tables.offsets
                rows = await connection.execute(select(o.c.partition, o.c.next_offset))
                found[tables.generation] = {row.partition: row.next_offset for row in rows}
        return found

    async def _rows(self, connection: AsyncConnection, generation: int, partitions: Iterable[int]) -> None:
        table = GENERATIONS[generation].offsets
        rows = [{"partition": p, "next_offset": 0, "missed_from": 0, "missed_to": 0} for p in partitions]
        upsert: Any = sqlite.insert(table) if self._database.sqlite else postgresql.insert(table)
        await connection.execute(upsert.on_conflict_do_nothing(index_elements=["partition"]), rows)
