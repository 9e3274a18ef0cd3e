"""Deleting a portal: for who operates the platform, with the platform's token. These pages need no session.

An agent's session is of one portal and never has the scope `platform`; the portal may be gone before its pages are.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from mailroom_runtime.seals.sealing import SealBroken
from starlette.responses import Response

from mailroom_console.access import platform_entry
from mailroom_console.erasing import asked, portals_named
from mailroom_console.languages import mark, say
from mailroom_console.pages.frame.visit import Page, Visit, field_problems
from mailroom_console.problems import Problem, invalid, not_found

PATH = "/platform/delete-portal"
LOOK_AGAIN_S = 5
_SEAL = "deletion of a portal"


def pages() -> list[Page]:
    """The routes; whoever has the link of a deletion sees how far it is."""
    return [
        Page("GET", PATH, show, None),
        Page("POST", PATH, remove, None),
        Page("GET", f"{PATH}/progress", progress, None),
    ]


async def show(visit: Visit) -> Response:
    """Ask for the portal's name and the token."""
    return await _show(visit)


async def remove(visit: Visit) -> Response:
    """Begin to delete it. The token is in no answer: after a mistake it is typed again."""
    form = {"name": visit.text("name")[:300], "portal": visit.text("portal")[:64]}
    found: list[dict[str, Any]] = []
    try:
        client = visit.request.client.host if visit.request.client else ""
        operator = await platform_entry.by_token(visit.console, visit.text("token")[:1000], client=client)
        found = await portals_named.named(visit.console, operator, form["name"])
        if not found:
            raise invalid("name", say("There is no portal of exactly this name."))
        chosen = found if len(found) == 1 else [one for one in found if one["id"] == form["portal"]]
        if not chosen:
            raise invalid("portal", say("Several portals have this name. Choose one, and type the token again."))
        begun = await asked.delete_portal(visit.console, operator, chosen[0]["id"], typed=form["name"])
    except Problem as problem:
        answer = await _show(visit, form, field_problems(problem), found, problem.status)
        if problem.more.get("retry_after"):
            answer.headers["Retry-After"] = str(problem.more["retry_after"])
        return answer
    # who may see how far it is, is who has this link: erasures have ids that can be worked out
    key = visit.console.sealer.seal(begun["id"], bound_to=_SEAL)
    return visit.go(f"{PATH}/progress?{urlencode({'key': key})}")


async def progress(visit: Visit) -> Response:
    """How far a deletion is."""
    try:
        erasure = visit.console.sealer.open(visit.query("key")[:1000], bound_to=_SEAL)
    except SealBroken:
        raise not_found(mark("page")) from None
    told = await portals_named.progress(visit.console, erasure)
    if told is None:
        raise not_found(mark("page"))
    answer = await visit.show(
        "portal_removed.html", "", e=told, again=visit.request.url.path + "?" + visit.request.url.query
    )
    if told["state"] != asked.DONE:
        answer.headers["Refresh"] = str(LOOK_AGAIN_S)
    return answer


async def _show(
    visit: Visit, form: dict[str, str] | None = None, problems: dict[str, Any] | None = None,
    found: list[dict[str, Any]] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    several = found if found is not None and len(found) > 1 else []
    return await visit.show(
        "portal_remove.html", "", status, form=form or {"name": "", "portal": ""}, problems=problems or {}, several=several,
        action=PATH,
    )  # fmt: skip
