"""What is asked of tickets: each becomes a command on Kafka, answered once the read model shows what it did."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailroom_contracts import (
    AddNote,
    Assign,
    AttachmentRef,
    CancelMessage,
    ConfirmSender,
    MoveQueue,
    ResendMessage,
    SetStatus,
    SetTags,
    TicketCommand,
    ids,
    topics,
)
from mailroom_gmail import LARGEST_BYTES
from mailroom_runtime.bus.kafka import BusDown, RecordTooLarge
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mailroom_console import times
from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import TICKETS, Principal
from mailroom_console.problems import Problem, conflict, invalid
from mailroom_console.read_model.waiters import Outcome
from mailroom_console.storage.schema import addresses, agents, idempotency, queues
from mailroom_console.uploads import records as uploads

from . import formatted
from . import reading as tickets
from .lists import STATUSES

KEYS_KEPT_US = 30 * times.DAY  # as long as Kafka keeps commands
LONGEST_TEXT = 150_000
_STATUS_OF = {"unknown_ticket": 404, "wrong_portal": 404, "unknown_message": 404}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that Kafka has. `shown`: the read model shows what it did."""

    command_id: str
    message_id: str | None
    shown: bool
    recipients: dict[str, Any] | None = None  # to, cc, bcc of what is sent


async def note(
    console: Console, principal: Principal, ticket_id: str, *, text: str, html: str | None = None,
    attachments: Sequence[Mapping[str, Any]] = (), idempotency_key: str | None = None,
) -> Accepted:  # fmt: skip
    """Add an internal note."""
    principal.require(TICKETS)
    ticket = await tickets.row_of(console, principal, ticket_id)
    said = await formatted.written(console, principal, ticket.id, text, html, attachments)
    check_text(said.text, said.html)
    key = idempotency_key or passwords.drawn()
    command = AddNote(
        id=ids.command_id(principal.portal_id, ticket.id, key), ticket_id=ticket.id, portal_id=principal.portal_id,
        actor=principal.actor, at=console.clock(), text=said.text, html=said.html,
        attachments=said.files,
    )  # fmt: skip
    await uploads.use(console, principal, said.files)
    return await send(console, command, message_id=ids.message_id(ticket.id, command.id))


async def change(
    console: Console, principal: Principal, ticket_id: str, given: Mapping[str, Any], *,
    idempotency_key: str | None = None,
) -> bool:  # fmt: skip
    """Set `queue_id`, `assignee_id` (None: nobody), `status` and `tags`, those that are given; whether all is shown.

    `only_if_unassigned`: take the ticket, refused (409 `already_assigned`) when somebody has it.
    """
    principal.require(TICKETS)
    ticket = await tickets.row_of(console, principal, ticket_id)
    key = idempotency_key or passwords.drawn()

    def common(part: str) -> dict[str, Any]:
        return {
            "id": ids.command_id(principal.portal_id, ticket.id, f"{key}:{part}"), "ticket_id": ticket.id,
            "portal_id": principal.portal_id, "actor": principal.actor, "at": console.clock(),
        }  # fmt: skip

    commands: list[TicketCommand] = []
    if given.get("queue_id") is not None:
        await _check_known(console, principal, queues, "queue_id", given["queue_id"])
        commands.append(MoveQueue(**common("queue"), queue_id=given["queue_id"]))
    if "assignee_id" in given:
        assignee = given["assignee_id"] or None
        if assignee is not None:
            await _check_known(console, principal, agents, "assignee_id", assignee)
        only = bool(given.get("only_if_unassigned", False))
        commands.append(Assign(**common("assignee"), assignee_id=assignee, only_if_unassigned=only))
    if given.get("status") is not None:
        if given["status"] not in STATUSES:
            raise invalid("status", say("A status is one of {names}.", names=", ".join(STATUSES)))
        commands.append(SetStatus(**common("status"), status=given["status"]))
    if given.get("tags") is not None or given.get("add_tags") or given.get("remove_tags"):
        commands.append(SetTags(**common("tags"), tags=given.get("tags"), add=given.get("add_tags") or [],
                                remove=given.get("remove_tags") or []))  # fmt: skip
    if not commands:
        raise Problem(422, "nothing_to_change", say("Give at least one of status, assignee_id, queue_id and tags."))
    shown = [(await send(console, command)).shown for command in commands]
    return all(shown)


