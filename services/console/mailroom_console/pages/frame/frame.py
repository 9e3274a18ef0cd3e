"""What stands around every page: who is signed in, the portal's name, and the numbers in the rail."""

from __future__ import annotations

from typing import Any

from mailroom_console.context import Console
from mailroom_console.people import agents, queues
from mailroom_console.portals import records as portals
from mailroom_console.principals import Principal
from mailroom_console.read_model.counts import COUNT_LIMIT

from .attention import Attention


async def around(console: Console, principal: Principal, attention: Attention) -> dict[str, Any]:
    """The values of the frame for this principal."""
    found = (await queues.listed(console, principal)).items
    own = (await agents.presence_of(console, principal.portal_id, [principal.id])).get(principal.id, "offline")
    numbers = await console.read.rail(principal, [queue["id"] for queue in found])
    hands = await attention.numbers(console, principal)
    return {
        "me": {"id": principal.agent_id, "name": principal.name, "email": principal.email, "presence": own,
               "administrator": principal.is_administrator},
        "portal_name": (await portals.current(console, principal))["name"],
        "rail": {
            **{name: shown_count(number) for name, number in numbers.items()},
            "queues": [{"id": q["id"], "name": q["name"], "open": shown_count(q["open"])} for q in found],
            "attention": hands.addresses,
            "dead": hands.dead,
        },
    }  # fmt: skip


def shown_count(number: int) -> str:
    """A number in the rail; counting ends at a limit."""
    return "" if not number else f"{number}" if number < COUNT_LIMIT else f"{COUNT_LIMIT - 1}+"
