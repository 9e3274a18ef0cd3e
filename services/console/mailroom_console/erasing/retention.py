"""Removes what a portal keeps no longer: closed tickets, and the files of closed tickets.

The router decides, since it alone knows that nobody opened the ticket again meanwhile. What goes is written down first
with its blobs, so a crash at any point is gone on from; the blobs go only after the router's event. One console of all does it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mailroom_contracts import Actor, Expire, RemoveFiles, TicketCommand, ids, topics
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobsDown
from mailroom_runtime.bus.kafka import BusDown
from mailroom_runtime.process import metrics
from sqlalchemy import and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.storage.schema import drafts, erasures, expiries, portals

from . import counts
from .asked import DONE
from .blobs import file_keys, used_keys
from .due import FILES, TICKET, Keeping, Standing, closed_before, due
from .shared_blobs import needed_elsewhere
from .steps import steps

REST_S = 600.0  # between two walks through all closed tickets
AGAIN_S = 30.0  # a command that came to nothing is sent again
AT_ONCE = 100
MOST_MERGES = 100  # of one conversation, one into the other
KIND = {TICKET: "retention", FILES: "files"}  # of the record that says what was removed
_DONE = {TICKET: "ticket.erased", FILES: "ticket.files_removed"}
_START = (-1, -1)


class Retention:
    """Walks through the closed tickets of one portal after the other, some in each step."""

    def __init__(self, console: Console, remover: BlobRemover) -> None:
        self._console, self._remover = console, remover
        self._sent: dict[str, float] = {}  # commands, by when
        self._past, self._portal, self._after = "", "", _START  # where the walk is: portals that are done; in this one
        self._rests_until = float("-inf")

    async def run(self) -> None:
        """Never ends; what is away is waited for."""
        await steps(self._console, self.look, "retention", (BlobsDown, BusDown))

    async def look(self) -> None:
        """One step. Raises `BlobsDown`, `BusDown`."""
        async with self._console.database.read() as connection:
            rows = (await connection.execute(select(expiries))).all()
        for row in rows:
            await self._go_on(row)
        metrics.gauge("mailroom_console_expiring", "Tickets whose time is over and that are not removed yet").set(
            len(rows)
        )
        if not rows:
            await self._begin()

    # what was begun
    async def _go_on(self, row: Any) -> None:
        outcome = await self._console.read.outcome(row.command_id)
        if outcome is None:
            now = asyncio.get_running_loop().time()
            if now - self._sent.get(row.command_id, -AGAIN_S) >= AGAIN_S:
                cls = Expire if row.kind == TICKET else RemoveFiles
                await self._console.producer.send(topics.TICKET_COMMANDS, cls.model_validate_json(row.command))
                self._sent[row.command_id] = now
            return
        gone = not await self._is_there(row.ticket_id)
        if outcome.type == _DONE[row.kind] or (gone and row.kind == TICKET):
            blobs = await self._forget(row, gone)
            async with self._console.database.write() as connection:
                done = await connection.execute(delete(expiries).where(expiries.c.ticket_id == row.ticket_id))
                if done.rowcount and row.kind == TICKET:
                    await connection.execute(delete(drafts).where(drafts.c.ticket_id == row.ticket_id))
                if done.rowcount:
                    await _count(connection, row, blobs, self._console.now())
            metrics.counter(
                "mailroom_console_expired_total", "Closed tickets that were removed, or their files", ["kind"]
            ).labels(row.kind).inc()
        else:  # it was opened again
            async with self._console.database.write() as connection:
                await connection.execute(delete(expiries).where(expiries.c.ticket_id == row.ticket_id))
        self._sent.pop(row.command_id, None)

    async def _is_there(self, ticket: str) -> bool:
        t = self._console.read.tables.tickets
        async with self._console.database.read() as connection:
            return await connection.scalar(select(t.c.seq).where(t.c.id == ticket)) is not None

    async def _forget(self, row: Any, gone: bool) -> int:
        """Remove the blobs, but for those that a ticket which stays needs, too; how many went."""
        others = self._console.read.tables.messages.c.ticket_id != row.ticket_id
        needed = await needed_elsewhere(self._console, row.portal_id, [at for _, at in row.blobs], others)
        forgotten = await self._remover.forget_in(row.portal_id, {key for key, _ in row.blobs} - needed)
        folder = f"{row.portal_id}/{row.ticket_id}"
        return forgotten + (await self._remover.forget_under(folder, needed) if gone else 0)

    # what is to be begun
    async def _begin(self) -> None:
        loop, p = asyncio.get_running_loop(), portals
        if loop.time() < self._rests_until:
            return
        query = select(p.c.id, p.c.tickets_kept_days, p.c.attachments_kept_days).where(
            p.c.id > self._past, or_(p.c.tickets_kept_days.is_not(None), p.c.attachments_kept_days.is_not(None))
        )
        async with self._console.database.read() as connection:
            portal = (await connection.execute(query.order_by(p.c.id).limit(1))).one_or_none()
        if portal is None:
            self._past, self._portal, self._rests_until = "", "", loop.time() + REST_S
            return
        if portal.id != self._portal:
            self._portal, self._after = portal.id, _START
        keeping = Keeping(portal.tickets_kept_days, portal.attachments_kept_days)
        if not await self._begin_some(portal.id, keeping):
            self._past = portal.id

    async def _begin_some(self, portal_id: str, keeping: Keeping) -> bool:
        """Look at some more closed tickets, and write down what goes; False when there are no more."""
        t, now = self._console.read.tables.tickets, self._console.now()
        over = []
        if keeping.tickets is not None:
            over.append(t.c.closed_at <= closed_before(keeping.tickets, now))
        if keeping.attachments is not None:
            over.append(and_(t.c.closed_at <= closed_before(keeping.attachments, now), t.c.has_files))
        query = (
            select(t.c.id, t.c.seq, t.c.closed_at, t.c.has_files, t.c.merged_into)
            .where(t.c.portal_id == portal_id, or_(*over), tuple_(t.c.closed_at, t.c.seq) > tuple_(*self._after))
            .order_by(t.c.closed_at, t.c.seq)
        )
        async with self._console.database.read() as connection:
            rows = (await connection.execute(query.limit(AT_ONCE))).all()
            begun = []
            for row in rows:
                other = await self._goes_on_in(connection, row.merged_into) if row.merged_into else None
                standing = Standing(row.closed_at, row.has_files, row.merged_into is not None, other)
                if (kind := due(standing, keeping, now)) is not None:
                    begun.append(await self._expiry(connection, portal_id, row.id, kind, keeping, now))
        if begun:
            async with self._console.database.write() as connection:
                await connection.execute(insert(expiries), begun)
        if rows:
            self._after = (rows[-1].closed_at, rows[-1].seq)
        return len(rows) == AT_ONCE

    async def _goes_on_in(self, connection: AsyncConnection, ticket: str) -> Standing | None:
        t = self._console.read.tables.tickets
        found: Standing | None = None
        for _ in range(MOST_MERGES):
            row = (
                await connection.execute(select(t.c.closed_at, t.c.has_files, t.c.merged_into).where(t.c.id == ticket))
            ).one_or_none()
            if row is None:
                break
            found = Standing(row.closed_at, row.has_files)
            if row.merged_into is None:
                break
            ticket = row.merged_into
        return found

    async def _expiry(
        self, connection: AsyncConnection, portal_id: str, ticket: str, kind: str, keeping: Keeping, now: int
    ) -> dict[str, Any]:
        m = self._console.read.tables.messages
        query = select(m.c.id, m.c.at, m.c.document, m.c.files_removed).where(m.c.ticket_id == ticket)
        messages = (await connection.execute(query)).all()
        documents = [(row, json.loads(row.document)) for row in messages]
        days = (keeping.tickets if kind == TICKET else keeping.attachments) or 0
        about: dict[str, Any] = {
            "id": ids.command_id(portal_id, ticket, f"{KIND[kind]} {now}"), "ticket_id": ticket,
            "portal_id": portal_id, "at": times.moment(now), "actor": Actor(kind="console", name="Mailroom"),
            "closed_before": times.moment(closed_before(days, now)),
        }  # fmt: skip
        command: TicketCommand
        if kind == TICKET:
            command = Expire(**about)
            going = [(row, used_keys(doc, files_removed=row.files_removed is not None)) for row, doc in documents]
        else:
            going = [(row, file_keys(doc)) for row, doc in documents if row.files_removed is None]
            command = RemoveFiles(message_ids=[row.id for row, keys in going if keys], days=days, **about)
        return {
            "ticket_id": ticket, "portal_id": portal_id, "kind": kind, "command_id": command.id,
            "command": command.model_dump_json(by_alias=True, exclude_none=True),
            "blobs": sorted([key, row.at] for row, keys in going for key in keys), "messages": len(messages),
        }  # fmt: skip


async def _count(connection: AsyncConnection, row: Any, blobs: int, now: int) -> None:
    """In the record of this portal and day, which is made, and stands in the audit trail, with the first one."""
    kind, day, e = KIND[row.kind], times.moment(now).date().isoformat(), erasures
    erasure = ids.derive("erasure", kind, row.portal_id, day)
    if await connection.scalar(select(e.c.id).where(e.c.id == erasure)) is None:
        await connection.execute(
            insert(e).values(id=erasure, kind=kind, portal_id=row.portal_id, subject=day, state=DONE, asked_at=now,
                             asked_by="Mailroom", removed={})
        )  # fmt: skip
        await audit.record(
            connection, portal_id=row.portal_id, by=None, action=f"{kind}.removed", kind=kind, subject_id=erasure,
            name=day, now=now,
        )  # fmt: skip
    await counts.add(connection, erasure, {"tickets": 1, "messages": row.messages, "blobs": blobs})
    # files were never in the event log; a ticket is in it until it is renewed after this
    log = {"unreadable_at": now, "gone_at": now} if row.kind == FILES else {"unreadable_at": None, "gone_at": None}
    await connection.execute(update(e).where(e.c.id == erasure).values(done_at=now, **log))