async def resend(
    console: Console,
    principal: Principal,
    message_id: str,
    *,
    recipients: list[str] | None = None,
    idempotency_key: str | None = None,
) -> Accepted:
    """Send a failed, bounced, refused or cancelled message again: to `recipients` of it, None for those whom it did not
    reach. Raises `Problem` 409 where that cannot be.
    """
    principal.require(TICKETS)
    row = await tickets.message_row(console, principal, message_id)
    ticket = await tickets.row_of(console, principal, row.ticket_id)
    await check_sender(console, principal, ticket, row.address_id)
    # without a key, pressing twice is one resend: the key is the state that it mends
    key = idempotency_key or f"resend:{message_id}:{row.version}"
    to_whom = about(console, principal, row.ticket_id, key)
    return await send(console, ResendMessage(message_id=message_id, recipients=recipients, **to_whom),
                      message_id=message_id)  # fmt: skip


async def cancel(
    console: Console, principal: Principal, message_id: str, *, idempotency_key: str | None = None
) -> Accepted:
    """Do not send a message that still waits. Raises `Problem` 409 when it is too late."""
    principal.require(TICKETS)
    row = await tickets.message_row(console, principal, message_id)
    key = idempotency_key or f"cancel:{message_id}:{row.version}"
    return await send(console, CancelMessage(message_id=message_id, **about(console, principal, row.ticket_id, key)),
                      message_id=message_id)  # fmt: skip


async def confirm_sender(console: Console, principal: Principal, ticket_id: str, email: str) -> Accepted:
    """A new sender takes part in the ticket from now on."""
    principal.require(TICKETS)
    ticket = await tickets.row_of(console, principal, ticket_id)
    fields = about(console, principal, ticket.id, f"confirm:{email.lower()}")
    return await send(console, ConfirmSender(email=email, **fields))


async def send(console: Console, command: TicketCommand, *, message_id: str | None = None) -> Accepted:
    """Put a command on Kafka and wait for what it does. Raises `Problem` when it was refused, 503 without Kafka."""
    done = await _known_before(console, command)
    if done is None:
        with console.read.waiters.expect(command.id) as answer:
            try:
                await console.producer.send(topics.TICKET_COMMANDS, command)
            except BusDown:
                raise Problem(
                    503,
                    "bus_unavailable",
                    say("Kafka did not confirm it. Send it again: what has arrived already is not done twice."),
                ) from None
            except RecordTooLarge:
                raise Problem(413, "too_large", say("The text is too long. Attach it as a file.")) from None
            done = await _answer(console, command.id, answer)
    if done is not None and done.refused:
        code = done.code or "refused"
        more = {}
        if code in ("receive_only", "inactive_address"):
            more["send_from"] = await _offers(console, command.portal_id, None)
        raise Problem(_STATUS_OF.get(code, 409), code, done.reason or say("This was refused."), **more)
    return Accepted(command.id, (done.message_id if done else None) or message_id, done is not None)


async def _answer(console: Console, command_id: str, answer: asyncio.Future[Outcome | None]) -> Outcome | None:
    """The outcome within `wait_s`. Where another copy of the console writes, it says so, and the table is asked; now and
    then without being told, too."""
    end = asyncio.get_running_loop().time() + console.settings.wait_s
    while (left := end - asyncio.get_running_loop().time()) > 0:
        await asyncio.wait({answer}, timeout=min(left, 1.0))
        told = answer.result() if answer.done() else None
        if (found := told or await console.read.outcome(command_id)) is not None:
            return found
        if answer.done():
            await asyncio.sleep(min(left, 1.0))
    return None


async def _known_before(console: Console, command: TicketCommand) -> Outcome | None:
    """The outcome when this very command was sent before. Raises `Problem` 422 when the key meant something else."""
    # what the console adds by itself, and may add otherwise the second time, is not what was asked for
    own = {"at", "actor", "redelivery", "quotes"} | ({"send_at"} if getattr(command, "hold", None) == "undo" else set())
    content = command.model_dump_json(exclude=own)
    digest = hashlib.sha256(content.encode()).hexdigest()
    table, now = idempotency, console.now()
    async with console.database.write() as connection:
        await connection.execute(delete(table).where(table.c.at < now - KEYS_KEPT_US))
        insert: Any = (sqlite if console.database.sqlite else postgresql).insert(table)
        await connection.execute(insert.values(command_id=command.id, digest=digest, at=now).on_conflict_do_nothing())
        stored = await connection.scalar(select(table.c.digest).where(table.c.command_id == command.id))
    if stored != digest:
        raise Problem(422, "idempotency_key_reused", say("This Idempotency-Key was used for something else."))
    return await console.read.outcome(command.id)


