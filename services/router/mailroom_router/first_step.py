"""The first step: received mail to routed mail, in batches. Knows the index, not the engine that runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mailroom_contracts import (
    Address,
    EmailReceived,
    EmailRouted,
    Record,
    Undecodable,
    decode_as,
    encode,
    header,
    topics,
)
from mailroom_mail import comparable
from mailroom_runtime.book import Book
from mailroom_runtime.bus.tracing import child
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from .authorship import author
from .conversation import Clues, Known, clues, named_addresses, route
from .handed import Handed
from .memories import from_memory
from .placement import places, settled, shares_its_way, undecided
from .redis_gate import RedisGate
from .redis_index import Index, Query
from .underway import Underway

log = get_logger()
SOURCE = "router"
Memory = list[dict[str, Any]]
NO_CLUES = Clues()
Writer = tuple[str, str]
"""Portal, and who writes to it."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A mail may be for one of several addresses, of which its author wrote to `last` (None: to none of them yet)."""

    among: list[Address]
    last: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record of email.received."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    waited: bool = False
    """It is not to wait for a rebuild of the index any longer."""


class NeedsIndex:
    """The mail names something, and the index, which may know it, is being rebuilt."""


class FirstStep:
    """Routes batches. Without Redis it routes by what the mail itself says; at worst a new ticket."""

    def __init__(
        self, book: Book, index: Index, gate: RedisGate, keys: Mapping[str, bytes],
        handed: Handed | None = None,
    ) -> None:  # fmt: skip
        """`handed` takes what was routed, for a second step in this process."""
        self._book, self._index, self._gate, self._keys = book, index, gate, keys
        self._underway = Underway()
        self._handed = handed or Handed()

    @property
    def rebuilding(self) -> bool:
        """Whether mail that names something is to wait for the index."""
        return self._gate.rebuilding

    async def route(self, arrivals: Sequence[Arrival]) -> list[list[Record] | Undecodable | NeedsIndex | None]:
        """For each arrival the records of email.routed to write, or why it can never be read.

        `NeedsIndex`: it is to be brought again once the index is whole, or has kept it waiting for too long. None: it names mail that is under way, and is to be brought again in a moment. The order counts: what comes first
        is decided first, and must be written first, since the second step takes a ticket's mail in that order.
        """
        results: list[list[Record] | Undecodable | NeedsIndex | None] = []
        rebuilding = self.rebuilding
        readable: list[tuple[int, Query]] = []
        for position, arrival in enumerate(arrivals):
            results.append([])
            try:
                if arrival.value is None:
                    raise Undecodable("email.received has no value")
                received = decode_as(EmailReceived, arrival.value)
                found = clues(received, self._keys)
                if rebuilding and not arrival.waited and found != NO_CLUES:
                    results[position] = NeedsIndex()
                else:
                    readable.append((position, Query(received, found)))
            except Undecodable as error:
                results[position] = error
        ways = await self._ways([query for _, query in readable])
        for (position, query), routed in zip(readable, ways, strict=True):
            if routed is None:
                results[position] = None
                continue
            traceparent = header(arrivals[position].headers, "traceparent")
            records = [
                encode(
                    topics.EMAIL_ROUTED,
                    one,
                    source=SOURCE,
                    causation_id=query.received.id,
                    traceparent=child(traceparent),
                )
                for one in routed
            ]
            results[position] = list(records)
            for one, record in zip(routed, records, strict=True):
                self._handed.put(record.value, one)
                metrics.counter("mailroom_mail_routed_total", "Mail routed", ["reason"]).labels(one.reason).inc()
        return results

    async def _ways(self, queries: list[Query]) -> list[list[EmailRouted] | None]:
        before: list[Memory | None] = [None] * len(queries)
        known = [Known() for _ in queries]
        # nothing is to be looked up for a mail that names nothing; where it went before, `remember` answers
        asking = [i for i, query in enumerate(queries) if query.clues != NO_CLUES]
        if asking:
            asked = [self._with_related(queries[i]) for i in asking]
            empty = ([before[i] for i in asking], [known[i] for i in asking])
            answers = await self._gate.attempt(self._index.look_up(asked), empty)
            for i, memory, knows in zip(asking, *answers, strict=True):
                before[i], known[i] = memory, knows
        doubts = await self._doubts(queries)
        wrote: dict[Writer, str] = {}  # in this batch
        fresh: list[list[EmailRouted] | None] = []
        now = time.monotonic()
        self._underway.begin(now)
        for number, (query, knows) in enumerate(zip(queries, known, strict=True)):
            fresh.append(self._way(query, before[number], knows, now, doubts.get(number), wrote))
            if number % 50 == 49:
                await asyncio.sleep(0)
        new = [(i, ways) for i, ways in enumerate(fresh) if ways is not None and before[i] is None]
        kept: list[Memory] = []
        if new:
            to_remember = [(queries[i].received, ways) for i, ways in new]
            kept = await self._gate.attempt(self._index.remember(to_remember), kept)
            await self._note_writers(to_remember)
        memories = dict(enumerate(before))
        memories.update(zip((i for i, _ in new), kept, strict=False))
        return [
            [from_memory(m, ways[0]) for m in memory] if ways and (memory := memories.get(i)) else ways
            for i, ways in enumerate(fresh)
        ]

    async def _doubts(self, queries: Sequence[Query]) -> dict[int, Doubt]:
        """Mails that may be for one of several addresses, by their position."""
        found = {i: among for i, q in enumerate(queries) if (among := undecided(q.received, self._book))}
        if not found:
            return {}
        asked = [queries[i].received for i in found]
        nothing: list[str | None] = [None] * len(asked)
        lasts = await self._gate.attempt(self._index.wrote_to(asked), nothing)
        return {i: Doubt(among, last) for (i, among), last in zip(found.items(), lasts, strict=True)}

    async def _note_writers(self, routed: Sequence[tuple[EmailReceived, list[EmailRouted]]]) -> None:
        wrote = [(received, way.address_id) for received, ways in routed for way in self._sharing(ways)]
        if wrote:
            await self._gate.attempt(self._index.note_writers(wrote), None)

    def _sharing(self, ways: Sequence[EmailRouted]) -> list[EmailRouted]:
        return [way for way in ways if shares_its_way(self._book.address(way.address_id), self._book)]

    def _with_related(self, query: Query) -> Query:
        """To be looked up: the mail's own clues, and the mails under way that bear on it."""
        related = self._underway.related(query.received, query.clues)
        if not related:
            return query
        references = tuple(dict.fromkeys((*query.clues.references, *related)))
        return replace(query, clues=replace(query.clues, references=references))

    def _way(
        self,
        query: Query,
        before: Memory | None,
        known: Known,
        now: float,
        doubt: Doubt | None,
        wrote: dict[Writer, str],
    ) -> list[EmailRouted] | None:
        """Where a mail goes; None: that depends on mail which is under way."""
        if before is None and self._underway.waits(
            query.received, query.clues, known, now, index=self._gate.up
        ):  # fmt: skip
            return None
        received, book = query.received, self._book
        ours = partial(book.is_ours, portal_id=received.portal_id)
        chosen = None
        if doubt is not None:
            last = wrote.get(_writer(received), doubt.last)
            chosen = settled(doubt.among, named_addresses(query.clues, known), last)
        ways = route(received, places(received, book, chosen), query.clues, known, ours)
        if before is None:
            self._underway.note(query.received, ways, now)
            wrote.update((_writer(received), way.address_id) for way in self._sharing(ways))
        return ways


def _writer(received: EmailReceived) -> Writer:
    return received.portal_id, comparable(author(received).email)
