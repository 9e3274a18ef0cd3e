"""Changes as they happen, by server-sent events: the page then asks for what it shows once more."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.responses import Response

from mailroom_console.principals import READ

from .visit import Page, Visit

PING_S = 20


def pages() -> list[Page]:
    """The routes."""
    return [Page("GET", "/live", live, READ, quick=True)]


async def live(visit: Visit) -> Response:
    """The stream of the portal's changes: kind and id, never content."""

    async def events() -> AsyncIterator[ServerSentEvent]:
        async for change in visit.console.live.changes.watch(visit.who.portal_id):
            yield ServerSentEvent(data=change.id, event=change.kind)

    return EventSourceResponse(events(), ping=PING_S, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
