"""Tickets of other customers that a person took part in: found, told, and the person taken out of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from mailroom_contracts import Actor, ForgetPerson, ids, topics
from mailroom_mail import comparable
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.forgotten import Forgotten, digest_of
from sqlalchemy import select

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.mailboxes import recipient
from mailroom_console.principals import Principal
from mailroom_console.problems import invalid
from mailroom_console.tickets.reading import own_addresses

from . import counts
from .blobs import blob_keys
from .spellings import may_name

AGAIN_S = 30.0  # between two looks at all messages of a portal, and before a command is sent again
AT_ONCE = 100


async def person_address(console: Console, principal: Principal, email: str) -> str:
    """The address of a person as it is compared. Raises `Problem` 422 for none, and for one of the portal's own: that stands in
    every ticket, and is nobody's."""
    email = comparable(recipient(email, "email"))
    async with console.database.read() as connection:
        ours = await own_addresses(connection, principal.portal_id)
    if email in ours:
        raise invalid("email", say("This is an address of your portal, not a person’s."))
    return email


async def messages_with(console: Console, portal_id: str, email: str) -> dict[str, list[dict[str, Any]]]:
    """By ticket, which is another customer's: the messages that the person wrote or that name the address. A look at all
    messages of the portal: seconds for some 100,000."""
    t, m = console.read.tables.tickets, console.read.tables.messages
    query = (
        select(m.c.ticket_id, m.c.document)
        .join(t, t.c.id == m.c.ticket_id)
        .where(m.c.portal_id == portal_id, t.c.customer_key != email, may_name(m.c.document, email))
        .order_by(t.c.seq, m.c.at, m.c.id)
    )
    async with console.database.read() as connection:
        rows = (await connection.execute(query)).all()
    person = Forgotten(portal_id, digest_of(portal_id, email))
    return await asyncio.to_thread(_of, rows, person)


def own(messages: Iterable[dict[str, Any]], portal_id: str, email: str) -> list[dict[str, Any]]:
    """Those that the person wrote. Pure."""
    person = Forgotten(portal_id, digest_of(portal_id, email))
    return [message for message in messages if person.wrote(message)]


def _of(rows: Iterable[Any], person: Forgotten) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        document = json.loads(row.document)
        if person.without(document) is not document:  # else it is a part of a longer address
            found.setdefault(row.ticket_id, []).append(document)
    return found


class OtherTickets:
    """Takes persons out of them, some in each step."""

    def __init__(self, console: Console, remover: BlobRemover) -> None:
        self._console, self._remover = console, remover
        self._looked: dict[str, float] = {}  # erasures, by when
        self._commands: dict[str, str] = {}  # that have no answer yet, with their erasures
        self._counted: set[tuple[str, str]] = set()  # erasures and tickets

    async def take_out(self, row: Any) -> bool:
        """One step of an erasure; False when the person is in no ticket any more. Raises `BlobsDown`, `BusDown`."""
        now = asyncio.get_running_loop().time()
        if now - self._looked.get(row.id, -AGAIN_S) < AGAIN_S and await self._is_under_way(row.id):
            return True
        found = await messages_with(self._console, row.portal_id, row.target)
        self._commands = {command: of for command, of in self._commands.items() if of != row.id}
        self._looked[row.id] = now
        person = Forgotten(row.portal_id, digest_of(row.portal_id, row.target))
        for ticket, messages in list(found.items())[:AT_ONCE]:
            blobs = await self._forget_blobs(row.portal_id, messages, person)
            command = ForgetPerson(
                id=ids.command_id(row.portal_id, ticket, f"forget {row.id} {times.micros(times.now())}"),
                ticket_id=ticket, portal_id=row.portal_id, email=row.target, at=times.now(),
                actor=Actor(kind="console", name="Mailroom"),
            )  # fmt: skip
            await self._console.producer.send(topics.TICKET_COMMANDS, command)
            self._commands[command.id] = row.id
            wrote = sum(map(person.wrote, messages))
            if (row.id, ticket) not in self._counted:
                self._counted.add((row.id, ticket))
                async with self._console.database.write() as connection:
                    await counts.add(connection, row.id, {"other_tickets": 1, "messages": wrote, "blobs": blobs})
        return bool(found)

    async def _is_under_way(self, erasure: str) -> bool:
        """Whether something that was asked for has no answer yet, or was refused: then it is asked for again later."""
        mine = [command for command, of in self._commands.items() if of == erasure]
        for command in mine:
            outcome = await self._console.read.outcome(command)
            if outcome is None or outcome.type != "ticket.person_forgotten":
                return True
            del self._commands[command]
        return False

    async def _forget_blobs(self, portal_id: str, messages: Iterable[dict[str, Any]], person: Forgotten) -> int:
        """Everything of the person's own messages; of others' the raw source, whose fields name the person."""
        keys: set[str] = set()
        for message in messages:
            keys |= set(blob_keys(message if person.wrote(message) else message.get("raw")))
        return await self._remover.forget_in(portal_id, keys)
