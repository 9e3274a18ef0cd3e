"""Where tickets lie: tags, put aside, merged, split, spam, blocked senders; many at once; a list as a file."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
from datetime import datetime
from typing import Any

from starlette.responses import Response

from mailroom_console.languages import count, say
from mailroom_console.pages.frame.visit import Page, Visit, local
from mailroom_console.portals import blocked
from mailroom_console.principals import READ, TICKETS
from mailroom_console.problems import Problem, invalid
from mailroom_console.tickets import commands, drafts, formatted, handling, lists
from mailroom_console.tickets import reading as tickets

from .listing import filters_of

EXPORTED = 10_000
_COLUMNS = ("number", "status", "subject", "customer_email", "customer_name", "queue_id", "assignee_id", "tags",
            "created_at", "updated_at", "customer_wrote_at", "message_count")  # fmt: skip


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/tickets/export", export, READ),
        Page("POST", "/tickets/bulk", bulk, TICKETS),
        Page("POST", "/tickets/{id}/tags", tags, TICKETS),
        Page("POST", "/tickets/{id}/snooze", snooze, TICKETS),
        Page("POST", "/tickets/{id}/merge", merge, TICKETS),
        Page("POST", "/tickets/{id}/unmerge", unmerge, TICKETS),
        Page("POST", "/tickets/{id}/spam", spam, TICKETS),
        Page("POST", "/tickets/{id}/block", block, TICKETS),
        Page("POST", "/tickets/{id}/messages/{message}/split", split, TICKETS),
        Page("POST", "/tickets/{id}/messages/{message}/undo", undo, TICKETS),
    ]


async def tags(visit: Visit) -> Response:
    """Set the ticket's tags."""
    wanted = [tag.strip() for tag in visit.text("tags").split(",") if tag.strip()]
    return await _did(visit, commands.change(visit.console, visit.who, visit.path("id"), {"tags": wanted}))


async def snooze(visit: Visit) -> Response:
    """Put aside, or bring back."""
    return await _did(visit, handling.snooze(visit.console, visit.who, visit.path("id"), _until(visit)))


async def merge(visit: Visit) -> Response:
    """Into another ticket, by its number."""
    try:
        into, _ = await handling.merge(visit.console, visit.who, visit.path("id"), visit.text("into"))
    except Problem as problem:
        return _refused(visit, problem)
    return visit.go(f"/tickets/{into}", say("Merged. It can be undone below the conversation's head."))


async def unmerge(visit: Visit) -> Response:
    """Undo a merge."""
    return await _did(
        visit, handling.unmerge(visit.console, visit.who, visit.path("id")), say("It stands by itself again.")
    )


async def split(visit: Visit) -> Response:
    """A mail into a ticket of its own."""
    try:
        made, accepted = await handling.split(visit.console, visit.who, visit.path("id"), visit.path("message"))
    except Problem as problem:
        return _refused(visit, problem)
    if not accepted.shown:
        return visit.go("/tickets", say("Accepted. The new ticket appears in a moment."))
    if await _there(visit, made):
        return visit.go(f"/tickets/{made}")
    return visit.go(
        f"/tickets/{visit.path('id')}", say("It gets a ticket of its own. A link to it comes below in a moment.")
    )


async def spam(visit: Visit) -> Response:
    """Among the spam, or not."""
    return await _did(visit, handling.set_spam(visit.console, visit.who, visit.path("id"), visit.flag("spam")))


async def block(visit: Visit) -> Response:
    """Block the customer, or the domain; the ticket is spam."""
    ticket = await tickets.one(visit.console, visit.who, visit.path("id"))
    email = str(ticket["customer"]["email"])
    domain = email.rpartition("@")[2]
    try:
        if visit.text("what") == "domain":
            await blocked.add(visit.console, visit.who, domain=domain)
        else:
            await blocked.add(visit.console, visit.who, email=email)
        await handling.set_spam(visit.console, visit.who, ticket["id"], True)
    except Problem as problem:
        return _refused(visit, problem)
    who = domain if visit.text("what") == "domain" else email
    return visit.go("/tickets", say("Mail of {who} is spam from now on.", who=who))


