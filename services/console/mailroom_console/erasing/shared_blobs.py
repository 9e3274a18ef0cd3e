"""Blobs that several tickets need: a mail to two queues is in two tickets, and one that was split off is, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, select

from mailroom_console.context import Console

from .blobs import used_keys

AT_ONCE = 500


async def needed_elsewhere(
    console: Console,
    portal_id: str,
    at: Iterable[int],
    stays: ColumnElement[bool],
    goes: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> set[str]:
    """The blobs of those messages of the portal that have one of these times (the copies of a mail share it), in tickets
    that stay; `stays` is a condition on the table of messages, and `goes` says which of them are emptied all the same."""
    m = console.read.tables.messages
    times, needed = sorted(set(at)), set[str]()
    async with console.database.read() as connection:
        for start in range(0, len(times), AT_ONCE):
            query = select(m.c.document, m.c.files_removed).where(
                m.c.at.in_(times[start : start + AT_ONCE]), m.c.portal_id == portal_id, stays
            )
            for row in await connection.execute(query):
                document = json.loads(row.document)
                if not goes(document):
                    needed |= used_keys(document, files_removed=row.files_removed is not None)
    return needed
