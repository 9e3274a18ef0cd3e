"""Queues and agents on one page; adding, changing and deleting queues."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mailroom_console.addresses import records as addresses
from mailroom_console.languages import count, say
from mailroom_console.pages.frame.deletion import Deletion, Doomed
from mailroom_console.pages.frame.pager import part_of
from mailroom_console.pages.frame.visit import Page, Visit, field_problems
from mailroom_console.people import agents, queues
from mailroom_console.principals import CONFIG, READ
from mailroom_console.problems import Problem

MOST_NAMED = 20  # addresses of a queue, queues of an agent


def pages() -> list[Page]:
    """The routes."""
    return [
        Page("GET", "/queues", listing, READ),
        Page("GET", "/queues/add", add_form, CONFIG),
        Page("POST", "/queues/add", add, CONFIG),
        Page("GET", "/queues/{id}", one, CONFIG),
        Page("POST", "/queues/{id}", update, CONFIG),
        *DELETION.pages(),
    ]


async def listing(visit: Visit) -> Response:
    """Queues with their agents and waiting tickets, and all agents."""
    people = (await agents.listed(visit.console, visit.who)).items
    found = (await queues.listed(visit.console, visit.who)).items
    by_id = {agent["id"]: agent for agent in people}
    names = {queue["id"]: queue["name"] for queue in found}
    some, crew = part_of(visit, found), part_of(visit, people, "agents_from")
    emails = await addresses.emails_of_queues(visit.console, visit.who)
    for agent in crew.items:
        agent["queue_names"], agent["more_queues"] = _some([names[i] for i in agent["queue_ids"] if i in names])
    shown = []
    for queue in some.items:
        known, more = _some(emails.get(queue["id"], []))
        shown.append(queue | _with_agents(queue, by_id) | {"addresses": known, "more_addresses": more})
    return await visit.show(
        "queues.html", "queues", queues=shown, agents=crew.items, queues_part=some, agents_part=crew
    )


def _some(names: list[str]) -> tuple[list[str], int]:
    """Those that are named, and how many more there are."""
    return names[:MOST_NAMED], max(0, len(names) - MOST_NAMED)


def _with_agents(queue: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> dict[str, Any]:
    members = [by_id[i] for i in queue["agent_ids"] if i in by_id and by_id[i]["active"]]
    order = {"online": 0, "away": 1}
    members.sort(key=lambda agent: (order.get(agent["presence"], 2), agent["name"]))
    online = sum(agent["presence"] == "online" for agent in members)
    told = (
        count(len(members), "{online} of {n} agent online", "{online} of {n} agents online", online=online)
        if members
        else say("Nobody works in it yet")
    )
    return {"agents": members, "agents_words": told}


async def add_form(visit: Visit) -> Response:
    """An empty form."""
    return await _show(visit, None, {"name": "", "agent_ids": [], "revision": 0}, {})


async def add(visit: Visit) -> Response:
    """Make a queue."""
    form = _read(visit)
    try:
        made = await queues.create(visit.console, visit.who, name=form["name"], agent_ids=form["agent_ids"])
    except Problem as problem:
        return await _show(visit, None, form, _problems(problem), problem.status)
    return visit.go(
        "/queues", say("{name} is there. Choose it as the queue of an address to fill it.", name=made["name"])
    )


async def one(visit: Visit) -> Response:
    """The form of a queue."""
    queue = await queues.one(visit.console, visit.who, visit.path("id"))
    return await _show(visit, queue, queue, {})


async def update(visit: Visit) -> Response:
    """Save name and agents."""
    queue = await queues.one(visit.console, visit.who, visit.path("id"))
    form = _read(visit)
    try:
        await queues.change(visit.console, visit.who, queue["id"], name=form["name"], agent_ids=form["agent_ids"],
                            revision=form["revision"])  # fmt: skip
    except Problem as problem:
        conflict = problem.code == "revision_conflict"
        form["revision"] = queue["revision"] if conflict else form["revision"]
        return await _show(visit, queue, form, {} if conflict else _problems(problem), problem.status, conflict)
    return visit.go("/queues", say("{name} is saved.", name=form["name"]))


async def _doomed(visit: Visit) -> Doomed:
    queue = await queues.one(visit.console, visit.who, visit.path("id"))
    told = [
        say("Closed tickets stay and can still be found."),
        say("A queue with addresses or open tickets cannot be deleted."),
    ]
    return Doomed(queue["id"], queue["name"], say("queue"), told, say("{name} is deleted.", name=queue["name"]))


DELETION = Deletion("queues", "/queues", _doomed, queues.remove, afterwards="/queues")


def _read(visit: Visit) -> dict[str, Any]:
    return {"name": visit.text("name"), "agent_ids": visit.texts("agent_ids"),
            "revision": visit.number("revision") or 0}  # fmt: skip


def _problems(problem: Problem) -> dict[str, Any]:
    return {"name": problem.detail} if problem.code == "name_taken" else field_problems(problem, {"agent_ids": ""})


async def _show(
    visit: Visit, queue: dict[str, Any] | None, form: dict[str, Any], problems: dict[str, Any], status: int = 200,
    conflict: bool = False,
) -> Response:  # fmt: skip
    people = [a for a in (await agents.listed(visit.console, visit.who)).items if a["active"]]
    return await visit.show("queue.html", "queues", status, queue=queue, form=form, problems=problems, agents=people,
                            conflict=conflict)  # fmt: skip
