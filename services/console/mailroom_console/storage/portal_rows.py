"""One row of a portal's own: what another portal owns is not found."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.principals import Principal
from mailroom_console.problems import not_found


async def portal_row(connection: AsyncConnection, table: Table, principal: Principal, row_id: str, noun: str) -> Any:
    """The row with this id in the principal's portal. Raises `Problem` 404, which calls it `noun`."""
    own = table.c.id == row_id, table.c.portal_id == principal.portal_id
    row = (await connection.execute(select(table).where(*own))).one_or_none()
    if row is None:
        raise not_found(noun)
    return row
