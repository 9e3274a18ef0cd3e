"""Mail that agents write: answers, new messages, forwards; each becomes a command that says exactly whom it goes to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mailroom_contracts import AttachmentRef, Compose, Forward, Person, Reply, ids
from sqlalchemy import select

from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.mailboxes import people
from mailroom_console.principals import TICKETS, Principal
from mailroom_console.problems import Problem, invalid
from mailroom_console.storage.schema import addresses
from mailroom_console.uploads import records as uploads

from . import commands, drafts, formatted, history, reading
from .commands import Accepted

QUOTES = ("none", "last", "all")
LONGEST_SUBJECT = 900


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody wrote. `send_at` holds it; `hold` says why: undo or later."""

    text: str = ""
    html: str | None = None
    to: Sequence[Any] = ()
    cc: Sequence[Any] = ()
    bcc: Sequence[Any] = ()
    subject: str = ""
    attachments: Sequence[Mapping[str, Any]] = ()
    from_address_id: str | None = None
    send_at: datetime | None = None
    hold: str | None = None

    def named(self) -> dict[str, list[Person]]:
        """Its recipients. Raises `Problem` 422."""
        return {
            "to": people(list(self.to), "to"),
            "cc": people(list(self.cc), "cc"),
            "bcc": people(list(self.bcc), "bcc"),
        }

    def held(self) -> dict[str, Any]:
        """The fields that hold it. Raises `Problem` 422 for a time without zone."""
        if self.send_at is None:
            return {}
        if self.send_at.tzinfo is None:
            raise invalid("send_at", say("Name the time with its zone, as 2026-12-01T08:00:00+01:00."))
        return {"send_at": self.send_at, "hold": self.hold or "later"}


async def reply(
    console: Console, principal: Principal, ticket_id: str, letter: Letter, *, quote: str = "last",
    answered_id: str | None = None, seen_id: str | None = None, cancel_on_mail: bool = False,
    idempotency_key: str | None = None,
) -> Accepted:  # fmt: skip
    """Answer the customer, or whom the letter names. Raises `Problem`: 409 `receive_only` with `send_from`, 409
    `recipients_changed` when somebody wrote after `seen_id`, 422 for bad fields."""
    principal.require(TICKETS)
    ticket = await reading.row_of(console, principal, ticket_id)
    if quote not in QUOTES:
        raise invalid("quote", say("Quote one of {names}.", names=", ".join(QUOTES)))
    sender = await commands.check_sender(console, principal, ticket, letter.from_address_id)
    said = await _said(console, principal, ticket.id, letter, sender)
    commands.check_text(said.text, said.html)
    key = idempotency_key or passwords.drawn()
    quotes = await _quotes(console, principal, ticket, quote, answered_id)
    command = Reply(
        **commands.about(console, principal, ticket.id, key), text=said.text, html=said.html,
        **letter.named(), from_address_id=letter.from_address_id, attachments=said.files, answered_id=answered_id,
        seen_id=seen_id, quote=quote, quotes=quotes, cancel_on_mail=cancel_on_mail, **letter.held(),
    )  # fmt: skip
    await uploads.use(console, principal, said.files)
    accepted = await commands.send(console, command, message_id=ids.message_id(ticket.id, command.id))
    await drafts.forget(console, principal, ticket.id)
    return await _with_recipients(console, principal, accepted, command.to, command.cc, command.bcc, ticket)


async def compose(
    console: Console, principal: Principal, letter: Letter, *, queue_id: str | None = None,
    idempotency_key: str | None = None,
) -> tuple[str, Accepted]:  # fmt: skip
    """Write first: a new ticket; its id. Raises `Problem` 422 for bad fields, 409 where nothing may be sent from."""
    principal.require(TICKETS)
    named = letter.named()
    if not named["to"]:
        raise invalid("to", say("Name somebody to write to."))
    if not letter.subject.strip():
        raise invalid("subject", say("Write a subject."))
    if len(letter.subject) > LONGEST_SUBJECT:
        raise invalid("subject", say("A subject has at most {most} characters.", most=LONGEST_SUBJECT))
    if not letter.from_address_id:
        raise invalid("from_address_id", say("Choose the address that it leaves from."))
    key = idempotency_key or passwords.drawn()
    ticket_id = ids.derive("composed", principal.portal_id, key)
    wanted = await _queue(console, principal, letter.from_address_id, queue_id)
    sender = await commands.check_sender(console, principal, _Beginning(letter.from_address_id, wanted), None)
    said = await _said(console, principal, ticket_id, letter, sender)
    commands.check_text(said.text, said.html)
    command = Compose(
        **commands.about(console, principal, ticket_id, key), from_address_id=letter.from_address_id, queue_id=wanted,
        **named, subject=" ".join(letter.subject.split()), text=said.text, html=said.html,
        attachments=said.files, **letter.held(),
    )  # fmt: skip
    await uploads.use(console, principal, said.files)
    accepted = await commands.send(console, command, message_id=ids.message_id(ticket_id, command.id))
    return ticket_id, replace(accepted, recipients=_shown(command.to, command.cc, command.bcc))


