"""Choosing an online agent: one atomic script in Redis that remembers its answer, so that a replay gets the same.

An agent's load is a set of ticket ids, not a counter: adding twice changes nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import redis.asyncio
from mailroom_runtime.redis.presence import presence_key
from redis.exceptions import NoScriptError

from .draft import Wanted
from .facts import Facts

REMEMBERED_S = 2 * 86_400
AT_ONCE = 500  # tickets in one command

# KEYS: choice, then per agent: presence, load, idle. ARGV: ticket, now (µs), seconds to remember, agents.
_CHOOSE = """
local before = redis.call('GET', KEYS[1])
if before then return before end
local best, load, idle = '', nil, nil
for i = 4, #ARGV do
  local base = (i - 4) * 3 + 2
  if redis.call('GET', KEYS[base]) == 'online' then
    local has = redis.call('SCARD', KEYS[base + 1])
    if redis.call('SISMEMBER', KEYS[base + 1], ARGV[1]) == 1 then has = has - 1 end
    local since = tonumber(redis.call('GET', KEYS[base + 2]) or '0')
    if load == nil or has < load or (has == load and since < idle) then
      best, load, idle = i, has, since
    end
  end
end
if best == '' then return '' end
local base = (best - 4) * 3 + 2
redis.call('SADD', KEYS[base + 1], ARGV[1])
redis.call('SET', KEYS[base + 2], ARGV[2])
redis.call('SET', KEYS[1], ARGV[best], 'EX', ARGV[3])
return ARGV[best]
"""


class Agents:
    """Raises `REDIS_DOWN` errors; whoever calls goes through the gate."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._sha = hashlib.sha1(_CHOOSE.encode()).hexdigest()  # noqa: S324 - how Redis names scripts

    def _load(self, portal: str, agent: str) -> str:
        return f"{self._prefix}:load:{portal}:{agent}"

    async def choose(self, wishes: Sequence[tuple[str, Wanted, list[str]]]) -> list[str | None]:
        """For each (ticket, wish, candidates): the online agent with the fewest open tickets, or None."""
        now = int(time.time() * 1_000_000)
        calls: dict[int, list[str | int]] = {}
        for position, (ticket, wanted, candidates) in enumerate(wishes):
            if not candidates:
                continue
            keys = [f"{self._prefix}:choice:{ticket}:{wanted.cause}"]
            for agent in candidates:
                keys += [
                    presence_key(self._prefix, wanted.portal_id, agent),
                    self._load(wanted.portal_id, agent),
                    f"{self._prefix}:idle:{wanted.portal_id}:{agent}",
                ]
            calls[position] = [len(keys), *keys, ticket, now + position, REMEMBERED_S, *candidates]
        chosen: list[str | None] = [None] * len(wishes)
        if calls:
            for position, answer in zip(calls, await self._run(list(calls.values())), strict=True):
                chosen[position] = str(answer) or None
        return chosen

    async def _run(self, calls: list[list[str | int]]) -> list[Any]:
        """The script once per call, in one round trip; loaded first where Redis does not have it (any more)."""
        for last in (False, True):
            pipe = self._client.pipeline(transaction=False)
            for call in calls:
                pipe.execute_command("EVALSHA", self._sha, *call)
            try:
                return list(await pipe.execute())
            except NoScriptError:
                if last:
                    raise
                await self._client.script_load(_CHOOSE)
        raise AssertionError

    async def online(self, portal_agents: Iterable[tuple[str, str]]) -> frozenset[str]:
        """Which of these (portal, agent) are online."""
        pairs = list(dict.fromkeys(portal_agents))
        if not pairs:
            return frozenset()
        states = await self._client.mget([presence_key(self._prefix, p, a) for p, a in pairs])
        return frozenset(agent for (_, agent), state in zip(pairs, states, strict=True) if state == "online")

    async def learn(self, many: Iterable[Facts]) -> None:
        """Move tickets between the agents' loads."""
        pipe = self._client.pipeline(transaction=False)
        for facts in many:
            if facts.leaves:
                pipe.srem(self._load(facts.portal_id, facts.leaves), facts.ticket_id)
            if facts.joins:
                pipe.sadd(self._load(facts.portal_id, facts.joins), facts.ticket_id)
        if len(pipe):
            await pipe.execute()

    async def move(self, left: Iterable[tuple[tuple[str, str], str]], joined: Mapping[str, tuple[str, str]]) -> None:
        """Take tickets out of the loads of (portal, agent) that they left, then put each into that which it joined."""
        out: dict[str, list[str]] = {}
        into: dict[str, list[str]] = {}
        for load, ticket in left:
            out.setdefault(self._load(*load), []).append(ticket)
        for ticket, load in joined.items():
            into.setdefault(self._load(*load), []).append(ticket)
        for write, moves in ((self._client.srem, out), (self._client.sadd, into)):
            for key, tickets in moves.items():
                rest = iter(tickets)
                while some := list(islice(rest, AT_ONCE)):
                    await write(key, *some)

    async def forget_loads(self) -> None:
        """Empty all loads, before they are rebuilt."""
        async for key in self._client.scan_iter(f"{self._prefix}:load:*", count=1000):
            await self._client.delete(key)
