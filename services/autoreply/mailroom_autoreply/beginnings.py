"""Remembers ticket.created until the ticket's first mail comes: in memory, and in Redis for a restart between the two."""

from __future__ import annotations

from collections import OrderedDict

import redis.asyncio
from mailroom_contracts import TicketCreated

KEPT_S = 2 * 24 * 3600  # longer than a reply may be late
KEPT_IN_MEMORY = 5_000


class Beginnings:
    """ticket.created by ticket id. Raises `valkey.REDIS_DOWN` errors when Redis is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis, self._prefix = client, prefix
        self._recent: OrderedDict[str, TicketCreated] = OrderedDict()

    def _key(self, ticket_id: str) -> str:
        return f"{self._prefix}:autoreply:created:{ticket_id}"

    async def remember(self, created: TicketCreated) -> None:
        """Keep it."""
        self._recent[created.ticket_id] = created
        while len(self._recent) > KEPT_IN_MEMORY:
            self._recent.popitem(last=False)
        await self._redis.set(self._key(created.ticket_id), created.model_dump_json(by_alias=True), ex=KEPT_S)

    async def of(self, ticket_id: str) -> TicketCreated | None:
        """The ticket's beginning, or None for one that began long ago."""
        if (recent := self._recent.get(ticket_id)) is not None:
            return recent
        kept = await self._redis.get(self._key(ticket_id))
        return TicketCreated.model_validate_json(kept) if kept else None
