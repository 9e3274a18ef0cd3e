"""Limits on automatic replies, in Redis: one per sender and address within the interval, so many per sender and hour.

The answer is remembered under the ticket's id, so that a replayed event gets the same one. Redis that is new, was
emptied or is another instance than before is filled first from our own commands; until then there is no answer.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import redis.asyncio
from aiokafka.errors import KafkaError
from mailroom_contracts import AutoReplyCommand
from mailroom_runtime.bus.consume import Pause
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.redis.valkey import Shared
from redis.exceptions import ResponseError

from .decision import sender_key
from .past_commands import auto_replies_since

log = get_logger()
HOUR_S = 3600
ANSWER_KEPT_S = 31 * 24 * 3600  # longer than ticket.commands are kept

# One atomic step. The marker holds the run_id of the instance that was filled: a restarted, replaced or emptied Redis
# does not match it. Time is the server's own, so that the clocks of several workers do not matter.
_DECIDE = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if redis.call('GET', KEYS[1]) ~= run then return 'unfilled' end
local before = redis.call('GET', KEYS[2])
if before then return before end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local answer = 'allowed'
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - 3600000)
if redis.call('EXISTS', KEYS[3]) == 1 then
  answer = 'had_one'
elseif redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[2]) then
  answer = 'too_many'
else
  if tonumber(ARGV[1]) > 0 then redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[1]) end
  redis.call('ZADD', KEYS[4], now, ARGV[3])
  redis.call('PEXPIRE', KEYS[4], 3600000)
end
redis.call('SET', KEYS[2], answer, 'EX', ARGV[4])
return answer
"""


class Allowance(StrEnum):
    """What the limits say."""

    ALLOWED = "allowed"
    HAD_ONE = "had_one"
    TOO_MANY = "too_many"
    UNFILLED = "unfilled"


class Limits:
    """Raises `valkey.REDIS_DOWN` errors when Redis is away, `Pause` when it cannot be filled from Kafka."""

    def __init__(self, client: redis.asyncio.Redis, settings: ServiceSettings, *, interval_s: int, per_hour: int):
        self._redis, self._settings = client, settings
        self._interval_s, self._per_hour = interval_s, per_hour
        self._prefix = f"{settings.topic_prefix}:autoreply"
        self._shared = Shared(client)

    def _keys(self, ticket_id: str, address_id: str, sender: str) -> list[str]:
        return [
            f"{self._prefix}:filled",
            f"{self._prefix}:answer:{ticket_id}",
            f"{self._prefix}:pair:{address_id}:{sender}",
            f"{self._prefix}:hour:{sender}",
        ]

    async def ask(self, ticket_id: str, address_id: str, sender: str) -> Allowance:
        """Whether this ticket's reply may go out; counts it when it may. Fills a new Redis first."""
        keys = self._keys(ticket_id, address_id, sender)
        args = [self._interval_s * 1000, self._per_hour, ticket_id, ANSWER_KEPT_S]
        try:
            answer = Allowance(await self._shared.script(_DECIDE, keys, args))
            if answer is Allowance.UNFILLED:
                await self._fill()
                answer = Allowance(await self._shared.script(_DECIDE, keys, args))
        except ResponseError as error:
            # full (noeviction), read-only or loading: nothing that this mail could do about
            raise Pause(f"Redis refuses: {error}") from error
        if answer is Allowance.UNFILLED:
            raise Pause("Redis was replaced again while it was filled")
        return answer

    async def _fill(self) -> None:
        """Write down what our own commands of the last interval (at least an hour) say was sent."""
        started = time.monotonic()
        run_id = (await self._redis.info("server"))["run_id"]
        window_s = max(self._interval_s, HOUR_S)
        now = time.time()
        count = 0
        since = datetime.fromtimestamp(now - window_s, UTC) - timedelta(minutes=1)
        try:
            async for command in auto_replies_since(self._settings, since):
                await self._remember(command, now)
                count += 1
        except KafkaError as error:
            raise Pause(f"the limits cannot be read back from Kafka: {type(error).__name__}") from error
        await self._redis.set(f"{self._prefix}:filled", run_id)
        log.info("autoreply.limits_filled", commands=count, seconds=round(time.monotonic() - started, 2))

    async def _remember(self, command: AutoReplyCommand, now: float) -> None:
        _, answer, pair, hour = self._keys(command.ticket_id, command.address_id, sender_key(command.to.email))
        at = command.at.timestamp()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(answer, Allowance.ALLOWED, ex=ANSWER_KEPT_S)
            if (left := at + self._interval_s - now) > 0:
                pipe.set(pair, command.ticket_id, px=int(left * 1000), nx=True)
            if at > now - HOUR_S:
                pipe.zadd(hour, {command.ticket_id: int(at * 1000)})
                pipe.expire(hour, HOUR_S)
            await pipe.execute()
