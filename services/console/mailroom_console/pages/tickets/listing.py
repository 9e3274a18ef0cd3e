"""Lists of tickets: views, filters, search; the filter is in the address, so that it can be kept as a view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from mailroom_console import times
from mailroom_console.addresses import records as addresses
from mailroom_console.languages import mark, say
from mailroom_console.pages.frame.frame import shown_count
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.people import agents, queues
from mailroom_console.principals import READ
from mailroom_console.tickets import lists as ticket_lists

from . import ticket_view

_VIEWS = {
    "open": (mark("Open tickets"), mark("Open")),
    "mine": (mark("My tickets"), mark("Mine")),
    "unassigned": (mark("Unassigned"), mark("Unassigned")),
    "waiting": (mark("Waiting for an answer"), mark("Waiting")),
    "failed": (mark("Not delivered"), mark("Failed")),
    "pending": (mark("Pending tickets"), mark("Pending")),
    "snoozed": (mark("Put aside"), mark("Snoozed")),
    "closed": (mark("Closed tickets"), mark("Closed")),
    "spam": (mark("Spam"), mark("Spam")),
    "all": (mark("All tickets"), mark("All")),
}
_EMPTY = {
    "open": (mark("Nothing is open"), mark("New mail to your addresses appears here by itself.")),
    "mine": (mark("You have no open tickets"), mark("Take one from Unassigned.")),
    "unassigned": (mark("Everything has an agent"), ""),
    "waiting": (mark("Nobody waits for an answer"), ""),
    "failed": (mark("Every mail arrived"), ""),
    "pending": (mark("Nothing is pending"), ""),
    "snoozed": (
        mark("Nothing is put aside"),
        mark("A snoozed ticket comes back in time, or when the customer writes."),
    ),
    "closed": (mark("Nothing is closed yet"), ""),
    "spam": (mark("No spam"), mark("Mail of blocked senders, and what was judged to be spam, lies here.")),
    "all": (mark("No tickets yet"), mark("Mail to your addresses appears here by itself.")),
}
_NARROWING = ("agent", "tag", "address", "customer", "since", "sort")


def pages() -> list[Page]:
    """The routes."""
    return [Page("GET", "/tickets", listing, READ)]


async def listing(visit: Visit) -> Response:
    """One list: a view, of all queues or of one, narrowed by filters, or what a search found."""
    view = _view(visit)
    queue_id, query, after = visit.query("queue"), visit.query("q").strip()[:200], visit.query("after")
    names = await queues.named(visit.console, visit.who)
    found = {id: {"id": id, "name": name} for id, name in names.items()}
    if queue_id and queue_id not in found:
        queue_id = ""
    people = await agents.named(visit.console, visit.who)
    narrowed = {name: visit.query(name).strip()[:320] for name in _NARROWING if visit.query(name).strip()}
    page = await ticket_lists.listed(
        visit.console, visit.who, filters_of(visit, queue_id=queue_id), limit=30, after=after or None
    )
    rail = await visit.console.read.rail(visit.who, [queue_id] if queue_id else list(found))

    def link(**changes: str | None) -> str:
        values = {"view": view, "queue": queue_id, "q": query, **narrowed, **changes}
        if "view" in changes:
            values["q"] = ""
        return f"/tickets?{urlencode({k: v for k, v in values.items() if v})}"

    heading = found[queue_id]["name"] if queue_id else say(_VIEWS[view][0])
    if query:
        heading = say("Search: {query}", query=query[:60])
    searched = bool(query or set(narrowed) - {"sort"})
    title, told = (
        (say("Nothing found"), say("Try fewer or shorter words, or less filters."))
        if searched
        else [say(text) for text in _EMPTY[view]]
    )
    own = [{"id": a["id"], "email": a["email"]} for a in (await addresses.listed(visit.console, visit.who)).items]
    return await visit.show(
        "tickets.html", "tickets", view=view, queue_id=queue_id, query=query, heading=heading, explanation="",
        link=link, views=[(name, say(words[1]), shown_count(rail.get(name, 0))) for name, words in _VIEWS.items()],
        tickets=[ticket_view.row(t, found, people) for t in page.items], empty={"title": title, "text": told},
        older=link(after=page.next, view=view, q=query) if page.next else None,
        newer=link(after=None, view=view, q=query) if after else None, narrowed={name: narrowed.get(name, "") for name in _NARROWING}, agents=[(id, a["name"] or a["email"]) for id, a in people.items()],
        queues=names.items(), addresses=own, tags=await ticket_lists.tags_used(visit.console, visit.who),
        here=link(view=view, q=query), filtered=bool(narrowed), export=link(view=view, q=query).replace("/tickets?", "/tickets/export?", 1),
        clear=f"/tickets?{urlencode({k: v for k, v in {'view': view, 'queue': queue_id}.items() if v})}",
    )  # fmt: skip


def filters_of(visit: Visit, *, queue_id: str | None = None) -> ticket_lists.Filters:
    """The filters that the page's address holds."""
    query = visit.query("q").strip()[:200]
    wanted = queue_id if queue_id is not None else visit.query("queue")
    narrow: dict[str, Any] = {
        "address_id": visit.query("address") or None, "tag": visit.query("tag").strip() or None,
        "customer": visit.query("customer").strip() or None, "since": _since(visit),
        "sort": "oldest" if visit.query("sort") == "oldest" else "newest",
        "assignee_id": visit.query("agent") or None,
    }  # fmt: skip
    if query and "view" not in visit.request.query_params:  # a search looks everywhere
        return ticket_lists.Filters(queue_id=wanted or None, q=query, **narrow)
    view = _view(visit)
    status = view if view in ("open", "pending", "closed") else None
    named = view if view in ticket_lists.VIEWS else None
    return ticket_lists.Filters(queue_id=wanted or None, status=status, view=named, q=query or None, **narrow)


def _view(visit: Visit) -> str:
    view = visit.query("view", "open")
    return view if view in _VIEWS else "open"


def _since(visit: Visit) -> int | None:
    try:
        day = datetime.fromisoformat(visit.query("since").strip())
        moment = day if day.tzinfo is not None else day.replace(tzinfo=visit.zone)
        return times.micros(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        return None
