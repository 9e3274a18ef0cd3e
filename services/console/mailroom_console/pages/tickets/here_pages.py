"""Who else has a ticket open: told by the pages every few seconds, forgotten when they stop."""

from __future__ import annotations

from starlette.responses import Response

from mailroom_console.languages import mark, say
from mailroom_console.live.changes import Change
from mailroom_console.pages.frame.visit import Page, Visit
from mailroom_console.principals import READ
from mailroom_console.tickets import reading as tickets

WORDS = {"reading": mark("{name} is reading this ticket"), "writing": mark("{name} is writing an answer")}


def pages() -> list[Page]:
    """The routes."""
    return [Page("POST", "/tickets/{id}/here", here, READ, quick=True)]


async def here(visit: Visit) -> Response:
    """An agent reads, writes, or is gone; whoever has the ticket open too hears of a change."""
    row = await tickets.row_of(visit.console, visit.who, visit.path("id"))
    agent, doing = visit.who.agent_id, visit.text("doing")
    if agent is not None and doing in (*WORDS, "gone"):
        changed = await visit.console.here.tell(visit.who.portal_id, row.id, agent, doing)
        if changed:
            await visit.console.live.changes.tell_all(Change(visit.who.portal_id, "here", row.id))
    return Response(status_code=204)


async def words_of(visit: Visit, ticket_id: str, names: dict[str, str]) -> list[str]:
    """What others do with the ticket, as sentences."""
    found = await visit.console.here.of(visit.who.portal_id, ticket_id)
    others = sorted((names.get(a, ""), doing) for a, doing in found.items() if a != visit.who.agent_id)
    return [say(WORDS[doing], name=name) for name, doing in others if name and doing in WORDS]
