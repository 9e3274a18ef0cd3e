"""Agents' tools of a portal: canned answers and blocked senders."""

from __future__ import annotations

from starlette.responses import Response

from mailroom_console.languages import say
from mailroom_console.pages.frame.pager import part_of
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.people import queues
from mailroom_console.portals import blocked, canned
from mailroom_console.principals import TICKETS
from mailroom_console.problems import Problem

MOST_FORMS = 10  # on a page: each offers every queue
_EMPTY = {"id": "", "name": "", "text": "", "queue_id": ""}


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/canned", canned_list, TICKETS),
        Page("POST", "/canned", canned_put, TICKETS),
        Page("POST", "/canned/delete", canned_delete, TICKETS),
        Page("GET", "/blocked", blocked_list, TICKETS),
        Page("POST", "/blocked", block, TICKETS),
        Page("POST", "/blocked/delete", unblock, TICKETS),
    ]


async def canned_list(visit: Visit) -> Response:
    """All canned answers, and an empty form."""
    return await _canned(visit, dict(_EMPTY), [])


async def canned_put(visit: Visit) -> Response:
    """Add or change one."""
    form = {name: visit.text(name) for name in _EMPTY}
    try:
        await canned.put(visit.console, visit.who, name=form["name"], text=form["text"],
                         queue_id=form["queue_id"] or None, canned_id=form["id"] or None)  # fmt: skip
    except Problem as problem:
        return await _canned(visit, form, [problem.detail], problem.status)
    return visit.go("/canned", say("Saved."))


async def canned_delete(visit: Visit) -> Response:
    """Delete one."""
    await canned.remove(visit.console, visit.who, visit.text("id"))
    return visit.go("/canned", say("Deleted."))


async def _canned(visit: Visit, form: dict[str, str], problems: list[str], status: int = 200) -> Response:
    part = part_of(visit, await canned.listed(visit.console, visit.who), size=MOST_FORMS)
    found = [form if c["id"] == form["id"] else c for c in part.items]
    if form["id"] and form not in found:  # it was refused, and stands in another part
        found = [form, *found]
    items = [*found, form if not form["id"] else dict(_EMPTY)]
    return await visit.show(
        "canned.html", "portal", status, items=items, part=part, problems=problems,
        queues=await queues.named(visit.console, visit.who),
    )  # fmt: skip


async def blocked_list(visit: Visit) -> Response:
    """Who is blocked."""
    return await _blocked(visit, [])


async def block(visit: Visit) -> Response:
    """Block an address or a domain."""
    entry = visit.text("entry").strip()
    try:
        if "@" in entry.lstrip("@"):
            await blocked.add(visit.console, visit.who, email=entry)
        else:
            await blocked.add(visit.console, visit.who, domain=entry)
    except Problem as problem:
        return await _blocked(visit, [problem.detail], problem.status)
    return visit.go("/blocked", say("Mail of {entry} is spam from now on.", entry=entry))


async def unblock(visit: Visit) -> Response:
    """Take one off the list."""
    entry = visit.text("entry")
    if "@" in entry:
        await blocked.remove(visit.console, visit.who, email=entry)
    else:
        await blocked.remove(visit.console, visit.who, domain=entry)
    return visit.go("/blocked", say("Mail of {entry} comes in as any other again.", entry=entry))


async def _blocked(visit: Visit, problems: list[str], status: int = 200) -> Response:
    part = part_of(visit, await blocked.listed(visit.console, visit.who))
    items = [{"email": "", "domain": "", **item} for item in part.items]
    return await visit.show("blocked.html", "portal", status, items=items, part=part, problems=problems)
