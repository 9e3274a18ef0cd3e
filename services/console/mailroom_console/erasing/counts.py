"""What an erasure has removed, by kind of thing, in its record."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console.storage.schema import erasures


async def add(connection: AsyncConnection, erasure: str, counted: Mapping[str, int]) -> None:
    """So many more were removed."""
    e = erasures
    removed = dict(await connection.scalar(select(e.c.removed).where(e.c.id == erasure)) or {})
    removed |= {name: removed.get(name, 0) + number for name, number in counted.items()}
    await connection.execute(update(e).where(e.c.id == erasure).values(removed=removed))