async def check_sender(console: Console, principal: Principal, ticket: Any, from_address_id: str | None) -> Any:
    """The row of the address it leaves from. Refuses at once what the configuration does not allow; the router and
    `outbound` look again."""
    wanted = from_address_id or ticket.address_id
    async with console.database.read() as connection:
        row = (
            await connection.execute(
                select(addresses).where(addresses.c.id == wanted, addresses.c.portal_id == principal.portal_id)
            )
        ).one_or_none()
    if row is None:
        if from_address_id and from_address_id != ticket.address_id:
            raise invalid("from_address_id", say("There is no such address."))
        raise conflict("unknown_address", say("The address of this ticket was deleted. Choose another one to send from."),
                       send_from=await _offers(console, principal.portal_id, ticket.queue_id))  # fmt: skip
    if row.kind == "internal":
        raise conflict("receive_only", say("{email} only receives. Choose another address to send from.", email=row.email),
                       send_from=await _offers(console, principal.portal_id, ticket.queue_id))  # fmt: skip
    if not row.active:
        raise conflict("inactive_address", say("{email} is disabled. Enable it, or choose another address.", email=row.email),
                       send_from=await _offers(console, principal.portal_id, ticket.queue_id))  # fmt: skip
    return row


async def sending_choices(console: Console, principal: Principal, ticket_id: str) -> dict[str, Any]:
    """For the reply box: `can_reply`, `reason` when not, and `send_from`, the queue's addresses that can send."""
    ticket = await tickets.row_of(console, principal, ticket_id)
    offers = await _offers(console, principal.portal_id, ticket.queue_id)
    try:
        await check_sender(console, principal, ticket, None)
    except Problem as problem:
        return {"can_reply": False, "code": problem.code, "reason": problem.detail, "send_from": offers}
    return {"can_reply": True, "code": None, "reason": None, "send_from": offers}


async def _offers(console: Console, portal_id: str, queue_id: str | None) -> list[dict[str, Any]]:
    """The addresses that can send (of the queue, where one is named)."""
    a = addresses
    query = select(a.c.id, a.c.email, a.c.full_name, a.c.kind).where(
        a.c.portal_id == portal_id, a.c.kind != "internal", a.c.active
    )
    if queue_id is not None:
        query = query.where(a.c.queue_id == queue_id)
    async with console.database.read() as connection:
        return [dict(row._mapping) for row in await connection.execute(query.order_by(a.c.email).limit(50))]


async def senders(console: Console, principal: Principal) -> list[dict[str, Any]]:
    """The addresses that a new message may leave from: those of the queues that the principal sees."""
    principal.require(TICKETS)
    a = addresses
    query = select(a.c.id, a.c.email, a.c.full_name, a.c.kind, a.c.queue_id).where(
        a.c.portal_id == principal.portal_id, a.c.kind != "internal", a.c.active
    )
    async with console.database.read() as connection:
        rows = [dict(row._mapping) for row in await connection.execute(query.order_by(a.c.email).limit(500))]
    return [row for row in rows if row["queue_id"] is not None and principal.sees(row["queue_id"])]


async def _check_known(console: Console, principal: Principal, table: Any, field: str, wanted: str) -> None:
    async with console.database.read() as connection:
        found = await connection.scalar(
            select(table.c.id).where(table.c.id == wanted, table.c.portal_id == principal.portal_id)
        )
    if found is None:
        raise invalid(
            field, say("There is no such {what}.", what=field.removesuffix("_id").replace("assignee", "agent"))
        )


def about(console: Console, principal: Principal, ticket_id: str, key: str) -> dict[str, Any]:
    return {"id": ids.command_id(principal.portal_id, ticket_id, key), "ticket_id": ticket_id,
            "portal_id": principal.portal_id, "actor": principal.actor, "at": console.clock()}  # fmt: skip


def check_fits_gmail(files: Sequence[AttachmentRef], text: str, html: str | None) -> None:
    """Say before sending what Gmail would refuse after. Base64 makes 78 bytes of 57 (RFC 2045 section 6.8)."""
    encoded = sum(-(-file.size // 57) * 78 + 500 for file in files) + 2 * len(text) + 2 * len(html or "")
    if encoded > LARGEST_BYTES:
        raise Problem(
            413, "too_large_for_gmail",
            say("Gmail sends at most {most} MB. Encoded for mail, these attachments have {size:.0f} MB: attach less, or write where the files can be fetched.", most=LARGEST_BYTES // 2 ** 20, size=encoded / 2 ** 20),
        )  # fmt: skip


def check_text(text: str, html: str | None) -> None:
    if not text.strip() and not (html or "").strip():
        raise invalid("text", say("There is no text."))
    if len(json.dumps([text, html])) > LONGEST_TEXT:
        raise Problem(413, "too_large", say("The text is too long. Attach it as a file."))


__all__ = ["Accepted", "about", "cancel", "change", "check_fits_gmail", "check_sender", "check_text", "confirm_sender",
           "note", "resend", "send", "senders", "sending_choices"]  # fmt: skip