async def forward(
    console: Console, principal: Principal, ticket_id: str, letter: Letter, *, message_id: str | None = None,
    with_files: bool = True, idempotency_key: str | None = None,
) -> Accepted:  # fmt: skip
    """Send a message (None: the conversation, without internal ones) to somebody else."""
    principal.require(TICKETS)
    ticket = await reading.row_of(console, principal, ticket_id)
    named = letter.named()
    if not any(named.values()):
        raise invalid("to", say("Name somebody to forward it to."))
    sender = await commands.check_sender(console, principal, ticket, letter.from_address_id)
    documents = await _documents(console, ticket.id)
    if message_id is not None:
        documents = [d for d in documents if d["id"] == message_id]
        if not documents:
            raise invalid("message_id", say("The ticket has no such message."))
    else:
        documents = history.outward(documents)
    said = await formatted.written(console, principal, ticket.id, letter.text, letter.html, letter.attachments)
    files = said.files
    if with_files:
        files = [*files, *(AttachmentRef.model_validate(ref) for d in documents for ref in d.get("attachments", []))]
    if sender.kind == "gmail":
        commands.check_fits_gmail(files, said.text, said.html)
    key = idempotency_key or passwords.drawn()
    command = Forward(
        **commands.about(console, principal, ticket.id, key), message_id=message_id, **named,
        subject=" ".join(letter.subject.split())[:LONGEST_SUBJECT] or None, text=said.text, html=said.html,
        attachments=files, quotes=history.quotes(documents, whole=message_id is not None),
        from_address_id=letter.from_address_id, **letter.held(),
    )  # fmt: skip
    await uploads.use(console, principal, files)
    accepted = await commands.send(console, command, message_id=ids.message_id(ticket.id, command.id))
    return replace(accepted, recipients=_shown(command.to, command.cc, command.bcc))


async def _said(
    console: Console, principal: Principal, ticket_id: str, letter: Letter, sender: Any
) -> formatted.Written:
    """Its text, safe HTML and files, which `sender` can send. Raises `Problem`."""
    said = await formatted.written(console, principal, ticket_id, letter.text, letter.html, letter.attachments)
    if sender.kind == "gmail":
        commands.check_fits_gmail(said.files, said.text, said.html)
    return said


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What `check_sender` asks of a ticket, for one that is not there yet."""

    address_id: str
    queue_id: str | None


async def _queue(console: Console, principal: Principal, address_id: str, queue_id: str | None) -> str | None:
    """The queue that a new ticket goes to: the one that is named, else the address's. Raises `Problem` 422."""
    wanted = queue_id
    if wanted is None:
        async with console.database.read() as connection:
            wanted = await connection.scalar(
                select(addresses.c.queue_id).where(
                    addresses.c.id == address_id, addresses.c.portal_id == principal.portal_id
                )
            )
    if wanted is not None and not principal.sees(wanted):
        raise invalid("queue_id", say("There is no such queue."))
    return wanted


async def _quotes(
    console: Console, principal: Principal, ticket: Any, quote: str, answered_id: str | None
) -> list[Any]:
    """The history that the command carries; what the router keeps (the customer's last mail) it need not."""
    if quote == "none":
        return []
    if quote == "all":
        return history.quotes(history.outward(await _documents(console, ticket.id)), whole=False)
    if answered_id is None:
        return []
    documents = [d for d in await _documents(console, ticket.id) if d["id"] == answered_id]
    if not documents:
        raise invalid("answers_message_id", say("The ticket has no such message."))
    return history.quotes(documents, whole=True)


async def _documents(console: Console, ticket_id: str) -> list[dict[str, Any]]:
    """The messages of a ticket, oldest first, as their events have them, but for files that were removed."""
    async with console.database.read() as connection:
        rows = await reading.conversation(connection, console.read.tables, ticket_id)
    return await asyncio.to_thread(
        lambda: [
            json.loads(row.document) | {"id": row.id} | ({"attachments": []} if row.files_removed is not None else {})
            for row in rows
        ]
    )


async def _with_recipients(
    console: Console, principal: Principal, accepted: Accepted, to: list[Person], cc: list[Person], bcc: list[Person],
    ticket: Any,
) -> Accepted:  # fmt: skip
    """With whom it goes to: as its event says; until that shows, as it was asked for (or as the rule says)."""
    if accepted.shown and accepted.message_id is not None:
        try:
            row = await reading.message_row(console, principal, accepted.message_id)
        except Problem:
            row = None
        if row is not None:
            document = json.loads(row.document)
            return replace(accepted, recipients={name: document.get(name, []) for name in ("to", "cc", "bcc")})
    shown = _shown(to, cc, bcc)
    if not to and not cc and not bcc and ticket.answers:
        shown["to"] = ticket.answers["reply"]["to"]
    return replace(accepted, recipients=shown)


def _shown(to: list[Person], cc: list[Person], bcc: list[Person]) -> dict[str, Any]:
    return {
        "to": [p.model_dump() for p in to],
        "cc": [p.model_dump() for p in cc],
        "bcc": [p.model_dump() for p in bcc],
    }