async def undo(visit: Visit) -> Response:
    """Take back what is held: it is not sent, and stands in the writing box again."""
    ticket_id, message_id = visit.path("id"), visit.path("message")
    message = await tickets.one_message(visit.console, visit.who, message_id)
    try:
        await commands.cancel(visit.console, visit.who, message_id)
    except Problem as problem:
        return _refused(visit, problem)
    if message["kind"] == "reply" and visit.who.agent_id is not None:
        text = str(message["text"]).partition("\n\n-- \n")[0]
        kept: dict[str, Any] = {"text": text, "from_address_id": message["address_id"]}
        kept["html"] = formatted.without_signature(str(message["html"] or ""))
        kept |= {name: ", ".join(p["email"] for p in message[name]) for name in ("to", "cc", "bcc")}
        await drafts.put(visit.console, visit.who, ticket_id, kept)
    return visit.go(f"/tickets/{ticket_id}#composer", say("It is not sent. Your words are below."))


async def bulk(visit: Visit) -> Response:
    """One thing with all tickets that are ticked."""
    back = local(visit.text("back"), "/tickets")
    what, _, value = visit.text("do").partition(":")
    choices: dict[str, dict[str, Any]] = {
        "close": {"status": "closed"}, "open": {"status": "open"}, "pending": {"status": "pending"},
        "assign": {"assignee_id": value or None}, "queue": {"queue_id": value}, "spam": {"spam": True},
        "notspam": {"spam": False}, "tag": {"add_tags": [visit.text("tag")]},
    }  # fmt: skip
    given = choices.get(what, {})
    chosen = visit.texts("ticket")
    if not given or not chosen or (what == "tag" and not visit.text("tag").strip()):
        return visit.go(back, say("Tick some tickets, and choose what to do with them."), "warn")
    done = await handling.together(visit.console, visit.who, chosen[: handling.MOST_AT_ONCE], given)
    refused = done["refused"]
    said = count(len(done["done"]), "One ticket changed.", "{n} tickets changed.")
    if refused:
        said += " " + say("{n} not: {reason}", n=len(refused), reason=refused[0]["detail"])
    return visit.go(back, said, "warn" if refused else "good")


async def export(visit: Visit) -> Response:
    """The list as CSV (RFC 4180), at most 10,000 rows; what a spreadsheet would take for a formula is text."""
    filters, rows, after = filters_of(visit), 0, None
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    while rows < EXPORTED:
        page = await lists.listed(visit.console, visit.who, filters, limit=200, after=after)
        for ticket in page.items:
            flat = ticket | {"customer_email": ticket["customer"]["email"], "customer_name": ticket["customer"]["name"],
                             "tags": ", ".join(ticket["tags"])}  # fmt: skip
            writer.writerow([_cell(flat.get(name)) for name in _COLUMNS])
        rows, after = rows + len(page.items), page.next
        if after is None:
            break
    headers = {"Content-Disposition": 'attachment; filename="tickets.csv"', "Cache-Control": "private, no-store",
               "X-Content-Type-Options": "nosniff"}  # fmt: skip
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _until(visit: Visit) -> datetime | None:
    text = (visit.text("until_local") or visit.text("until")).strip()
    if not text or text == "now":
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("until", say("That is no time.")) from None
    return when if when.tzinfo is not None else when.replace(tzinfo=visit.zone)


async def _there(visit: Visit, ticket_id: str) -> bool:
    """Whether the ticket is there within the time that a page waits; it lies on another partition than what made it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(visit.console.settings.wait_s):
            while not await tickets.which_are_there(visit.console, visit.who, [ticket_id]):  # noqa: ASYNC110 - a database's row
                await asyncio.sleep(0.1)
            return True
    return False


async def _did(visit: Visit, work: Any, said: str = "") -> Response:
    try:
        await work
    except Problem as problem:
        return _refused(visit, problem)
    return visit.go(f"/tickets/{visit.path('id')}", said)


def _refused(visit: Visit, problem: Problem) -> Response:
    if problem.status not in (409, 422):
        raise problem
    return visit.go(f"/tickets/{visit.path('id')}", problem.detail, "bad")
