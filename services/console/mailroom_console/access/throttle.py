"""So often and no oftener: counted in the database, so that several copies of the console count together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.problems import Problem
from mailroom_console.storage.schema import login_failures


async def take(console: Console, who: str, *, most: int, within_us: int, told: str) -> None:
    """Count one more of `who`, in one step: many at once are as many as one after another.

    The count ends `within_us` microseconds after the last one that was let through. Raises `Problem` 429
    `too_many_tries` with `retry_after`; then nothing is counted.
    """
    f, now = login_failures, console.now()
    insert: Any = (sqlite if console.database.sqlite else postgresql).insert(f)
    add = insert.values(who=who, tries=1, last_at=now).on_conflict_do_update(
        index_elements=["who"], set_={"tries": f.c.tries + 1, "last_at": now}, where=f.c.tries < most
    )
    async with console.database.write() as connection:
        over = (f.c.who == who) & (f.c.last_at < now - within_us)
        await connection.execute(delete(f).where(over | (f.c.last_at < now - times.DAY)))
        if (await connection.execute(add.returning(f.c.tries))).first() is None:
            last = int(await connection.scalar(select(f.c.last_at).where(f.c.who == who)) or now)
            left = max(0, last + within_us - now) // times.SECOND + 1
            raise Problem(
                429, "too_many_tries", told + " " + say("Try again in {left} seconds.", left=left), retry_after=left
            )
