"""Loads and saves the rows that `projection` works on: few statements for a whole batch, all in one transaction.

It blocks: for `Database.transact`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from mailroom_contracts import TicketEvent, TicketMessage
from mailroom_mail import comparable
from mailroom_runtime.bus.copies import Missed
from mailroom_runtime.forgotten import Forgotten
from sqlalchemy import Connection, Table, and_, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from mailroom_console.storage.read_schema import SEQUENCE, ReadTables

from .addressed import addressed
from .persons import without_person
from .projection import Batch, Row
from .told import TELLING, excerpt, searched
from .words import APART, indexed

CHUNK = 400
_AFTER = {
    True: "'secure-delete', 0",
    False: "'optimize'",
}  # of words that were deleted, by whether SQLite is 3.42 or newer
# Words of a ticket, of 40 letters of four bytes at most: 5,000 of them stay below a tsvector's 1 MB.
MOST_LEXEMES = 2_500
_TICKET_CHANGES = (
    "queue_id", "status", "assignee_id", "gmail_thread_id", "updated_at", "version", "message_count", "last_text",
    "customer_at", "answered_at", "waiting", "failed", "place", "tags", "snoozed_until", "merged_into", "spam", "answers",
    "closed_at", "has_files",
)  # fmt: skip


def load(connection: Connection, tables: ReadTables, events: Sequence[TicketEvent]) -> Batch:
    """The rows that these events are about."""
    ticket_ids, message_ids = addressed(events)
    t, m = tables.tickets, tables.messages
    tickets: dict[str, Row] = {}
    for chunk in _chunks(ticket_ids):
        for row in connection.execute(select(t).where(t.c.id.in_(chunk))):
            tickets[row.id] = dict(row._mapping)
    messages: dict[str, Row] = {}
    wanted = select(m.c.id, m.c.ticket_id, m.c.address_id, m.c.outbound_id, m.c.delivery_state, m.c.delivery,
                    m.c.version)  # fmt: skip
    for chunk in _chunks(message_ids):
        for row in connection.execute(wanted.where(m.c.id.in_(chunk))):
            messages[row.id] = dict(row._mapping)
    return Batch(tickets, messages)


def save(connection: Connection, tables: ReadTables, batch: Batch, *, sqlite_: bool) -> None:
    """Write what the batch changed."""
    t, m = tables.tickets, tables.messages
    _erase(connection, tables, batch.erased, sqlite_)
    for ticket_id, person in batch.forgotten:
        _take_out(connection, tables, ticket_id, person)
    if batch.new_tickets:
        numbers = _numbers(connection, t, len(batch.new_tickets), sqlite_)
        for row, number in zip(batch.new_tickets.values(), numbers, strict=True):
            row["seq"] = number
        connection.execute(insert(t), [_storable(row) for row in batch.new_tickets.values()])
    if changed := batch.changed_tickets - batch.new_tickets.keys():
        statement = update(t).where(t.c.seq == bindparam("b_seq")).values(
            {name: bindparam(f"b_{name}", type_=t.c[name].type) for name in _TICKET_CHANGES}
        )  # fmt: skip
        connection.execute(
            statement,
            [_storable({f"b_{n}": batch.tickets[i][n] for n in ("seq", *_TICKET_CHANGES)}) for i in changed],
        )
    if batch.new_messages:
        connection.execute(
            insert(m),
            [_storable({k: v for k, v in row.items() if k != "from_email"}) for row in batch.new_messages.values()],
        )
    if batch.changed_messages:
        names = ("outbound_id", "delivery_state", "delivery", "version")
        statement = update(m).where(m.c.id == bindparam("b_id")).values({n: bindparam(f"b_{n}") for n in names})
        connection.execute(
            statement, [{f"b_{n}": row[n] for n in ("id", *names)} for row in batch.changed_messages.values()]
        )
    for message_id, to_ticket in batch.split:
        connection.execute(update(m).where(m.c.id == message_id).values(split_to=to_ticket))
        if (left := connection.scalar(select(m.c.ticket_id).where(m.c.id == message_id))) is not None:
            _last_text(connection, tables, left)
    for ticket_id in {ticket_id for ticket_id, _ in batch.forgotten}:
        _last_text(connection, tables, ticket_id)
    for name, days in batch.without_files.items():
        connection.execute(update(m).where(m.c.id == name).values(files_removed=days))
    _tag(connection, tables.tags, batch)
    for ticket_id, email in batch.confirmed:
        _confirm(connection, m, ticket_id, email)
    _once(connection, tables.history, batch.history.values(), ["id", "ticket_id"], sqlite_)
    _once(connection, tables.bounces, batch.bounces.values(), ["id"], sqlite_)
    _search(connection, tables, batch, sqlite_)
    # last, since other partitions write the same rows: who has changed one holds it up until the transaction ends
    _outcomes(connection, tables.outcomes, batch, sqlite_)
    _count(connection, tables, batch, sqlite_)


def save_offsets(
    connection: Connection, table: Table, expected: dict[int, int], offsets: dict[int, int], missed: dict[int, Missed]
) -> bool:
    """Where each partition goes on, and the offsets of which copies are new to these tables.

    False, and the transaction is to be rolled back, where one does not stand at what is expected: somebody else writes
    it now. To be called first: from here on nobody else can, until the transaction ends.
    """
    for p in sorted(offsets):
        moved = connection.execute(
            update(table).where(table.c.partition == p, table.c.next_offset == expected[p])
            .values(next_offset=offsets[p], missed_from=missed[p].first, missed_to=missed[p].end)
        )  # fmt: skip
        if moved.rowcount != 1:
            return False
    return True


def clear(connection: Connection, tables: ReadTables, *, sqlite_: bool) -> None:
    """Empty a generation."""
    if sqlite_:
        for table in tables.all:
            connection.execute(delete(table))
        connection.exec_driver_sql(f"DELETE FROM {tables.search}")  # noqa: S608 - a name of ours
    else:
        connection.exec_driver_sql("TRUNCATE " + ", ".join(t.name for t in tables.all))


def _erase(connection: Connection, tables: ReadTables, erased: set[str], sqlite_: bool) -> None:
    """Nothing of these tickets stays."""
    for chunk in _chunks(erased):
        if sqlite_:
            _erase_words(connection, tables, chunk)
        for table in (tables.messages, tables.tags, tables.history, tables.outcomes, tables.bounces):
            connection.execute(delete(table).where(table.c.ticket_id.in_(chunk)))
        connection.execute(delete(tables.tickets).where(tables.tickets.c.id.in_(chunk)))


def _take_out(connection: Connection, tables: ReadTables, ticket_id: str, person: Forgotten) -> None:
    """A person is in none of the ticket's stored messages and history any more."""
    for table in (tables.messages, tables.history):
        rows = connection.execute(select(table).where(table.c.ticket_id == ticket_id)).all()
        for row in rows:
            if changed := without_person(dict(row._mapping), person):
                mine = (table.c.id == row.id, table.c.ticket_id == ticket_id)
                connection.execute(update(table).where(*mine).values(**changed))


