"""Full-text search over tickets: newest ticket first, by keys, and never through more hits than a page needs.

SQLite walks its full-text index backwards and lazily as long as whole terms are asked for; a prefix would merge all
its terms first. So the beginning of a word is completed from the index's vocabulary to a few whole terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.context import Console
from mailroom_console.principals import Principal
from mailroom_console.read_model.store import LONGEST_LEXEME
from mailroom_console.read_model.words import plain_words
from mailroom_console.storage.paging import Page, number_cursor
from mailroom_console.storage.read_schema import ReadTables

from .shape import summary

COMPLETIONS = 12  # terms that a beginning stands for
SHORTEST_BEGINNING = 3
FIRST_BATCH = 200
MOST_HITS = 20_000  # looked at for one page; what filters leave out counts too


async def found(
    console: Console, principal: Principal, tables: ReadTables, conditions: Sequence[ColumnElement[bool]],
    words: Sequence[str], limit: int, after: str | None,
) -> Page:  # fmt: skip
    """Tickets that hold every word. A page may be short and still have a `next` when few hits pass the filters."""
    before = number_cursor(after) if after else 2**62
    t = tables.tickets
    rows: list[Any] = []
    looked, batch = 0, max(FIRST_BATCH, limit * 2)
    async with console.database.read() as connection:
        if console.database.sqlite:
            match = await _match(connection, tables, f"p{principal.portal_id}", words)
        else:
            match = " & ".join(f"{w[:LONGEST_LEXEME]}:*" for w in plain_words(" ".join(words)).split())
        while len(rows) <= limit and looked < MOST_HITS:
            hits = await _hits(connection, tables, match, before, batch, sqlite=console.database.sqlite)
            looked += len(hits)
            for start in range(0, len(hits), 500):
                part = hits[start : start + 500]
                query = select(t).where(t.c.seq.in_(part), *conditions).order_by(t.c.seq.desc())
                rows += (await connection.execute(query.limit(limit + 1))).all()
                if len(rows) > limit:
                    break
            if len(hits) < batch:
                exhausted = True
                break
            before, batch = hits[-1], min(batch * 4, 5_000)
        else:
            exhausted = False
    page = rows[:limit]
    if len(rows) > limit:
        return Page([summary(row) for row in page], str(page[-1].seq))
    return Page([summary(row) for row in page], None if exhausted else str(before))


async def _hits(
    connection: AsyncConnection, tables: ReadTables, match: str, before: int, count: int, *, sqlite: bool
) -> list[int]:
    """The newest tickets below `before` that hold the words."""
    if sqlite:
        statement = (
            f"SELECT rowid FROM {tables.search} WHERE {tables.search} MATCH :match AND rowid < :before "  # noqa: S608
            "ORDER BY rowid DESC LIMIT :count"
        )
    else:
        statement = (
            f"SELECT seq FROM {tables.tickets.name} WHERE search @@ to_tsquery('simple', :match) "  # noqa: S608
            "AND seq < :before ORDER BY seq DESC LIMIT :count"
        )
    found = await connection.execute(text(statement), {"match": match, "before": before, "count": count})
    return list(found.scalars())


async def _match(connection: AsyncConnection, tables: ReadTables, scope: str, words: Sequence[str]) -> str:
    """The FTS5 query: the portal, and each word as itself or completed."""
    parts = [f'scope:"{scope}"']
    for word in words:
        terms = [word]
        begins = plain_words(word)
        if len(begins) >= SHORTEST_BEGINNING:
            completed = await connection.execute(
                text(f"SELECT term FROM {tables.vocabulary} WHERE term >= :a AND term < :b LIMIT {COMPLETIONS}"),  # noqa: S608
                # from just behind the word itself: the vocabulary counts the documents of each term that it passes
                {"a": begins + "\x01", "b": begins + chr(0x10FFFF)},
            )
            terms += completed.scalars()
        # what is quoted is a string to FTS5, whatever it holds
        parts.append("words:(" + " OR ".join(f'"{term}"' for term in terms) + ")")
    return " AND ".join(parts)
