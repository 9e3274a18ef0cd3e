"""What stands around every page: who is signed in, the portal's name, and the numbers in the rail."""

from __future__ import annotations

from typing import Any

from mailroom_console.context import Console
from mailroom_console.people import agents, queues
from mailroom_console.portals import records as portals
from mailroom_console.principals import Principal
from mailroom_console.read_model.counts import COUNT_LIMIT

from .attention import Attention

MOST_QUEUES = 50  # in the rail; the others stand on the page of queues


async def around(console: Console, principal: Principal, attention: Attention) -> dict[str, Any]:
    """The values of the frame for this principal."""
    names = await queues.named(console, principal)
    in_rail = list(names)[:MOST_QUEUES]
    own = (await agents.presence_of(console, principal.portal_id, [principal.id])).get(principal.id, "offline")
    numbers = await console.read.rail(principal, list(names))
    counts = await console.read.queue_counts(principal.portal_id, in_rail)
    hands = await attention.numbers(console, principal)
    return {
        "me": {"id": principal.agent_id, "name": principal.name, "email": principal.email, "presence": own,
               "administrator": principal.is_administrator},
        "portal_name": (await portals.current(console, principal))["name"],
        "rail": {
            **{name: shown_count(number) for name, number in numbers.items()},
            "queues": [{"id": q, "name": names[q], "open": shown_count(counts[q].get("open", 0))} for q in in_rail],
            "more_queues": len(names) > len(in_rail),
            "attention": hands.addresses,
            "dead": hands.dead,
        },
    }  # fmt: skip


def shown_count(number: int) -> str:
    """A number in the rail; counting ends at a limit."""
    return "" if not number else f"{number}" if number < COUNT_LIMIT else f"{COUNT_LIMIT - 1}+"
