"""Full-text search over tickets: whole words first, then beginnings (of addresses only where none is so written); within each the newest ticket first, by keys, and
never through more hits than a page needs.

SQLite walks its full-text index backwards and lazily as long as whole terms are asked for; a prefix would merge all
its terms first. So the beginning of a word is completed from the index's vocabulary to a few whole terms. Every word bears its
portal (`read_model.words.scope`): neither index is ever walked through another portal's words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Container, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import BigInteger, ColumnElement, Select, any_, func, literal, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.context import Console
from mailroom_console.principals import Principal
from mailroom_console.read_model.told import SEARCHED_CHARACTERS
from mailroom_console.read_model.words import Piece, marked, may_begin, scope
from mailroom_console.storage.paging import Page, search_cursor, search_place
from mailroom_console.storage.read_schema import ReadTables

from .shape import summary

Phrase = tuple[str, ...]
COMPLETIONS = 12  # words that a beginning stands for
FIRST_BATCH = 50
WINDOW = 10  # tickets for each hit that are looked through one by one: words in every tenth are common
MOST_HITS = 20_000  # looked at for one page; what filters leave out counts too
FEW = 500  # tickets that pass a filter: these are looked through for the words, not the hits for the filter
LOOKED_THROUGH = 6  # messages of a ticket, the latest, for the place of a hit
EXCERPT = 200  # characters
LAST_RESORT = 2  # the stage of a search that is begun only where those before found nothing
_END = 2**62


async def found(
    console: Console, principal: Principal, tables: ReadTables, conditions: Sequence[ColumnElement[bool]],
    phrases: Sequence[Phrase], addresses: Container[Phrase], narrow: Select[tuple[int]] | None, limit: int, after: str | None,
) -> Page:  # fmt: skip
    """Tickets that hold every phrase. A page may be short and still have a `next` when few hits pass the filters.

    `addresses`: phrases that are sought as they are while any ticket has them so. `narrow`: the numbers (`seq`) of all
    tickets that can pass the conditions, where an index tells quickly whether they are few.
    """
    stage, before = search_place(after) if after else (0, _END)
    sqlite = console.database.sqlite
    rows: list[tuple[int, Any]] = []
    more: Sequence[Any]
    following: str | None = None
    async with console.database.read() as connection:
        mine = scope(principal.portal_id)
        few = await _few(connection, narrow)
        for number, match in await _stages(connection, tables, mine, phrases, addresses, sqlite=sqlite):
            if number < stage or (number == LAST_RESORT and (rows or (after and stage < number))):
                continue
            wanted = limit + 1 - len(rows)
            if few is None:
                more, rest = await _walk(connection, tables, match, before, wanted, conditions, sqlite=sqlite)
            else:
                hits = await _hits_among(connection, tables, match, before, few, sqlite=sqlite)
                more, rest = await _passing(connection, tables, hits, wanted, conditions, sqlite=sqlite), None
            rows += [(number, row) for row in more]
            if len(rows) > limit:
                following = search_cursor(rows[limit - 1][0], rows[limit - 1][1].seq)
                break
            if rest is not None:
                following = search_cursor(number, rest)
                break
            before = _END
        items = [summary(row) for _, row in rows[:limit]]
        await _mark(connection, tables, items, phrases)
    return Page(items, following)


async def _walk(
    connection: AsyncConnection, tables: ReadTables, match: str, before: int, wanted: int,
    conditions: Sequence[ColumnElement[bool]], *, sqlite: bool,
) -> tuple[list[Any], int | None]:  # fmt: skip
    """The newest tickets below `before`, and where to go on when looking ended before the hits did."""
    rows: list[Any] = []
    looked, batch = 0, max(FIRST_BATCH, wanted)
    common = not sqlite  # until looking says otherwise
    while len(rows) < wanted:
        if looked >= MOST_HITS:
            return rows, before
        hits: list[int] = []
        if common:
            hits = await _newest_hits(connection, tables, match, before, batch)
            common = len(hits) == batch
        if not common:
            hits = await _hits(connection, tables, match, before, batch, sqlite=sqlite)
        looked += len(hits)
        rows += await _passing(connection, tables, hits, wanted - len(rows), conditions, sqlite=sqlite)
        if len(hits) < batch:
            break
        before, batch = hits[-1], min(batch * 4, 5_000)
    return rows, None


async def _few(connection: AsyncConnection, narrow: Select[tuple[int]] | None) -> list[int] | None:
    """All those tickets, where they are few."""
    if narrow is None:
        return None
    found: list[int] = list((await connection.execute(narrow.limit(FEW + 1))).scalars())  # type: ignore[arg-type]
    return found if len(found) <= FEW else None


async def _passing(
    connection: AsyncConnection, tables: ReadTables, hits: Sequence[int], wanted: int,
    conditions: Sequence[ColumnElement[bool]], *, sqlite: bool,
) -> Sequence[Any]:  # fmt: skip
    """The newest of these tickets that pass the filters."""
    t = tables.tickets
    query = select(t).where(_among(t.c.seq, hits, sqlite=sqlite), *conditions).order_by(t.c.seq.desc())
    return (await connection.execute(query.limit(wanted))).all()


def _among(column: Any, numbers: Sequence[int], *, sqlite: bool) -> ColumnElement[bool]:
    """Whether it is one of these, as one parameter: thousands of them take longer to be written than to be looked up."""
    if sqlite:
        listed = func.json_each(json.dumps(list(numbers))).table_valued("value")
        return cast(ColumnElement[bool], column.in_(select(listed.c.value)))
    return cast(ColumnElement[bool], column == any_(literal(list(numbers), postgresql.ARRAY(BigInteger))))


async def _hits(
    connection: AsyncConnection, tables: ReadTables, match: str, before: int, count: int, *, sqlite: bool
) -> list[int]:
    """The newest tickets below `before` that hold the words."""
    if sqlite:
        statement = (
            f"SELECT rowid FROM {tables.search} WHERE {tables.search} MATCH :match AND rowid < :before "  # noqa: S608
            "ORDER BY rowid DESC LIMIT :count"
        )
    else:  # materialised, so that the words' index is asked: what the planner knows of beginnings is a guess. Without
        # the place, or a plan for any parameters (the sixth time on) asks the tickets' keys for all that are below it.
        statement = (
            f"WITH hits AS MATERIALIZED (SELECT seq FROM {tables.tickets.name} WHERE search @@ CAST(:match AS tsquery)) "  # noqa: S608
            "SELECT seq FROM hits WHERE seq < :before ORDER BY seq DESC LIMIT :count"
        )
    found = await connection.execute(text(statement), {"match": match, "before": before, "count": count})
    return list(found.scalars())


async def _hits_among(
    connection: AsyncConnection, tables: ReadTables, match: str, before: int, few: Sequence[int], *, sqlite: bool
) -> list[int]:
    """Those of a few tickets that are below `before` and hold the words."""
    if sqlite:
        statement = (
            f"SELECT rowid FROM {tables.search} WHERE {tables.search} MATCH :match "  # noqa: S608
            "AND rowid IN (SELECT value FROM json_each(:few)) AND rowid < :before"
        )
    else:  # materialised, so that the words' index is not asked: it would give all tickets that have a common word
        statement = (
            f"WITH few AS MATERIALIZED (SELECT seq, search FROM {tables.tickets.name} "  # noqa: S608
            "WHERE seq = ANY(CAST(:few AS bigint[])) AND seq < :before) "
            "SELECT seq FROM few WHERE search @@ CAST(:match AS tsquery)"
        )
    listed = json.dumps(list(few)) if sqlite else list(few)
    return list(
        (await connection.execute(text(statement), {"match": match, "before": before, "few": listed})).scalars()
    )


async def _newest_hits(
    connection: AsyncConnection, tables: ReadTables, match: str, before: int, count: int
) -> list[int]:
    """PostgreSQL: those among the next tickets below `before`. Enough where the words are common, whose index would give
    them all; where it is too few, they are rare, and their index gives them quickly."""
    name = tables.tickets.name
    statement = (
        f"SELECT seq FROM (SELECT seq, search FROM {name} WHERE seq < :before ORDER BY seq DESC LIMIT :window) AS few "  # noqa: S608
        "WHERE search @@ CAST(:match AS tsquery) ORDER BY seq DESC LIMIT :count"
    )
    given = {"match": match, "before": before, "count": count, "window": count * WINDOW}
    return list((await connection.execute(text(statement), given)).scalars())


async def _stages(
    connection: AsyncConnection, tables: ReadTables, mine: str, phrases: Sequence[Phrase],
    addresses: Container[Phrase], *, sqlite: bool,
) -> list[tuple[int, str]]:  # fmt: skip
    """The queries for whole words; for those that are only beginnings; and for addresses that are beginnings too, as the
    last resort: nearly every ticket has an address that ends as the one asked for."""
    pairs = [await _sqlite(connection, tables, mine, p) if sqlite else _postgresql(mine, p) for p in phrases]
    both, without = (" AND ", "({}) NOT ({})") if sqlite else (" & ", "{} & !({})")
    whole = both.join(as_is for as_is, _ in pairs)
    begun = both.join(pair[p not in addresses] for pair, p in zip(pairs, phrases, strict=True))
    last = both.join(begins for _, begins in pairs)
    found = [(0, whole)]
    if begun != whole:
        found.append((1, without.format(begun, whole)))
    if last != begun:
        found.append((LAST_RESORT, last))
    return found


async def _sqlite(connection: AsyncConnection, tables: ReadTables, mine: str, phrase: Phrase) -> tuple[str, str]:
    """A phrase for FTS5: as it is, and as a beginning; the same where nothing else begins so."""
    *first, last = (mine + word for word in phrase)
    ends = await _completed(connection, tables, last) if may_begin(phrase[-1]) else []
    whole = _quoted([*first, last])
    return whole, "(" + " OR ".join([whole, *(_quoted([*first, end]) for end in ends)]) + ")" if ends else whole


def _quoted(words: Sequence[str]) -> str:
    """A phrase as FTS5 takes it; words have letters and digits only."""
    return '"' + " ".join(words) + '"'


async def _completed(connection: AsyncConnection, tables: ReadTables, begins: str) -> list[str]:
    """Words of the portal that begin so."""
    found = await connection.execute(
        text(f"SELECT term FROM {tables.vocabulary} WHERE term >= :a AND term < :b LIMIT {COMPLETIONS}"),  # noqa: S608
        # from just behind the word itself: the vocabulary counts the documents of each term that it passes
        {"a": begins + "\x01", "b": begins + chr(0x10FFFF)},
    )
    return list(found.scalars())


def _postgresql(mine: str, phrase: Phrase) -> tuple[str, str]:
    """The same as PostgreSQL writes a tsquery."""
    *first, last = (f"'{mine}{word}'" for word in phrase)
    whole = "(" + " <-> ".join([*first, last]) + ")"
    return whole, "(" + " <-> ".join([*first, f"{last}:*"]) + ")" if may_begin(phrase[-1]) else whole


async def _mark(
    connection: AsyncConnection, tables: ReadTables, items: Sequence[dict[str, Any]], phrases: Sequence[Phrase],
) -> None:  # fmt: skip
    """Give each ticket `found`: what was found in its subject, and in an excerpt of what was written."""
    elsewhere: dict[str, dict[str, Any]] = {}
    for item in items:
        subject, excerpt = marked(item["subject"], phrases), marked(item["snippet"], phrases)
        item["found"] = _shown(subject, excerpt)
        if not excerpt and not all(marked(item["subject"], [phrase]) for phrase in phrases):
            elsewhere[item["id"]] = item
    rows = await _latest(connection, tables, list(elsewhere))
    await asyncio.to_thread(_mark_written, elsewhere, rows, phrases)


def _mark_written(elsewhere: Mapping[str, dict[str, Any]], rows: Sequence[Any], phrases: Sequence[Phrase]) -> None:
    """Give those tickets the excerpt of the latest message in which something was found. Fifty tickets with long
    conversations are some ten megabytes, so not on the loop."""
    for row in rows:
        item = elsewhere[row.ticket_id]
        if item["found"]["excerpt"]:
            continue
        document = json.loads(row.document)
        written = str(document.get("reply_text") or document.get("text") or "")[:SEARCHED_CHARACTERS]
        if excerpt := marked(" ".join(written.split()), phrases, around=EXCERPT):
            item["found"]["excerpt"] = _shown([], excerpt)["excerpt"]


async def _latest(connection: AsyncConnection, tables: ReadTables, ids: Sequence[str]) -> Sequence[Any]:
    """The latest messages of these tickets, the latest first."""
    if not ids:
        return []
    m = tables.messages
    place = func.row_number().over(partition_by=m.c.ticket_id, order_by=m.c.at.desc()).label("place")
    latest = (
        select(m.c.ticket_id, m.c.document, place).where(m.c.ticket_id.in_(ids), m.c.kind != "auto_reply").subquery()
    )
    rows = await connection.execute(
        select(latest.c.ticket_id, latest.c.document).where(latest.c.place <= LOOKED_THROUGH).order_by(latest.c.place)
    )
    return rows.all()


def _shown(subject: Sequence[Piece], excerpt: Sequence[Piece]) -> dict[str, list[dict[str, Any]]]:
    return {
        "subject": [{"text": piece, "hit": hit} for piece, hit in subject],
        "excerpt": [{"text": piece, "hit": hit} for piece, hit in excerpt],
    }
