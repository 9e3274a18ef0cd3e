"""Who is online, in Redis: written by the console (heartbeats, API), read by the router."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import redis.asyncio

STATES = ("online", "away", "offline")


def presence_key(prefix: str, portal_id: str, agent_id: str) -> str:
    """The key that holds an agent's presence; a missing key means offline."""
    return f"{prefix}:presence:{portal_id}:{agent_id}"


class Presence:
    """Presence of agents. Raises `valkey.REDIS_DOWN` errors when Redis is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    async def set(self, portal_id: str, agent_id: str, state: str, ttl_s: float | None = None) -> None:
        """Set it until changed, or for `ttl_s` seconds. Raises ValueError for an unknown state."""
        if state not in STATES:
            raise ValueError(f"presence is one of {', '.join(STATES)}")
        key = presence_key(self._prefix, portal_id, agent_id)
        if state == "offline":
            await self._client.delete(key)
        else:
            await self._client.set(key, state, px=int(ttl_s * 1000) if ttl_s else None)

    async def put_back(self, kept: Sequence[tuple[str, str, str]]) -> AbstractSet[tuple[str, str, str]]:
        """Set each (portal, agent, state) that Redis knows nothing of, until changed; which those were."""
        if not kept:
            return set()
        pipe = self._client.pipeline(transaction=False)
        for portal_id, agent_id, state in kept:
            pipe.set(presence_key(self._prefix, portal_id, agent_id), state, nx=True)
        return {row for row, done in zip(kept, await pipe.execute(), strict=True) if done}

    async def take_back(self, portal_id: str, agent_id: str, state: str) -> None:
        """Undo `put_back`, unless something else was set since."""
        key = presence_key(self._prefix, portal_id, agent_id)
        if await self._client.get(key) == state:
            await self._client.delete(key)

    async def get_many(self, portal_id: str, agent_ids: Sequence[str]) -> dict[str, str]:
        """Each agent's presence."""
        if not agent_ids:
            return {}
        values = await self._client.mget([presence_key(self._prefix, portal_id, a) for a in agent_ids])
        return {agent: str(value or "offline") for agent, value in zip(agent_ids, values, strict=True)}