def _erase_words(connection: Connection, tables: ReadTables, tickets: list[str]) -> None:
    name = tables.search
    secure = sqlite3.sqlite_version_info >= (3, 42)
    # else the words would stay in the index until its parts are merged some day
    if secure:
        connection.exec_driver_sql(f"INSERT INTO {name} ({name}, rank) VALUES ('secure-delete', 1)")  # noqa: S608
    query = select(tables.tickets.c.seq).where(tables.tickets.c.id.in_(tickets))
    for seq in connection.execute(query).scalars().all():
        connection.execute(text(f"DELETE FROM {name} WHERE rowid = :seq"), {"seq": seq})  # noqa: S608
    connection.exec_driver_sql(f"INSERT INTO {name} ({name}{', rank' if secure else ''}) VALUES ({_AFTER[secure]})")  # noqa: S608


def _last_text(connection: Connection, tables: ReadTables, ticket_id: str) -> None:
    """What lists show of a ticket is the last mail that is still in it."""
    t, m = tables.tickets, tables.messages
    stays = select(m.c.document).where(m.c.ticket_id == ticket_id, m.c.split_to.is_(None), m.c.kind.in_(TELLING))
    last = connection.scalar(stays.order_by(m.c.at.desc(), m.c.version.desc()).limit(1))
    document = json.loads(last) if last is not None else {}
    shown = excerpt(document.get("reply_text") or document.get("text") or "")
    connection.execute(update(t).where(t.c.id == ticket_id).values(last_text=shown))


