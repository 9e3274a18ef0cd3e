"""Tickets: lists and search, the conversation with its reply editor."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from mailroom_console.access import passwords
from mailroom_console.addresses import records as addresses
from mailroom_console.pages.frame.frame import shown_count
from mailroom_console.pages.frame.visit import Page, Visit, local
from mailroom_console.people import agents, queues
from mailroom_console.principals import READ, TICKETS, Principal
from mailroom_console.problems import Problem
from mailroom_console.tickets import commands, drafts
from mailroom_console.tickets import lists as ticket_lists
from mailroom_console.tickets import reading as tickets

from . import ticket_view

_VIEWS = {
    "open": ("Open tickets", "Open"),
    "mine": ("My tickets", "Mine"),
    "unassigned": ("Unassigned", "Unassigned"),
    "waiting": ("Waiting for an answer", "Waiting"),
    "failed": ("Not delivered", "Failed"),
    "pending": ("Pending tickets", "Pending"),
    "closed": ("Closed tickets", "Closed"),
    "all": ("All tickets", "All"),
}
_EMPTY = {
    "open": ("Nothing is open", "New mail to your addresses appears here by itself."),
    "mine": ("You have no open tickets", "Take one from Unassigned."),
    "unassigned": ("Everything has an agent", ""),
    "waiting": ("Nobody waits for an answer", ""),
    "failed": ("Every mail arrived", ""),
    "pending": ("Nothing is pending", ""),
    "closed": ("Nothing is closed yet", ""),
    "all": ("No tickets yet", "Mail to your addresses appears here by itself."),
}


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/tickets", listing, READ),
        Page("GET", "/tickets/{id}", one, READ),
        Page("POST", "/tickets/{id}/draft", draft, TICKETS, quick=True),
    ]


async def listing(visit: Visit) -> Response:
    """One list: a view, of all queues or of one, or what a search found."""
    view = visit.query("view", "open")
    view = view if view in _VIEWS else "open"
    queue_id, query, after = visit.query("queue"), visit.query("q").strip()[:200], visit.query("after")
    found = {q["id"]: q for q in (await queues.listed(visit.console, visit.who)).items}
    if queue_id and queue_id not in found:
        queue_id = ""
    people = {a["id"]: a for a in (await agents.listed(visit.console, visit.who)).items}
    filters = _filters(view, queue_id, query, searching=bool(query) and "view" not in visit.request.query_params)
    page = await ticket_lists.listed(visit.console, visit.who, filters, limit=30, after=after or None)
    rail = await visit.console.read.rail(visit.who, [queue_id] if queue_id else list(found))

    def link(**changes: str | None) -> str:
        values = {"view": view, "queue": queue_id, "q": query, **changes}
        if "view" in changes:
            values["q"] = ""
        return f"/tickets?{urlencode({k: v for k, v in values.items() if v})}"

    heading = found[queue_id]["name"] if queue_id else _VIEWS[view][0]
    if query:
        heading = f"Search: {query[:60]}"
    title, told = ("Nothing found", "Try fewer or shorter words.") if query else _EMPTY[view]
    return await visit.show(
        "tickets.html", "tickets", view=view, queue_id=queue_id, query=query, heading=heading, explanation="",
        link=link, views=[(name, words[1], shown_count(rail.get(name, 0))) for name, words in _VIEWS.items()],
        tickets=[ticket_view.row(t, found, people) for t in page.items], empty={"title": title, "text": told},
        older=link(after=page.next, view=view, q=query) if page.next else None,
        newer=link(after=None, view=view, q=query) if after else None,
    )  # fmt: skip


def _filters(view: str, queue_id: str, query: str, *, searching: bool) -> ticket_lists.Filters:
    if searching:  # a search looks everywhere
        return ticket_lists.Filters(queue_id=queue_id or None, q=query)
    status = view if view in ("open", "pending", "closed") else None
    named = view if view in ticket_lists.VIEWS else None
    return ticket_lists.Filters(queue_id=queue_id or None, status=status, view=named, q=query or None)


async def one(visit: Visit) -> Response:
    """The conversation."""
    return await show_one(visit, {})


async def show_one(
    visit: Visit, form: dict[str, Any], problems: list[str] | None = None, status: int = 200
) -> Response:
    """The ticket's page; `form` holds what was written when it was not accepted."""
    ticket = await tickets.one(visit.console, visit.who, visit.path("id"))
    found = {q["id"]: q for q in (await queues.listed(visit.console, visit.who)).items}
    people = {a["id"]: a for a in (await agents.listed(visit.console, visit.who)).items}
    address = await _address(visit, ticket["address_id"])
    choices = await commands.sending_choices(visit.console, visit.who, ticket["id"])
    senders = _senders(choices, address, ticket)
    kept = await _draft(visit, ticket["id"])
    wanted = form.get("from_address_id") or visit.query("from") or kept.get("from_address_id", "")
    chosen = next((s["id"] for s in senders if s["id"] == wanted), None)
    can_send = bool(senders) and (choices["can_reply"] or chosen is not None)
    writing = form.get("kind") or ("note" if visit.query("write") == "note" else "reply")
    queue = found.get(ticket["queue_id"])
    return await visit.show(
        "ticket.html", "tickets", status, ticket=ticket, address=address,
        timeline=ticket_view.timeline(ticket, found, people), back=_back(visit, ticket),
        back_text=queue["name"] if queue else "Tickets", composer=writing, problems=problems or [], can_send=can_send,
        closed_reason=choices["reason"] or "", closed_help=_closed_help(visit.who), senders=senders,
        from_id=chosen or (senders[0]["id"] if senders else ""), reply_to=ticket_view.recipients(ticket),
        draft={name: form.get(name, kept.get(name) or "") for name in ("text", "cc", "bcc")},
        note_draft={"text": form.get("note", kept.get("note") or "")},
        reply_key=form.get("key") or kept.get("key") or passwords.drawn(), note_key=passwords.drawn(),
        agents=[a for a in people.values() if _may_have(a, ticket)], queues=list(found.values()),
    )  # fmt: skip


