"""Forgetting a person: what is known of an address, as a file; forgetting it, with the address typed again; how that stands."""

from __future__ import annotations

import json
from typing import Any

from mailroom_mail import comparable
from starlette.responses import Response

from mailroom_console.erasing import asked, export
from mailroom_console.languages import say
from mailroom_console.pages.frame.pager import part_of
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import ADMIN
from mailroom_console.problems import Problem


def pages() -> list[Page]:
    """The routes. An address is never part of one: it would stay in logs."""
    return [
        Page("GET", "/forgetting", show, ADMIN),
        Page("POST", "/forgetting", look, ADMIN),
        Page("POST", "/forgetting/export", save, ADMIN),
        Page("POST", "/forgetting/erase", erase, ADMIN),
    ]


async def show(visit: Visit) -> Response:
    """Ask for an address, and what was asked before."""
    return await _show(visit)


async def look(visit: Visit) -> Response:
    """What is known of an address."""
    email = visit.text("email").strip()
    try:
        found = await export.known(visit.console, visit.who, email)
    except Problem as problem:
        return await _show(visit, email=email, problems={"email": problem.detail}, status=problem.status)
    return await _show(visit, email=email, found=found)


async def save(visit: Visit) -> Response:
    """All that is known of an address, as a file."""
    items: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        part = await export.exported(visit.console, visit.who, visit.text("email"), after=after)
        items += part.items
        if (after := part.next) is None:
            break
    return Response(
        json.dumps({"tickets": items}, ensure_ascii=False, indent=1), media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "no-store"},
    )  # fmt: skip


async def erase(visit: Visit) -> Response:
    """Forget it, when it was typed again."""
    email = visit.text("email").strip()
    if comparable(visit.text("again").strip()) != comparable(email):
        found = await export.known(visit.console, visit.who, email)
        problem = say("That is another address. Nothing was done.")
        return await _show(visit, email=email, found=found, problems={"again": problem}, status=422)
    await asked.erase_person(visit.console, visit.who, email)
    return visit.go("/forgetting", say("It is being forgotten. How that stands is shown below."))


async def _show(
    visit: Visit, *, email: str = "", found: dict[str, int] | None = None, problems: dict[str, str] | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    part = part_of(visit, await asked.listed(visit.console, visit.who))
    return await visit.show(
        "forgetting.html", "portal", status, email=email, found=found, problems=problems or {}, part=part
    )