def _confirm(connection: Connection, m: Table, ticket_id: str, email: str) -> None:
    rows = connection.execute(select(m.c.id, m.c.document).where(m.c.ticket_id == ticket_id, m.c.new_sender))
    for row in rows.all():
        document = json.loads(row.document)
        author = document.get("written_by") or document.get("from") or {}
        if comparable(str(author.get("email", ""))) == email:
            connection.execute(update(m).where(m.c.id == row.id).values(new_sender=False))


def _tag(connection: Connection, table: Table, batch: Batch) -> None:
    """The tags of tickets whose tags changed, and those of tickets that have some and changed otherwise."""
    changed = {i: batch.tickets[i] for i in batch.changed_tickets if i in batch.tickets and batch.tickets[i]["tags"]}
    tagged = batch.tagged | changed
    for chunk in _chunks(tagged):
        connection.execute(delete(table).where(table.c.ticket_id.in_(chunk)))
    rows = [
        {"ticket_id": ticket_id, "tag": tag.lower(), "portal_id": ticket["portal_id"], "name": tag,
         "seq": ticket["seq"], "place": ticket["place"], "updated_at": ticket["updated_at"]}
        for ticket_id, ticket in tagged.items()
        for tag in ticket["tags"]
    ]  # fmt: skip
    if rows:
        connection.execute(insert(table), rows)


def _once(connection: Connection, table: Table, rows: Iterable[Row], key: list[str], sqlite_: bool) -> None:
    """Insert rows that are not there yet."""
    if values := [_storable(row) for row in rows]:
        statement: Any = sqlite.insert(table) if sqlite_ else postgresql.insert(table)
        connection.execute(statement.on_conflict_do_nothing(index_elements=key), values)


def _numbers(connection: Connection, t: Table, new: int, sqlite_: bool) -> Sequence[int]:
    """Numbers for so many new tickets. They say nothing but which came about when: other writers take some between."""
    if sqlite_:
        last = int(connection.scalar(select(func.max(t.c.seq))) or 0)
        return range(last + 1, last + 1 + new)
    taken = text(f"SELECT nextval('{SEQUENCE}') FROM generate_series(1, :new)")  # noqa: S608 - a name of ours
    return connection.execute(taken, {"new": new}).scalars().all()


def _outcomes(connection: Connection, table: Table, batch: Batch, sqlite_: bool) -> None:
    """The first event of each cause. Where two tickets have one, on partitions of two writers, whichever writes first:
    the earlier one stays."""
    rows = [_storable(batch.outcomes[cause]) for cause in sorted(batch.outcomes)]
    if not rows:
        return
    statement: Any = sqlite.insert(table) if sqlite_ else postgresql.insert(table)
    new, old = statement.excluded, table.c
    names = ("ticket_id", "type", "code", "reason", "message_id", "at")
    earlier = or_(new.at < old.at, and_(new.at == old.at, new.ticket_id < old.ticket_id))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["causation_id"], set_={name: new[name] for name in names}, where=earlier
        ),
        rows,
    )


