"""Carries out what was asked to be forgotten. Each step finds what is still there, so a crash at any point is gone on from.

Tickets first: their blobs, then a command to the router, which deletes the state and says `ticket.erased`; with that the
read model deletes its rows. Once none is left, a person is taken out of other customers' tickets; then what else there is, and
the request is done.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mailroom_contracts import Actor, Erase, ids, topics
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobsDown
from mailroom_runtime.bus.kafka import BusDown
from mailroom_runtime.forgotten import Forgotten, digest_of
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import Column, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.storage.read_schema import GENERATIONS
from mailroom_console.storage.schema import dead_letters, drafts, erasures

from . import counts
from .asked import DONE, GOING, PERSON
from .blobs import blob_keys
from .other_tickets import OtherTickets
from .portal_rows import remove_portal
from .shared_blobs import needed_elsewhere
from .spellings import may_name, record_names
from .steps import steps

log = get_logger()
AGAIN_S = 30.0  # a command that came to nothing is sent again
AT_ONCE = 100


class Erasing:
    """Works on all requests, in turn."""

    def __init__(self, console: Console, remover: BlobRemover) -> None:
        self._console, self._remover = console, remover
        self._asked_at: dict[str, float] = {}  # by ticket
        self._others = OtherTickets(console, remover)

    async def run(self) -> None:
        """Never ends; what is away is waited for."""
        await steps(self._console, self.look, "erasures", (BlobsDown, BusDown))

    async def look(self) -> None:
        """One step of each request. Raises `BlobsDown`, `BusDown`."""
        async with self._console.database.read() as connection:
            rows = (await connection.execute(select(erasures).where(erasures.c.state == GOING))).all()
        for row in rows:
            if tickets := await self._tickets(row):
                await self._erase(row, tickets)
            elif row.kind != PERSON or not await self._others.take_out(row):
                await self._finish(row)

    async def _tickets(self, row: Any) -> list[str]:
        """Some that are left; and what stands for one of each bounce without a ticket, whose event is kept, too."""
        tables = self._console.read.tables
        t, b = tables.tickets, tables.bounces
        query = select(t.c.id).where(t.c.portal_id == row.portal_id)
        bounces = select(b.c.ticket_id, b.c.document).where(b.c.portal_id == row.portal_id, b.c.ticket_id.is_not(None))
        async with self._console.database.read() as connection:
            if row.kind == PERSON:
                query = query.where(t.c.customer_key == row.target)
                bounces = bounces.where(may_name(b.c.document, row.target))
            found = list((await connection.execute(query.order_by(t.c.seq).limit(AT_ONCE))).scalars())
            if found:
                return found
            rows = (await connection.execute(bounces)).all()
        return [each.ticket_id for each in rows if row.kind != PERSON or record_names(each.document, row.target)][
            :AT_ONCE
        ]

    async def _erase(self, row: Any, tickets: list[str]) -> None:
        now = asyncio.get_running_loop().time()
        for ticket in tickets:
            if now - self._asked_at.get(ticket, -AGAIN_S) < AGAIN_S:
                continue
            blobs, messages = await self._forget_blobs(row, ticket)
            whole = await self._is_ticket(ticket)
            command = Erase(
                id=ids.command_id(row.portal_id, ticket, f"erasure {row.id} {times.micros(times.now()) if ticket in self._asked_at else ''}"),
                ticket_id=ticket, portal_id=row.portal_id, reason=row.kind, at=times.now(),
                actor=Actor(kind="console", name="Mailroom"),
            )  # fmt: skip
            await self._console.producer.send(topics.TICKET_COMMANDS, command)
            counted = {"tickets": whole, "messages": messages, "blobs": blobs} if ticket not in self._asked_at else {}
            self._asked_at[ticket] = now
            await self._count(row.id, counted, drafts_of=ticket)

    async def _is_ticket(self, ticket: str) -> int:
        t = self._console.read.tables.tickets
        async with self._console.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(t).where(t.c.id == ticket)) or 0

    async def _forget_blobs(self, row: Any, ticket: str) -> tuple[int, int]:
        """Of each message its source, attachments and long bodies, but for what somebody else's ticket needs, too; how many
        these were, and how many messages."""
        found: list[Any] = []
        async with self._console.database.read() as connection:
            for table in (self._console.read.tables.messages, self._console.read.tables.bounces):
                query = select(table.c.document, table.c.at).where(table.c.ticket_id == ticket)
                found += [each for each in await connection.execute(query) if each.document]
        needed = await self._needed_by_others(row, [each.at for each in found]) if row.kind == PERSON else set[str]()
        keys = {key for each in found for key in blob_keys(json.loads(each.document))} - needed
        await self._remover.forget_in(row.portal_id, keys)
        under = await self._remover.forget_under(f"{row.portal_id}/{ticket}", needed)
        return len(keys) + under, len(found)

    async def _needed_by_others(self, row: Any, at: list[int]) -> set[str]:
        """What the person wrote into other people's tickets is not: there it is emptied afterwards."""
        t, m = self._console.read.tables.tickets, self._console.read.tables.messages
        mine = select(t.c.id).where(t.c.portal_id == row.portal_id, t.c.customer_key == row.target)
        person = Forgotten(row.portal_id, digest_of(row.portal_id, row.target))
        return await needed_elsewhere(self._console, row.portal_id, at, m.c.ticket_id.not_in(mine), person.wrote)

    async def _count(self, erasure: str, counted: dict[str, int], *, drafts_of: str | None = None) -> None:
        async with self._console.database.write() as connection:
            if drafts_of is not None:
                gone = await connection.execute(delete(drafts).where(drafts.c.ticket_id == drafts_of))
                counted = counted | {"drafts": gone.rowcount}
            await counts.add(connection, erasure, counted)

    async def _finish(self, row: Any) -> None:
        """No ticket is left: the rest of it, and the request is done. Its target is not kept."""
        removed: dict[str, int] = {}
        if row.kind == PERSON:
            await self._forget_mentions(row)
        else:
            removed["blobs"] = await self._remover.forget_under(row.portal_id)
            removed |= await remove_portal(self._console, row.portal_id)
        await self._count(row.id, removed)
        async with self._console.database.write() as connection:
            await connection.execute(
                update(erasures).where(erasures.c.id == row.id)
                .values(state=DONE, done_at=self._console.now(), target=None)
            )  # fmt: skip
        log.info("erasing.done", kind=row.kind, erasure=row.id, portal_id=row.portal_id)

    async def _forget_mentions(self, row: Any) -> None:
        """Dead letters in which the address stands, and bounces in tables that are not shown."""
        async with self._console.database.write() as connection:
            for tables in GENERATIONS:
                b = tables.bounces
                query = select(b.c.id, b.c.document).where(b.c.portal_id == row.portal_id)
                bounces = await connection.execute(query.where(may_name(b.c.document, row.target)))
                await _delete(
                    connection, b.c.id, [each.id for each in bounces if record_names(each.document, row.target)]
                )
            d = dead_letters
            letters = await connection.execute(select(d.c.seq, d.c.value).where(d.c.portal_id == row.portal_id))
            await _delete(
                connection, d.c.seq, [each.seq for each in letters if record_names(each.value or b"", row.target)]
            )


async def _delete(connection: AsyncConnection, key: Column[Any], values: list[Any]) -> None:
    for start in range(0, len(values), 500):
        await connection.execute(delete(key.table).where(key.in_(values[start : start + 500])))
