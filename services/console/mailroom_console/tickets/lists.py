"""Lists of tickets: newest change first, by keys. Each list is a union of short index ranges, whatever the size.

A leg is one status; where queues are chosen, each of them is a range of its own. So every range walks an index in order and
stops after one page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mailroom_mail import comparable
from sqlalchemy import ColumnElement, Select, Table, func, literal_column, select, true, union_all

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import READ, Principal
from mailroom_console.problems import invalid
from mailroom_console.read_model.words import addresses, searched_for
from mailroom_console.storage.paging import Page, cursor, keys_of
from mailroom_console.storage.read_schema import ReadTables
from mailroom_console.storage.schema import queues

from . import search as ticket_search
from .shape import summary

STATUSES = ("open", "pending", "closed")
VIEWS = ("waiting", "failed", "mine", "unassigned", "snoozed", "spam")
APART = ("snoozed", "spam")  # places beside the statuses: such tickets are in no other list
SORTS = ("newest", "oldest")


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for. `view`: waiting (the customer wrote last), failed, mine (not closed, unless `status` says so),
    unassigned, snoozed or spam. `since`: changed since then, microseconds. `sort`: newest or oldest change first."""

    queue_id: str | None = None
    status: str | None = None
    assignee_id: str | None = None
    unassigned: bool = False
    view: str | None = None
    q: str | None = None
    address_id: str | None = None
    tag: str | None = None
    customer: str | None = None
    since: int | None = None
    sort: str = "newest"


async def listed(
    console: Console, principal: Principal, filters: Filters, *, limit: int = 50, after: str | None = None
) -> Page:
    """Tickets of the queues that the principal sees. Raises `Problem` 422 for an unknown filter."""
    principal.require(READ)
    if filters.status is not None and filters.status not in STATUSES:
        raise invalid("status", say("A status is one of {names}.", names=", ".join(STATUSES)))
    if filters.view is not None and filters.view not in VIEWS:
        raise invalid("view", say("A view is one of {names}.", names=", ".join(VIEWS)))
    if filters.sort not in SORTS:
        raise invalid("sort", say("Sort by one of {names}.", names=", ".join(SORTS)))
    visible = await _queue_ids(console, principal, filters.queue_id)
    tables = console.read.tables
    phrases = searched_for(filters.q or "")
    if filters.q and filters.q.strip():
        if not phrases:
            return Page([])
        wanted = _conditions(tables, principal, filters, visible)
        narrow = _narrow(tables, principal, filters)
        return await ticket_search.found(
            console, principal, tables, wanted, phrases, addresses(filters.q), narrow, limit, after
        )
    legs = _legs(tables, principal, filters, visible)
    t = tables.tickets
    oldest = filters.sort == "oldest"
    bounded: list[Any] = []
    for leg in legs:
        keys = tables.tags if leg.tag else t  # what has the columns of the index that is walked
        order = tuple(c.asc() if oldest else c.desc() for c in (keys.c.updated_at, keys.c.seq))
        conditions = leg.conditions
        if after:
            updated, seq = keys_of(after, int, int)
            further = (keys.c.updated_at > updated) if oldest else (keys.c.updated_at < updated)
            beyond = (keys.c.seq > seq) if oldest else (keys.c.seq < seq)
            conditions += (further | ((keys.c.updated_at == updated) & beyond),)
            # lets the index start there
            conditions += (keys.c.updated_at >= updated if oldest else keys.c.updated_at <= updated,)
        if leg.tag:
            bounded.append(_tagged(tables, leg.tag, conditions, order, limit + 1))
        else:
            bounded.append(_bounded(t, conditions, order, limit + 1, leg.queue_ids, sqlite=console.database.sqlite))
    query: Any = union_all(*bounded) if len(bounded) > 1 else bounded[0]
    async with console.database.read() as connection:
        rows = list((await connection.execute(query)).all())
    rows.sort(key=lambda row: (row.updated_at, row.seq), reverse=not oldest)
    page = rows[:limit]
    following = cursor(page[-1].updated_at, page[-1].seq) if len(rows) > limit else None
    return Page([summary(row) for row in page], following)


