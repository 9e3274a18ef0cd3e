"""Leases of lanes in Redis: who may send from an address. They keep a stopped-and-resumed process, or one that lost
its partition, from sending what another has taken over.

A lease is certain only until `valid_until` on our own monotonic clock, counted from before it was asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from mailroom_runtime.process.tasks import end, lasting
from mailroom_runtime.redis.valkey import REDIS_DOWN

# Take it when it is free, ours, or left behind by an earlier process in our place; answer 0, or how many milliseconds
# the other one's lease lasts. A holder is "place process term".
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] then
  local place, process = string.match(holder, '^(%S+) (%S+) ')
  if place ~= ARGV[1] or process == ARGV[2] then return redis.call('PTTL', KEYS[1]) end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3], 'PX', ARGV[4])
return 0
"""
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds leases. `place`: only one living process can have it (host and port that it listens on), so a new
    process in it need not wait for its killed predecessor; `process` differs for each; `term` for each assignment."""

    place: str
    process: str
    term: int

    def __str__(self) -> str:
        return f"{self.place} {self.process} {self.term}"


class Lease:
    """The lease of one lane. Methods raise `valkey.REDIS_DOWN` errors when Redis is away."""

    def __init__(self, store: Leases, address_id: str, holder: Holder) -> None:
        self._store, self._address_id, self._holder = store, address_id, holder
        self._valid_until = float("-inf")
        self._keeping = 0
        self._keeper: asyncio.Task[None] | None = None

    def left_s(self) -> float:
        """Seconds for which the lease is certainly ours."""
        return self._valid_until - time.monotonic()

    async def take(self) -> float:
        """Take or renew it. 0: it is ours; else the seconds after which it is worth asking again."""
        asked_at = time.monotonic()
        wait_s = await self._store.take(self._address_id, self._holder)
        self._valid_until = asked_at + self._store.seconds if wait_s == 0 else float("-inf")
        return min(wait_s, 1.0)

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew it for as long as this lasts: a server may take ten minutes to answer."""
        self._keeping += 1
        if self._keeper is None:
            self._keeper = lasting(self._keep, f"keep-lease-{self._address_id}", again=True)
        try:
            yield
        finally:
            self._keeping -= 1
            if not self._keeping and self._keeper is not None:
                keeper, self._keeper = self._keeper, None
                await end(keeper)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._store.seconds / 3)
            # without Redis it ends by itself, and who sends asks for it before the content goes out
            with contextlib.suppress(*REDIS_DOWN):
                await self.take()

    async def give_back(self) -> None:
        """Let others have it at once."""
        if self._valid_until != float("-inf"):
            self._valid_until = float("-inf")
            await self._store.give_back(self._address_id, self._holder)


class Leases:
    """All leases of an installation; each lasts `seconds`."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, *, seconds: float) -> None:
        self._prefix, self.seconds = prefix, seconds
        self._take: Any = client.register_script(_TAKE)
        self._give_back: Any = client.register_script(_GIVE_BACK)

    def _key(self, address_id: str) -> str:
        return f"{self._prefix}:lane:{address_id}"

    def of(self, address_id: str, holder: Holder) -> Lease:
        """A lane's lease, not taken yet."""
        return Lease(self, address_id, holder)

    async def take(self, address_id: str, holder: Holder) -> float:
        """0 when it is the holder's now, else the seconds that the other's lasts."""
        args = [holder.place, holder.process, holder.term, int(self.seconds * 1000)]
        answer = int(await self._take(keys=[self._key(address_id)], args=args))
        return 0.0 if answer == 0 else max(answer / 1000, 0.05)

    async def give_back(self, address_id: str, holder: Holder) -> None:
        """Delete it when it is the holder's."""
        await self._give_back(keys=[self._key(address_id)], args=[str(holder)])
