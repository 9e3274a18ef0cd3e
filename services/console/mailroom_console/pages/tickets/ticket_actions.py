"""What agents do with a ticket: assign, take, close, move, confirm a sender, resend, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from mailroom_console.languages import say
from mailroom_console.pages.frame.visit import Page, Visit, local
from mailroom_console.principals import TICKETS
from mailroom_console.problems import Problem
from mailroom_console.tickets import commands
from mailroom_console.tickets import reading as tickets


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("POST", "/tickets/{id}/assign", assign, TICKETS),
        Page("POST", "/tickets/{id}/take", take, TICKETS),
        Page("POST", "/tickets/{id}/status", set_status, TICKETS),
        Page("POST", "/tickets/{id}/move", move, TICKETS),
        Page("POST", "/tickets/{id}/confirm-sender", confirm_sender, TICKETS),
        Page("POST", "/tickets/{id}/messages/{message}/resend", resend, TICKETS),
        Page("POST", "/tickets/{id}/messages/{message}/cancel", cancel, TICKETS),
    ]


async def assign(visit: Visit) -> Response:
    """Give the ticket to an agent, or to nobody."""
    return await _change(visit, {"assignee_id": visit.text("assignee_id") or None})


async def take(visit: Visit) -> Response:
    """Take the ticket. One that somebody else took in the meantime is not taken from them."""
    ticket = await tickets.one(visit.console, visit.who, visit.path("id"))
    only = not visit.flag("over") and ticket["assignee_id"] is None
    return await _change(visit, {"assignee_id": visit.who.agent_id, "only_if_unassigned": only})


async def set_status(visit: Visit) -> Response:
    """Open, set pending, close."""
    return await _change(visit, {"status": visit.text("status")})


async def move(visit: Visit) -> Response:
    """Move to another queue."""
    answer = await _change(visit, {"queue_id": visit.text("queue_id")})
    try:
        await tickets.row_of(visit.console, visit.who, visit.path("id"))
    except Problem:
        return visit.go("/tickets", say("Moved. The ticket is in a queue that you do not work in."))
    return answer


async def confirm_sender(visit: Visit) -> Response:
    """A new sender takes part from now on."""
    ticket_id, email = visit.path("id"), visit.text("email")
    await commands.confirm_sender(visit.console, visit.who, ticket_id, email)
    return visit.go(f"/tickets/{ticket_id}", say("{email} takes part in this ticket.", email=email))


async def resend(visit: Visit) -> Response:
    """Send a message again: to those whom it did not reach, or to the recipients named."""
    await tickets.row_of(visit.console, visit.who, visit.path("id"))
    named = visit.texts("recipient") or None
    return await _of_message(
        visit, lambda m: commands.resend(visit.console, visit.who, m, recipients=named), say("It is sent again.")
    )


async def cancel(visit: Visit) -> Response:
    """Do not send a message that waits."""
    await tickets.row_of(visit.console, visit.who, visit.path("id"))
    return await _of_message(visit, lambda m: commands.cancel(visit.console, visit.who, m), say("It is not sent."))


async def _of_message(visit: Visit, act: Any, said: str) -> Response:
    message_id = visit.path("message")
    back = local(visit.text("back"), f"/tickets/{visit.path('id')}#message-{message_id}")
    try:
        await act(message_id)
    except Problem as problem:
        if problem.status != 409:
            raise
        return visit.go(back, problem.detail, "bad")
    return visit.go(back, said)


async def _change(visit: Visit, given: Mapping[str, Any]) -> Response:
    ticket_id = visit.path("id")
    try:
        shown = await commands.change(visit.console, visit.who, ticket_id, given)
    except Problem as problem:
        if problem.status != 409:
            raise
        return visit.go(f"/tickets/{ticket_id}", problem.detail, "bad")
    return visit.go(f"/tickets/{ticket_id}", "" if shown else say("Accepted. It shows in a moment."))
