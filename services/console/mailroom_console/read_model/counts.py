"""Numbers for lists and rails: how much waits where, mails in and out today. Counting ends at a limit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, union_all

from mailroom_console import times
from mailroom_console.principals import Principal
from mailroom_console.storage.database import Database
from mailroom_console.storage.read_schema import ReadTables

MANY_QUEUES = 50  # from here on all are counted in one pass, up to a limit that is looked at quickly
MOST_COUNTED = 200_000
COUNT_LIMIT = 1000  # a rail says "999+" rather than counting a million


def _capped(number: int) -> int:
    return min(COUNT_LIMIT, number)


class ReadCounts:
    """Counts from the generation that is shown."""

    tables: ReadTables
    _database: Database

    async def queue_counts(self, portal_id: str, queue_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Of each queue: `waiting` (open, nobody has it) and `open`."""
        t = self.tables.tickets
        found: dict[str, dict[str, int]] = {queue_id: {} for queue_id in queue_ids}
        if len(queue_ids) > MANY_QUEUES:
            of_portal = (t.c.portal_id == portal_id, t.c.place == "open")
            open_ = await self._by_queue(of_portal)
            waiting = await self._by_queue((*of_portal, t.c.assignee_id.is_(None)))
            return {q: {"open": _capped(open_.get(q, 0)), "waiting": _capped(waiting.get(q, 0))} for q in queue_ids}
        asked: list[tuple[str, str, tuple[ColumnElement[bool], ...]]] = []
        for queue_id in queue_ids:
            base = (t.c.portal_id == portal_id, t.c.queue_id == queue_id, t.c.place == "open")
            asked += [(queue_id, "open", base), (queue_id, "waiting", (*base, t.c.assignee_id.is_(None)))]
        for key, name, number in await self._counted(asked):
            found[key][name] = number
        return found

    async def rail(self, principal: Principal, queue_ids: Sequence[str]) -> dict[str, int]:
        """Counts for the rail: mine, unassigned, waiting, failed, over the queues that the principal sees."""
        t = self.tables.tickets
        asked: list[tuple[str, str, tuple[ColumnElement[bool], ...]]] = []
        portal = t.c.portal_id == principal.portal_id
        if principal.agent_id is not None:
            asked += [
                ("mine", "n", (portal, t.c.assignee_id == principal.agent_id, t.c.place == status))
                for status in ("open", "pending")
            ]
        totals = {"mine": 0, "unassigned": 0, "waiting": 0, "failed": 0}
        if len(queue_ids) > MANY_QUEUES:
            seen = set(queue_ids)
            for name, conditions in (
                ("unassigned", (portal, t.c.place == "open", t.c.assignee_id.is_(None))),
                ("waiting", (portal, t.c.waiting)),
                ("failed", (portal, t.c.failed > 0)),
            ):
                counted = await self._by_queue(conditions)
                totals[name] = _capped(sum(number for queue, number in counted.items() if queue in seen))
            queue_ids = ()
        for queue_id in queue_ids:
            base = (portal, t.c.queue_id == queue_id)
            asked += [
                ("unassigned", "n", (*base, t.c.place == "open", t.c.assignee_id.is_(None))),
                ("waiting", "n", (*base, t.c.waiting)),
                ("failed", "n", (*base, t.c.failed > 0)),
            ]
        for key, _, number in await self._counted(asked):
            totals[key] = min(COUNT_LIMIT, totals[key] + number)
        return totals

    async def seen_by(self, principal: Principal, ticket_ids: Collection[str]) -> set[str]:
        """Those of the tickets that the principal sees."""
        t = self.tables.tickets
        wanted = sorted(ticket_ids)
        found: set[str] = set()
        async with self._database.read() as connection:
            for start in range(0, len(wanted), 400):
                query = select(t.c.id, t.c.queue_id, t.c.assignee_id).where(
                    t.c.id.in_(wanted[start : start + 400]), t.c.portal_id == principal.portal_id
                )
                rows = await connection.execute(query)
                found |= {row.id for row in rows if principal.sees(row.queue_id, row.assignee_id)}
        return found

    async def unclosed_in(self, portal_id: str, queue_id: str) -> bool:
        """Whether a queue holds a ticket that is not closed."""
        t = self.tables.tickets
        query = select(literal(1)).where(
            t.c.portal_id == portal_id, t.c.queue_id == queue_id, t.c.status.in_(("open", "pending"))
        )
        async with self._database.read() as connection:
            return (await connection.execute(query.limit(1))).first() is not None

    async def mails_today(self, portal_id: str, now: int) -> dict[str, dict[str, Any]]:
        """Of each address: mails `in` and `out` since midnight UTC, and `hours`, [in, out] of each hour."""
        c = self.tables.counters
        query = select(c).where(c.c.portal_id == portal_id, c.c.day == times.day_of(now))
        found: dict[str, dict[str, Any]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                mails = found.setdefault(row.address_id, {"in": 0, "out": 0, "hours": [[0, 0] for _ in range(24)]})
                mails["in"] += row.mails_in
                mails["out"] += row.mails_out
                mails["hours"][row.hour] = [row.mails_in, row.mails_out]
        return found

    async def _by_queue(self, conditions: tuple[ColumnElement[bool], ...]) -> dict[str, int]:
        """Tickets of each queue, in one pass: a statement that asks for each queue by itself has a part for each, and
        databases take some hundred parts (SQLite 500)."""
        some = select(self.tables.tickets.c.queue_id).where(*conditions).limit(MOST_COUNTED).subquery()
        query = select(some.c.queue_id, func.count().label("n")).group_by(some.c.queue_id)
        async with self._database.read() as connection:
            return {row.queue_id: row.n for row in await connection.execute(query)}

    async def _counted(
        self, asked: Sequence[tuple[str, str, tuple[ColumnElement[bool], ...]]]
    ) -> list[tuple[str, str, int]]:
        if not asked:
            return []
        t = self.tables.tickets
        legs = []
        for position, (_, _, conditions) in enumerate(asked):
            inner = select(literal(1).label("one")).select_from(t).where(*conditions).limit(COUNT_LIMIT).subquery()
            legs.append(select(literal(position).label("p"), func.count().label("n")).select_from(inner))
        async with self._database.read() as connection:
            rows = (await connection.execute(union_all(*legs))).all()
        return [(asked[row.p][0], asked[row.p][1], row.n) for row in rows]
