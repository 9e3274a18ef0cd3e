"""An index that is filled from all tickets: gathered by bucket, so that a bucket is written once for many entries.

Entry by entry a ticket costs Valkey 120 µs of processor time and the client 70.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import redis.asyncio
from mailroom_contracts import TicketState

from .agents import Agents
from .facts import Facts, closed_on, clue_of, facts, holder, message_ids_of, thread_of
from .packed import (
    ADD_MANY,
    BUCKETS,
    LONG_AGO,
    SET_MANY,
    TICKET_BUCKETS,
    TicketEntry,
    customer_mark,
    kept_since,
    place_code,
    spot,
    ticket_at,
    ticket_spot,
)
from .redis_index import BOUNCE_DAYS, CAP, Index

COMMAND_BYTES = 64_000  # 7 ms of Valkey, in which it serves nobody else
TOGETHER = 8  # names of a bucket: so many cost Valkey 2.6 µs each, four 3.4, and sixteen 2.6
_NAME, _ENTRY = 8 + 16, 14 + 13
OTHERS_TOGETHER = 500
Load = tuple[str, str]
"""Portal and agent."""


class Filling:
    """Takes tickets' states in the order in which they were written; of a ticket the last one counts.

    Names are written as buckets are full, all else by `write`. A name that an older state had stays, as it does in an
    index that is told of each change. Of a ticket that is to be known no more, though an older state of it was taken,
    names may be there already: it is told as one that was closed `LONG_AGO`, so that the next sweep (`forgetting`), some
    minutes later, forgets it with its names.
    """

    def __init__(self, client: redis.asyncio.Redis, index: Index, agents: Agents) -> None:
        self._client, self._index, self._agents = client, index, agents
        self._bounced_since = datetime.now(UTC) - timedelta(days=BOUNCE_DAYS)  # of older ones nothing comes back
        self._since: dict[str, date] = {}  # by portal: what was closed before it, the index does not know
        self._names = bytearray(BUCKETS * TOGETHER * _NAME)  # 25 MB: each bucket has its place, since growing is dear
        self._counts = bytearray(BUCKETS)
        self._entries = [bytearray() for _ in range(TICKET_BUCKETS)]
        self._full = bytearray()  # of full buckets, as `ADD_MANY` is given it
        self._places: dict[str, bytes] = {}
        self._others: dict[str, Facts] = {}  # what is not in buckets, or has an id that is no digest
        self._loads: dict[Load, Load] = {}
        self._joined: dict[str, Load] = {}
        self._left: list[tuple[Load, str]] = []
        self._held: dict[str, Load] = {}  # what was written of `_joined`
        self._written = False

    def take(self, key: str, state: TicketState) -> None:
        """A ticket's state, whole or lean."""
        portal = state.portal_id
        agent = holder(state)
        self._hold(key, (portal, agent) if agent is not None else None)
        closed = closed_on(state)
        if closed is not None and closed < self._kept_since(portal):
            self._forget(key)
            return
        if state.updated_at >= self._bounced_since:
            found = facts(None, state)
            self._others[key] = Facts(key, portal, closed=closed, ordered=found.ordered)
        bucket, field = ticket_spot(key)
        if len(field) != 14:
            self._others[key] = facts(None, state)
            return
        place, _, customer = clue_of(state).rpartition("|")
        if (code := self._places.get(place)) is None:
            self._places[place] = code = place_code(place)
        self._set(bucket, field, TicketEntry(code, customer_mark(customer), closed).encoded())
        names = [("m", one) for one in message_ids_of(state)]
        if state.number:
            names.append(("n", state.number))
        if (thread := thread_of(state)) is not None:
            names.append(("g", thread))
        if state.their_numbers:
            names += [("d", one) for one in state.their_numbers]
        ticket = ticket_at(bucket, field)
        gathered, counts = self._names, self._counts
        for kind, name in names:
            bucket, field = spot(kind, portal, name)
            count = counts[bucket]
            at = (bucket * TOGETHER + count) * _NAME
            gathered[at : at + _NAME] = field + ticket
            counts[bucket] = count + 1
            if count + 1 == TOGETHER:
                self._pass_on(bucket)

    def forget(self, key: str) -> None:
        """This ticket was erased."""
        self._hold(key, None)
        self._forget(key)

    def _forget(self, key: str) -> None:
        self._others.pop(key, None)
        bucket, field = ticket_spot(key)
        if self._written or field in self._entries[bucket]:
            self._set(bucket, field, LONG_AGO)

    def _set(self, bucket: int, field: bytes, value: bytes) -> None:
        entries = self._entries[bucket]
        at = entries.find(field)  # 14 bytes of a digest: not met by chance
        if at < 0:
            entries += field + value
        else:
            entries[at : at + len(field) + len(value)] = field + value

    def _pass_on(self, bucket: int) -> None:
        count = self._counts[bucket]
        at = bucket * TOGETHER * _NAME
        self._full += _head(bucket, count) + self._names[at : at + count * _NAME]
        self._counts[bucket] = 0

    def _hold(self, key: str, load: Load | None) -> None:
        """Which agent's load the ticket is in."""
        before = self._joined.pop(key, None) or self._held.pop(key, None)
        if before is not None and before != load:
            self._left.append((before, key))
        if load is not None:
            self._joined[key] = self._loads.setdefault(load, load)

    def _kept_since(self, portal: str) -> date:
        if (since := self._since.get(portal)) is None:
            self._since[portal] = since = kept_since(self._index.kept_days(portal))
        return since

    async def give_way(self) -> None:
        """Let others go on, and write the names that came together. Raises `REDIS_DOWN` errors."""
        if len(self._full) > COMMAND_BYTES:
            await self._run(ADD_MANY, self._index.buckets, self._full, CAP)
        else:
            await asyncio.sleep(0)

    async def write(self) -> None:
        """Write all that was taken. Raises `REDIS_DOWN` errors."""
        for bucket, count in enumerate(self._counts):
            if count:
                self._pass_on(bucket)
                if len(self._full) > COMMAND_BYTES:
                    await self.give_way()
        await self._run(ADD_MANY, self._index.buckets, self._full, CAP)
        if self._places:
            await self._index.note_places({code.hex(): place for place, code in self._places.items()})
        ready = bytearray()
        for bucket, entries in enumerate(self._entries):
            if entries:
                ready += _head(bucket, len(entries) // _ENTRY) + entries
                entries.clear()
                if len(ready) > COMMAND_BYTES:
                    await self._run(SET_MANY, self._index.ticket_buckets, ready)
        await self._run(SET_MANY, self._index.ticket_buckets, ready)
        others = iter(self._others.values())
        while some := list(islice(others, OTHERS_TOGETHER)):
            await self._index.learn(some)
        self._others.clear()
        await self._agents.move(self._left, self._joined)
        self._left.clear()
        self._held |= self._joined
        self._joined.clear()
        self._written = True

    async def _run(self, script: str, begin: str, data: bytearray, *rest: Any) -> None:
        given = bytes(data)
        data.clear()
        if given:
            command: list[Any] = ["EVAL", script, 1, begin, given, *rest]
            await self._client.execute_command(*command)  # type: ignore[no-untyped-call]


def _head(bucket: int, count: int) -> bytes:
    """What a bucket's entries begin with, in what a script is given (`packed.ADD_MANY`)."""
    return bucket.to_bytes(3, "big") + count.to_bytes(2, "big")
