"""Who has a ticket open, in Redis, so that all copies of the console know. Lost with Redis, and told anew in seconds."""

from __future__ import annotations

import time

import redis.asyncio
from mailroom_runtime.redis.valkey import REDIS_DOWN

LASTS_S = 40  # a page tells every 15 s


class Here:
    """Agents by ticket, and whether they read or write. Without Redis nobody is known to be there."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    async def tell(self, portal_id: str, ticket_id: str, agent_id: str, doing: str) -> bool:
        """What an agent does (`gone`: nothing any more); whether that is news."""
        key = self._key(portal_id, ticket_id)
        try:
            before = await self._client.hget(key, agent_id)
            if doing == "gone":
                await self._client.hdel(key, agent_id)
                return before is not None
            await self._client.hset(key, agent_id, f"{doing} {time.time():.0f}")
            await self._client.expire(key, LASTS_S)
        except REDIS_DOWN:
            return False
        return _doing(before) != doing

    async def of(self, portal_id: str, ticket_id: str) -> dict[str, str]:
        """`reading` or `writing` by agent id."""
        try:
            found = await self._client.hgetall(self._key(portal_id, ticket_id))
        except REDIS_DOWN:
            return {}
        return {str(agent): doing for agent, value in found.items() if (doing := _doing(value))}

    def _key(self, portal_id: str, ticket_id: str) -> str:
        return f"{self._prefix}:here:{portal_id}:{ticket_id}"


def _doing(value: object) -> str:
    """What was told, unless it is too old to be true."""
    doing, _, at = str(value or "").partition(" ")
    return doing if at.isdigit() and time.time() - int(at) < LASTS_S else ""
