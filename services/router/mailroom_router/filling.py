"""An index that is filled from all tickets: gathered by bucket, so that each bucket is written once for many tickets.

Entry by entry a ticket costs Valkey 120 µs of processor time and the client 70.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
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
    SET_MANY,
    SPOT_BYTES,
    TICKET_BUCKETS,
    TOGETHER,
    TicketEntry,
    customer_mark,
    name_digest,
    packed,
    place_code,
)
from .redis_index import CAP, Index

COMMAND_BYTES = 64_000  # 5 ms of Valkey, in which it serves nobody else
YIELD_EVERY = 500  # mail is routed meanwhile
Load = tuple[str, str]
"""Portal and agent."""


class Filling:
    """What was gathered of tickets and is not written yet; of a ticket the last state that came counts."""

    def __init__(self, kept_days: Callable[[str], int], bounced_since: datetime) -> None:
        """`kept_days`: as the index has it; `bounced_since`: of a ticket that changed last before it nothing comes back."""
        self._kept_days, self._bounced_since = kept_days, bounced_since
        self._since: dict[str, date] = {}
        self._names: dict[str, bytes] = {}  # by ticket, where each name of it lies (`name_digest`)
        self._entries: dict[str, bytes] = {}
        self._places: dict[str, bytes] = {}
        self._others: dict[str, Facts] = {}  # what is not in buckets, or has an id that is no digest
        self._left: list[tuple[Load, str]] = []
        self._joined: dict[str, Load] = {}

    def take(self, key: str, state: TicketState, held: Load | None = None) -> None:
        """A ticket's state, whole or lean. `held`: the load that an older state gave it to."""
        if held is not None or key in self._names or key in self._others or key in self._joined:
            self.forget(key, held)
        portal = state.portal_id
        if (agent := holder(state)) is not None:
            self._joined[key] = (portal, agent)
        closed = closed_on(state)
        if closed is not None and closed < self._kept_since(portal):
            return
        if state.updated_at >= self._bounced_since:
            found = facts(None, state)
            self._others[key] = Facts(key, portal, closed=closed, ordered=found.ordered)
        if len(packed(key)) != 16:
            self._others[key] = facts(None, state)
            return
        place, _, customer = clue_of(state).rpartition("|")
        if (code := self._places.get(place)) is None:
            self._places[place] = code = place_code(place)
        self._entries[key] = TicketEntry(code, customer_mark(customer), closed).encoded()
        names = [name_digest("m", portal, one) for one in message_ids_of(state)]
        if state.number:
            names.append(name_digest("n", portal, state.number))
        if (thread := thread_of(state)) is not None:
            names.append(name_digest("g", portal, thread))
        if state.their_numbers:
            names += [name_digest("d", portal, one) for one in state.their_numbers]
        self._names[key] = b"".join(names)

    def _kept_since(self, portal: str) -> date:
        """The day since which a portal's tickets must have been closed for the index to know them (`packed.is_over`)."""
        if (since := self._since.get(portal)) is None:
            since = datetime.now(UTC).date() - timedelta(days=self._kept_days(portal))
            self._since[portal] = since
        return since

    def forget(self, key: str, held: Load | None = None) -> None:
        """Of this ticket nothing is to be written after all, and it is no longer in this load."""
        if held is not None:
            self._left.append((held, key))
        for gathered in (self._names, self._entries, self._others, self._joined):
            gathered.pop(key, None)

    async def write(self, client: redis.asyncio.Redis, index: Index, agents: Agents) -> None:
        """Write it all. Raises `REDIS_DOWN` errors."""
        if self._places:
            await index.note_places({code.hex(): place for place, code in self._places.items()})
        for script, begin, buckets, rest in (
            (ADD_MANY, index.buckets, await _gathered(self._names_by_bucket(), BUCKETS), (CAP,)),
            (SET_MANY, index.ticket_buckets, await _gathered(self._entries_by_bucket(), TICKET_BUCKETS), ()),
        ):
            for data in _commands(buckets):
                command: list[Any] = ["EVAL", script, 1, begin, data, *rest]
                await client.execute_command(*command)  # type: ignore[no-untyped-call]
        others = iter(self._others.values())
        while some := list(islice(others, YIELD_EVERY)):
            await index.learn(some)
        await agents.move(self._left, self._joined)

    def _names_by_bucket(self) -> Iterator[tuple[int, bytes]]:
        mask, whole = BUCKETS - 1, int.from_bytes
        for key, names in self._names.items():
            mine = bytes.fromhex(key)
            for at in range(0, len(names), SPOT_BYTES):
                yield whole(names[at : at + 3], "big") & mask, names[at + 3 : at + SPOT_BYTES] + mine

    def _entries_by_bucket(self) -> Iterator[tuple[int, bytes]]:
        for key, entry in self._entries.items():
            mine = bytes.fromhex(key)
            yield mine[0] << 8 | mine[1], mine[2:] + entry


async def _gathered(entries: Iterable[tuple[int, bytes]], count: int) -> list[list[bytes] | None]:
    """Entries by their buckets, of which there are so many."""
    found: list[list[bytes] | None] = [None] * count
    rest = iter(entries)
    while some := list(islice(rest, YIELD_EVERY)):
        for bucket, entry in some:
            if (gathered := found[bucket]) is None:
                found[bucket] = [entry]
            else:
                gathered.append(entry)
        await asyncio.sleep(0)
    return found


def _commands(buckets: list[list[bytes] | None]) -> Iterator[bytes]:
    """What each command's script is given (`packed.ADD_MANY`)."""
    parts: list[bytes] = []
    size = 0
    for bucket, entries in enumerate(buckets):
        if entries is None:
            continue
        for at in range(0, len(entries), TOGETHER):
            some = entries[at : at + TOGETHER]
            parts += (bucket.to_bytes(3, "big"), len(some).to_bytes(2, "big"), *some)
            size += len(some) * len(some[0])
            if size > COMMAND_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
    if parts:
        yield b"".join(parts)