@dataclass(frozen=True, slots=True)
class _Leg:
    """A range of an index, or one for each of these queues; the latter in one statement, whatever their number, since
    databases take some hundred parts of a union (SQLite 500)."""

    conditions: tuple[ColumnElement[bool], ...]
    queue_ids: list[str] | None = None
    tag: str = ""  # then the range is one of the tag's tickets


def _tagged(
    tables: ReadTables, tag: str, conditions: tuple[ColumnElement[bool], ...], order: tuple[Any, ...], limit: int
) -> Any:
    """So many of the tickets that have that tag, in its order."""
    t, g = tables.tickets, tables.tags
    joined = select(t).select_from(g.join(t, t.c.seq == g.c.seq)).where(g.c.tag == tag, *conditions)
    return select(joined.order_by(*order).limit(limit).subquery())


def _bounded(
    t: Table, conditions: tuple[ColumnElement[bool], ...], order: tuple[Any, ...], limit: int,
    queue_ids: list[str] | None, *, sqlite: bool,
) -> Any:  # fmt: skip
    """So many rows of each range, in its order."""
    if queue_ids is None:
        return select(select(t).where(*conditions).order_by(*order).limit(limit).subquery())
    each = select(queues.c.id).where(queues.c.id.in_(queue_ids)).subquery("each")
    ranges = select(t.c.seq).where(t.c.queue_id == each.c.id, *conditions).order_by(*order).limit(limit).correlate(each)
    if sqlite:  # knows no LATERAL, but walks the keys of a correlated IN
        found = t.alias("found")
        return select(found).select_from(each.join(found, found.c.seq.in_(ranges)))
    keys = ranges.lateral("keys")
    return select(t).select_from(each.join(keys, true()).join(t, t.c.seq == keys.c.seq))


def _legs(tables: ReadTables, principal: Principal, filters: Filters, visible: list[str]) -> list[_Leg]:
    t = tables.tickets
    flagged = filters.view in ("waiting", "failed")  # these have indexes of their own, which hold few
    tag = "" if flagged or not filters.tag else filters.tag.strip().lower()
    base: tuple[ColumnElement[bool], ...] = (
        t.c.portal_id == principal.portal_id,
        *_narrowing(tables, principal, replace(filters, tag=None) if tag else filters),
    )
    statuses = [filters.status] if filters.status else list(STATUSES)
    assignee = filters.assignee_id
    if filters.view == "mine":
        assignee = principal.agent_id or assignee or ""
        if not filters.status:
            statuses = ["open", "pending"]  # what is to be done; what is closed is asked for by its status
    if filters.view in APART:
        statuses = [str(filters.view)]
    everything = principal.queue_ids is None
    if flagged:
        flag: ColumnElement[bool] = literal_column("waiting") if filters.view == "waiting" else t.c.failed > 0
        extra: tuple[ColumnElement[bool], ...] = (flag,)
        if filters.status:
            extra += (t.c.place == filters.status,)
        if assignee:
            extra += (t.c.assignee_id == assignee,)
        if filters.unassigned:
            extra += (t.c.assignee_id.is_(None),)
        return [_Leg((*base, *extra), visible)]
    if filters.unassigned or filters.view == "unassigned":
        statuses = [filters.status] if filters.status else (["open"] if filters.view else list(STATUSES))
        base += (t.c.assignee_id.is_(None),)
    elif assignee is not None:
        everything = everything or assignee == principal.agent_id
        base += (t.c.assignee_id == assignee,)
    queue_ids = None if everything and not filters.queue_id else visible
    if queue_ids is not None and (tag or filters.address_id):  # a range by itself, whatever the queue
        base += (t.c.queue_id.in_(queue_ids),)
        queue_ids = None
    if tag:
        g = tables.tags
        of_tag = (*base, g.c.portal_id == principal.portal_id)
        return [_Leg((*of_tag, g.c.place == status, t.c.place == status), tag=tag) for status in statuses]
    return [_Leg((*base, t.c.place == status), queue_ids) for status in statuses]