def _count(connection: Connection, tables: ReadTables, batch: Batch, sqlite_: bool) -> None:
    if not batch.counters:
        return
    c = tables.counters
    rows = [
        {"address_id": address, "day": day, "hour": hour, "portal_id": portal, "mails_in": n_in, "mails_out": n_out}
        for (address, day, hour, portal), (n_in, n_out) in sorted(batch.counters.items())
    ]
    statement: Any = sqlite.insert(c) if sqlite_ else postgresql.insert(c)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["address_id", "day", "hour"],
            set_={"mails_in": c.c.mails_in + statement.excluded.mails_in,
                  "mails_out": c.c.mails_out + statement.excluded.mails_out},
        ),
        rows,
    )  # fmt: skip


def _search_anew(connection: Connection, tables: ReadTables, batch: Batch, sqlite_: bool) -> None:
    """The words of tickets that somebody was taken out of are collected from what is there now."""
    m = tables.messages
    for ticket_id in {ticket_id for ticket_id, _ in batch.forgotten if ticket_id in batch.tickets}:
        ticket = batch.tickets[ticket_id]
        found = connection.scalars(select(m.c.document).where(m.c.ticket_id == ticket_id).order_by(m.c.at, m.c.id))
        words = [ticket["number"], ticket["subject"], ticket["customer_name"], ticket["customer_email"]]
        batch.searchable[ticket_id] = words + [
            w for one in found for w in searched(TicketMessage.model_validate_json(one))
        ]
        if ticket_id in batch.new_tickets:
            continue
        if sqlite_:
            _erase_words(connection, tables, [ticket_id])
            anew = f"INSERT INTO {tables.search} (rowid, words) VALUES (:seq, '')"  # noqa: S608 - a name of ours
        else:
            anew = f"UPDATE {tables.tickets.name} SET search = NULL WHERE seq = :seq"  # noqa: S608 - a name of ours
        connection.execute(text(anew), {"seq": ticket["seq"]})


def _search(connection: Connection, tables: ReadTables, batch: Batch, sqlite_: bool) -> None:
    _search_anew(connection, tables, batch, sqlite_)
    new: list[Row] = []
    more: list[Row] = []
    for ticket_id, texts in batch.searchable.items():
        ticket = batch.tickets[ticket_id]
        words = indexed(texts, ticket["portal_id"], None if sqlite_ else MOST_LEXEMES)
        row = {"seq": ticket["seq"], "words": " ".join(words) if sqlite_ else _tsvector(words)}
        (new if ticket_id in batch.new_tickets else more).append(row)
    if sqlite_:
        name = tables.search
        if new:
            connection.execute(text(f"INSERT INTO {name} (rowid, words) VALUES (:seq, :words)"), new)  # noqa: S608
        if more:
            connection.execute(
                text(f"UPDATE {name} SET words = words || ' {APART} ' || :words WHERE rowid = :seq"),  # noqa: S608
                more,
            )
        return
    for row in new + more:
        connection.execute(
            text(
                f"UPDATE {tables.tickets.name} SET search = "  # noqa: S608
                "coalesce(search, ''::tsvector) || CAST(:words AS tsvector) "
                f"WHERE seq = :seq AND coalesce(length(search), 0) < {MOST_LEXEMES}"
            ),
            row,
        )


def _tsvector(words: Sequence[str]) -> str:
    """The words with their places, as PostgreSQL writes it. The first place stays free: so no phrase begins in one change
    and ends in the next."""
    return " ".join(f"'{word}':{place}" for place, word in enumerate(words, 2) if word != APART)


def _storable(row: Row) -> Row:
    """The row as every database keeps it: PostgreSQL takes no NUL in a text."""
    if any(isinstance(value, str) and "\0" in value for value in row.values()):
        return {key: value.replace("\0", "") if isinstance(value, str) else value for key, value in row.items()}
    return row


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    everything = sorted(values)
    for start in range(0, len(everything), CHUNK):
        yield everything[start : start + CHUNK]