def _senders(choices: dict[str, Any], address: dict[str, Any] | None, ticket: dict[str, Any]) -> list[dict[str, Any]]:
    """What the From choice offers, the ticket's own address first."""
    offers = list(choices["send_from"])
    if choices["can_reply"] and address is not None and all(o["id"] != address["id"] for o in offers):
        offers.append(address)
    return sorted(offers, key=lambda a: (a["id"] != ticket["address_id"], a["email"]))


def _may_have(agent: dict[str, Any], ticket: dict[str, Any]) -> bool:
    if agent["id"] == ticket["assignee_id"]:
        return True
    return agent["active"] and (ticket["queue_id"] in agent["queue_ids"] or agent["role"] == "administrator")


def _closed_help(principal: Principal) -> str:
    told = "No address of this queue can send. "
    if principal.is_administrator:
        return told + "Add a Gmail or SMTP address to this queue, and replies can leave from it."
    return told + "An administrator can add a Gmail or SMTP address to it."


async def _address(visit: Visit, address_id: str) -> dict[str, Any] | None:
    try:
        return await addresses.one(visit.console, visit.who, address_id)
    except Problem:  # it was deleted
        return None


async def _draft(visit: Visit, ticket_id: str) -> dict[str, Any]:
    if TICKETS not in visit.who.scopes or visit.who.agent_id is None:
        return {}
    return await drafts.get(visit.console, visit.who, ticket_id) or {}


def _back(visit: Visit, ticket: dict[str, Any]) -> str:
    return local(visit.query("back"), f"/tickets?{urlencode({'queue': ticket['queue_id']})}")


async def draft(visit: Visit) -> Response:
    """Keep what is being written; reply and note share one draft, each with its own fields."""
    ticket_id = visit.path("id")
    kept = await drafts.get(visit.console, visit.who, ticket_id) or {}
    content = {k: v for k, v in kept.items() if k not in ("ticket_id", "key", "updated_at")}
    if visit.text("kind") == "note":
        content["note"] = visit.text("text")
    else:
        content |= {name: visit.text(name) for name in ("text", "cc", "bcc", "from_address_id")}
    if not any(content.get(name) for name in ("text", "note", "cc", "bcc")):
        await drafts.forget(visit.console, visit.who, ticket_id)
        return JSONResponse({"kept": False})
    saved = await drafts.put(visit.console, visit.who, ticket_id, content)
    return JSONResponse({"kept": True, "key": saved["key"]})
