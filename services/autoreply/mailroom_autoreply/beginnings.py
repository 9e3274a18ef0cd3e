"""Remembers ticket.created until the ticket's first mail comes.

Mostly that is the next event. What is still open when offsets are committed goes to Redis first, for a restart (or
another worker) between the two.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from mailroom_contracts import TicketCreated
from mailroom_runtime.redis.valkey import Shared

KEPT_S = 2 * 24 * 3600  # longer than a reply may be late
KEPT_IN_MEMORY = 5_000


class Beginnings:
    """ticket.created by ticket id. Raises `valkey.REDIS_DOWN` errors when Redis is away."""

    def __init__(self, shared: Shared, prefix: str) -> None:
        self._redis, self._prefix = shared, prefix
        self._recent: OrderedDict[str, TicketCreated] = OrderedDict()
        self._open: dict[str, TicketCreated] = {}

    def _key(self, ticket_id: str) -> str:
        return f"{self._prefix}:autoreply:created:{ticket_id}"

    def remember(self, created: TicketCreated) -> None:
        """Its first mail is to come."""
        self._open[created.ticket_id] = self._recent[created.ticket_id] = created
        while len(self._recent) > KEPT_IN_MEMORY:
            self._recent.popitem(last=False)

    def settled(self, ticket_id: str) -> None:
        """Its first mail was handled."""
        self._open.pop(ticket_id, None)

    async def keep(self) -> None:
        """Before offsets are committed: write down what is open, since its event will not come again."""
        opened, self._open = self._open, {}
        try:
            await asyncio.gather(*(self._keep(created) for created in opened.values()))
        except BaseException:
            self._open = {**opened, **self._open}
            raise

    async def _keep(self, created: TicketCreated) -> None:
        value = created.model_dump_json(by_alias=True)
        await self._redis.execute("SET", self._key(created.ticket_id), value, "EX", KEPT_S)

    async def of(self, ticket_id: str) -> TicketCreated | None:
        """The ticket's beginning; None for one whose first mail was handled, or that began long ago."""
        if (recent := self._recent.get(ticket_id)) is not None:
            return recent
        kept = await self._redis.execute("GET", self._key(ticket_id))
        return TicketCreated.model_validate_json(kept) if kept else None
