"""What is done with tickets beside answering: snoozed, merged, split, spam; and with many at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mailroom_contracts import Merge, SetSpam, Snooze, Split, TicketMessage, Unmerge, ids

from mailroom_console.access import passwords
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import TICKETS, Principal
from mailroom_console.problems import Problem, conflict, invalid

from . import commands, reading
from .commands import Accepted

MOST_AT_ONCE = 100


async def snooze(
    console: Console, principal: Principal, ticket_id: str, until: datetime | None, *, key: str | None = None
) -> Accepted:
    """Put a ticket aside until then (None: bring it back). Raises `Problem` 422 for a time without zone."""
    ticket = await _ticket(console, principal, ticket_id)
    if until is not None and until.tzinfo is None:
        raise invalid("until", say("Name the time with its zone, as 2026-12-01T08:00:00+01:00."))
    if until is not None and until <= console.clock():
        raise invalid("until", say("That time is over: name one to come."))
    return await commands.send(console, Snooze(until=until, **_about(console, principal, ticket.id, key)))


async def merge(
    console: Console, principal: Principal, ticket_id: str, into: str, *, key: str | None = None
) -> tuple[str, Accepted]:
    """The ticket's conversation goes on in another one (by id or number); that one's id. Raises `Problem` 409."""
    ticket = await _ticket(console, principal, ticket_id)
    try:
        target = await reading.row_of(console, principal, into.strip().lstrip("#"))
    except Problem:
        raise invalid("into", say("There is no such ticket.")) from None
    if target.id == ticket.id:
        raise conflict("same_ticket", say("A ticket cannot be merged into itself."))
    if target.merged_into is not None:
        raise conflict("merged", say("{number} was merged into another ticket itself.", number=target.number))
    command = Merge(into=target.id, **_about(console, principal, ticket.id, key))
    return target.id, await commands.send(console, command)


async def unmerge(console: Console, principal: Principal, ticket_id: str, *, key: str | None = None) -> Accepted:
    """Undo a merge."""
    ticket = await _ticket(console, principal, ticket_id)
    return await commands.send(console, Unmerge(**_about(console, principal, ticket.id, key)))


async def split(
    console: Console, principal: Principal, ticket_id: str, message_id: str, *, key: str | None = None
) -> tuple[str, Accepted]:
    """Move a mail into a ticket of its own; the new ticket's id. Raises `Problem` 422 for what is no mail of it."""
    ticket = await _ticket(console, principal, ticket_id)
    row = await reading.message_row(console, principal, message_id)
    if row.ticket_id != ticket.id or row.direction != "in" or row.kind != "mail" or row.split_to is not None:
        raise invalid("message_id", say("Only a mail that came in can be split from its ticket."))
    message = TicketMessage.model_validate(json.loads(row.document))
    about = _about(console, principal, ticket.id, key or f"split:{message_id}")
    accepted = await commands.send(console, Split(message_id=row.id, message=message, **about))
    return ids.derive("split", ticket.id, row.id), accepted


async def set_spam(
    console: Console, principal: Principal, ticket_id: str, spam: bool, *, key: str | None = None
) -> Accepted:
    """Among the spam, or not."""
    ticket = await _ticket(console, principal, ticket_id)
    return await commands.send(console, SetSpam(spam=spam, **_about(console, principal, ticket.id, key)))


async def together(
    console: Console,
    principal: Principal,
    ticket_ids: Sequence[str],
    given: Mapping[str, Any],
    *,
    key: str | None = None,
) -> dict[str, Any]:
    """Do one thing with many tickets: `{done: [id], refused: [{id, code, detail}]}`. Raises `Problem` 422 for too many.

    `given` is what `commands.change` takes, with `spam` and `snooze_until`.
    """
    principal.require(TICKETS)
    if not 1 <= len(ticket_ids) <= MOST_AT_ONCE:
        raise invalid("ids", say("Name 1 to {most} tickets.", most=MOST_AT_ONCE))
    drawn = key or passwords.drawn()
    done: list[str] = []
    refused: list[dict[str, Any]] = []
    for ticket_id in dict.fromkeys(ticket_ids):
        try:
            each = f"{drawn}:{ticket_id}"
            if given.get("spam") is not None:
                await set_spam(console, principal, ticket_id, bool(given["spam"]), key=each)
            elif "snooze_until" in given:
                await snooze(console, principal, ticket_id, given["snooze_until"], key=each)
            else:
                await commands.change(console, principal, ticket_id, given, idempotency_key=each)
            done.append(ticket_id)
        except Problem as problem:
            if problem.status not in (404, 409, 422):
                raise
            refused.append({"id": ticket_id, "code": problem.code, "detail": problem.detail})
    return {"done": done, "refused": refused}


async def _ticket(console: Console, principal: Principal, ticket_id: str) -> Any:
    principal.require(TICKETS)
    return await reading.row_of(console, principal, ticket_id)


def _about(console: Console, principal: Principal, ticket_id: str, key: str | None) -> dict[str, Any]:
    return commands.about(console, principal, ticket_id, key or passwords.drawn())
