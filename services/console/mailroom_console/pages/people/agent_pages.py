"""Agents: adding and changing them, their sign-in link, and everybody's own presence."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from mailroom_console.languages import say
from mailroom_console.live.changes import Change
from mailroom_console.pages.frame.deletion import Deletion, Doomed
from mailroom_console.pages.frame.visit import Page, Visit, field_problems, local
from mailroom_console.people import agents, queues
from mailroom_console.principals import CONFIG, TICKETS
from mailroom_console.problems import Problem

TAB_TTL_S = 45.0  # a tab renews it every 15 s
LEAVING_TTL_S = 6.0  # a page that goes away; the next page of the tab renews it before


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/agents/add", add_form, CONFIG),
        Page("POST", "/agents/add", add, CONFIG),
        Page("GET", "/agents/{id}", one, CONFIG),
        Page("POST", "/agents/{id}", update, CONFIG),
        Page("POST", "/agents/{id}/invite", invite, CONFIG),
        *DELETION.pages(),
        Page("POST", "/presence", presence, TICKETS),
    ]


async def presence(visit: Visit) -> Response:
    """Set the own presence: from script with a short life (`beat`, `leaving`), from the form until changed."""
    state = visit.text("presence")
    beat, leaving = visit.flag("beat"), visit.flag("leaving")
    ttl = LEAVING_TTL_S if leaving else TAB_TTL_S if beat else None
    if state == "offline":
        ttl = None
    who, live = visit.who, visit.console.live
    before = (await agents.presence_of(visit.console, who.portal_id, [who.id])).get(who.id)
    agent = await agents.set_presence(visit.console, who, who.id, state, ttl)
    if agent["presence"] != before:
        await live.changes.tell_all(Change(who.portal_id, "presence", who.id))
    if beat or leaving:
        return JSONResponse({"presence": agent["presence"]})
    said = {"online": say("You are online."), "away": say("You are away."), "offline": say("You are offline.")}[state]
    return visit.go(local(visit.text("back"), "/account"), said)


async def add_form(visit: Visit) -> Response:
    """An empty form."""
    form = {"name": "", "email": "", "role": "agent", "queue_ids": [], "active": True, "revision": 0}
    return await _show(visit, None, form, {})


async def add(visit: Visit) -> Response:
    """Add an agent and show the link to sign in with."""
    form = _read(visit)
    try:
        made = await agents.create(visit.console, visit.who, email=form["email"], name=form["name"], role=form["role"],
                                   queue_ids=form["queue_ids"])  # fmt: skip
    except Problem as problem:
        return await _show(visit, None, form, _problems(problem), problem.status)
    return await _show(visit, made, made, {}, 201, invitation=made.get("invite_url", ""))


async def one(visit: Visit) -> Response:
    """The form of an agent."""
    agent = await agents.one(visit.console, visit.who, visit.path("id"))
    return await _show(visit, agent, agent, {})


async def update(visit: Visit) -> Response:
    """Save."""
    agent = await agents.one(visit.console, visit.who, visit.path("id"))
    form = _read(visit)
    try:
        if form["email"] and form["email"].strip().lower() != agent["email"]:
            raise Problem(
                422, "invalid", say("An agent's address cannot be changed. Add another agent."), field="email"
            )
        await agents.change(visit.console, visit.who, agent["id"], name=form["name"], role=form["role"],
                            queue_ids=form["queue_ids"], active=form["active"], revision=form["revision"])  # fmt: skip
    except Problem as problem:
        conflict = problem.code == "revision_conflict"
        form["revision"] = agent["revision"] if conflict else form["revision"]
        shown = {} if conflict else _problems(problem)
        return await _show(visit, agent, form, shown, problem.status, conflict=conflict)
    return visit.go("/queues", say("{name} is saved.", name=form["name"] or agent["email"]))


async def invite(visit: Visit) -> Response:
    """A new link to choose a password with, shown once."""
    agent = await agents.one(visit.console, visit.who, visit.path("id"))
    link = await agents.invite(visit.console, visit.who, agent["id"])
    return await _show(visit, agent, agent, {}, invitation=link)


async def _doomed(visit: Visit) -> Doomed:
    agent = await agents.one(visit.console, visit.who, visit.path("id"))
    name = agent["name"] or agent["email"]
    told = [say("{name} is signed out and cannot sign in any more.", name=name), say("What they wrote stays on its tickets."),
            say("To give them no tickets for a while, make them inactive instead.")]  # fmt: skip
    return Doomed(agent["id"], name, say("agent"), told, say("{name} is deleted.", name=name))


DELETION = Deletion("queues", "/agents", _doomed, agents.remove, afterwards="/queues")


def _read(visit: Visit) -> dict[str, Any]:
    return {"name": visit.text("name"), "email": visit.text("email"), "role": visit.text("role"),
            "queue_ids": visit.texts("queue_ids"), "active": visit.flag("active"),
            "revision": visit.number("revision") or 0}  # fmt: skip


def _problems(problem: Problem) -> dict[str, Any]:
    return {"email": problem.detail} if problem.code == "email_taken" else field_problems(problem, {"queue_ids": ""})


async def _show(
    visit: Visit, agent: dict[str, Any] | None, form: dict[str, Any], problems: dict[str, Any], status: int = 200,
    *, conflict: bool = False, invitation: str = "",
) -> Response:  # fmt: skip
    found = await queues.named(visit.console, visit.who)
    return await visit.show("agent.html", "queues", status, agent=agent, form=form, problems=problems, queues=found,
                            conflict=conflict, invitation=invitation)  # fmt: skip