def _narrowing(tables: ReadTables, principal: Principal, filters: Filters) -> tuple[ColumnElement[bool], ...]:
    """The filters that any list takes."""
    t, g = tables.tickets, tables.tags
    found: tuple[ColumnElement[bool], ...] = ()
    if filters.address_id:
        found += (t.c.address_id == filters.address_id,)
    if filters.customer:
        found += _of_customer(tables, principal, filters.customer)
    if filters.since is not None:
        found += (t.c.updated_at >= filters.since,)
    if filters.tag:
        found += (t.c.id.in_(select(g.c.ticket_id).where(*_of_tag(tables, principal, filters.tag))),)
    return found


def _of_tag(tables: ReadTables, principal: Principal, tag: str) -> tuple[ColumnElement[bool], ...]:
    g = tables.tags
    return (g.c.portal_id == principal.portal_id, g.c.tag == tag.strip().lower())


def _of_customer(tables: ReadTables, principal: Principal, customer: str) -> tuple[ColumnElement[bool], ...]:
    t = tables.tickets
    return (t.c.portal_id == principal.portal_id, t.c.customer_key == comparable(customer.strip()))


async def tags_used(console: Console, principal: Principal, limit: int = 200) -> list[str]:
    """The portal's tags, for completion and filters."""
    principal.require(READ)
    g = console.read.tables.tags
    query = select(g.c.tag, func.min(g.c.name).label("name")).where(g.c.portal_id == principal.portal_id)
    async with console.database.read() as connection:
        rows = await connection.execute(query.group_by(g.c.tag).order_by(g.c.tag).limit(limit))
        return [row.name for row in rows]


async def _queue_ids(console: Console, principal: Principal, queue_id: str | None) -> list[str]:
    """The queues that a list covers."""
    query = select(queues.c.id).where(queues.c.portal_id == principal.portal_id)
    if queue_id:
        query = query.where(queues.c.id == queue_id)
    async with console.database.read() as connection:
        found = list((await connection.execute(query.order_by(queues.c.id))).scalars())
    return [q for q in found if principal.sees(q)]


def _narrow(tables: ReadTables, principal: Principal, filters: Filters) -> Select[tuple[int]] | None:
    """The tickets of the tag or customer asked for, which an index has together."""
    t, g = tables.tickets, tables.tags
    if filters.customer:
        return select(t.c.seq).where(*_of_customer(tables, principal, filters.customer))
    if filters.tag:
        return select(g.c.seq).where(*_of_tag(tables, principal, filters.tag))
    return None


def _conditions(
    tables: ReadTables, principal: Principal, filters: Filters, visible: list[str]
) -> list[ColumnElement[bool]]:
    """The filters of a search, for tickets that hold the words already."""
    t = tables.tickets
    found: list[ColumnElement[bool]] = [t.c.portal_id == principal.portal_id, *_narrowing(tables, principal, filters)]
    assignee = principal.agent_id if filters.view == "mine" else filters.assignee_id
    if filters.status:
        found.append(t.c.place == filters.status)
    if assignee:
        found.append(t.c.assignee_id == assignee)
    if filters.unassigned or filters.view == "unassigned":
        found.append(t.c.assignee_id.is_(None))
    if filters.view == "waiting":
        found.append(t.c.waiting)
    if filters.view == "failed":
        found.append(t.c.failed > 0)
    if filters.view in APART:
        found.append(t.c.place == filters.view)
    if principal.queue_ids is not None or filters.queue_id:
        found.append(t.c.queue_id.in_(visible))
    return found
