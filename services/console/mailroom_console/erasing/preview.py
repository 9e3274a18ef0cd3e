"""How much would go at once if a portal kept closed tickets, and their files, for so many days."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_, select

from mailroom_console.context import Console
from mailroom_console.portals.records import check_kept
from mailroom_console.principals import CONFIG, Principal

from .due import closed_before


async def would_go(
    console: Console, principal: Principal, *, tickets_kept_days: int | None, attachments_kept_days: int | None
) -> dict[str, int]:
    """`tickets` that would be erased now, `messages` in them, and `files_of_tickets`: of how many others the files would be
    removed. Raises `Problem` 422 for days that could not be saved.

    As `due` has it for each, but that of a merged ticket only the next one is looked at, not where that went on in turn.
    """
    principal.require(CONFIG)
    check_kept(tickets_kept_days, attachments_kept_days)
    now, t = console.now(), console.read.tables.tickets
    other = t.alias("other")

    def over(closed_at: ColumnElement[int | None], days: int) -> ColumnElement[bool]:
        return closed_at <= closed_before(days, now)

    found = {"tickets": 0, "messages": 0, "files_of_tickets": 0}
    joined = t.outerjoin(other, other.c.id == t.c.merged_into)
    mine = t.c.portal_id == principal.portal_id
    goes: ColumnElement[bool] | None = None
    async with console.database.read() as connection:
        if tickets_kept_days is not None:
            # a merged one goes after the one that it is shown in
            alone = or_(other.c.id.is_(None), over(other.c.closed_at, tickets_kept_days))
            goes = and_(over(t.c.closed_at, tickets_kept_days), alone)
            query = select(func.count(), func.coalesce(func.sum(t.c.message_count), 0)).select_from(joined)
            tickets, messages = (await connection.execute(query.where(mine, goes))).one()
            found |= {"tickets": int(tickets), "messages": int(messages)}
        if attachments_kept_days is not None:
            alone = or_(other.c.id.is_(None), over(other.c.closed_at, attachments_kept_days))
            query = select(func.count()).select_from(joined).where(
                mine, t.c.has_files, over(t.c.closed_at, attachments_kept_days), alone
            )  # fmt: skip
            if goes is not None:
                query = query.where(~goes)
            found["files_of_tickets"] = int(await connection.scalar(query) or 0)
    return found
