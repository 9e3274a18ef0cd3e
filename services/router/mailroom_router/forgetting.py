"""The index forgets: a ticket that was closed for longer than its portal says, or whose portal is gone.

One router of all looks once a day through every bucket, a few at a time; what names such a ticket goes first and the
ticket's own entry last, so that a sweep that was broken off is begun again by the next one and finds the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Any

import redis.asyncio
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.redis.valkey import REDIS_DOWN
from redis.client import NEVER_DECODE

from .packed import BUCKETS, DROP, DROP_TICKETS, INLINE, TICKET_BUCKETS, TicketEntry, ticket_at
from .redis_gate import RedisGate
from .redis_index import NAMES, Index

log = get_logger()
EVERY_S = 86_400
LOOK_S = 600.0
TOGETHER = 128  # buckets that are read in one round trip
PAUSE_S = 0.01  # between two: a sweep is in no hurry, and mail is

Gone = Callable[[str, date | None], bool]
"""Whether a ticket of this portal, closed on this day (None: it is not), is to be forgotten."""


class Forgetting:
    """Sweeps the index. Raises `REDIS_DOWN` errors but from `run`."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, index: Index, gone: Gone) -> None:
        self._client, self._prefix, self._index, self._gone = client, prefix, index, gone

    async def run(self, gate: RedisGate) -> None:
        """Never ends: a sweep a day, by one router of all."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not gate.ready:
                continue
            try:
                # the mark is the lock, too: a router that dies in a sweep leaves the rest for the next day
                if await self._client.set(f"{self._prefix}:{NAMES}:swept", "1", nx=True, ex=EVERY_S):
                    log.info("index.swept", forgotten=await self.sweep())
            except REDIS_DOWN as error:
                gate.down(error)

    async def sweep(self) -> int:
        """Forget every ticket that is gone; how many there were."""
        await self._forget_the_old_form()
        gone: dict[bytes, tuple[int, bytes, bytes]] = {}
        async for bucket, held in self._all(self._index.ticket_bucket, TICKET_BUCKETS):
            entries = {field: TicketEntry.decoded(data) for field, data in held.items()}
            places = await self._index.places({entry.place for entry in entries.values()})
            for field, entry in entries.items():
                portal = places.get(entry.place, "").partition("|")[0]
                if self._gone(portal, entry.closed):
                    gone[ticket_at(bucket, field)] = (bucket, field, held[field])
        if gone:
            await self._drop_names(gone.keys())
            await self._drop_tickets(gone.values())
        return len(gone)

    async def _all(self, name: Callable[[int], str], count: int) -> Any:
        """Each bucket that holds something, with its fields and values."""
        numbers = iter(range(count))
        while some := list(islice(numbers, TOGETHER)):
            pipe = self._client.pipeline(transaction=False)
            for number in some:
                pipe.execute_command("HGETALL", name(number), **{NEVER_DECODE: []})
            for number, held in zip(some, await pipe.execute(), strict=True):
                if held:
                    yield number, held
            await asyncio.sleep(PAUSE_S)

    async def _drop_names(self, gone: Any) -> None:
        async for bucket, held in self._all(self._index.bucket, BUCKETS):
            key = self._index.bucket(bucket)
            drop = [(field, one) for field, inline in held.items() for one in _inline(inline) if one in gone]
            for field, inline in held.items():
                if len(inline) in (0, INLINE):
                    more = await self._ask("SMEMBERS", _further(key, field), **{NEVER_DECODE: []})
                    drop += [(field, one) for one in more if one in gone]
            if drop:
                await self._ask("EVAL", DROP, 1, key, *(part for pair in drop for part in pair))

    async def _drop_tickets(self, gone: Any) -> None:
        by_bucket: dict[int, list[bytes]] = {}
        for bucket, field, value in gone:
            by_bucket.setdefault(bucket, []).extend((field, value))
        for bucket, pairs in by_bucket.items():
            key = self._index.ticket_bucket(bucket)
            await self._ask("EVAL", DROP_TICKETS, 1, key, *pairs)

    async def _ask(self, *command: Any, **options: Any) -> Any:
        return await self._client.execute_command(*command, **options)  # type: ignore[no-untyped-call]

    async def _forget_the_old_form(self) -> None:
        """The keys that releases before wrote: a key for each id, number and ticket."""
        rest: list[str] = []
        async for key in self._client.scan_iter(f"{self._prefix}:ix:*", count=1000):
            rest.append(key)
            if len(rest) >= TOGETHER:
                await self._client.unlink(*rest)
                rest.clear()
        if rest:
            await self._client.unlink(*rest)


def _inline(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 16] for at in range(0, len(data), 16))


def _further(key: str, field: bytes) -> bytes:
    return key.encode() + b":" + field
