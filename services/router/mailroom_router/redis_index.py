"""The index in Redis: message id, ticket number, Gmail thread, our orders and routed receipts -> ticket.

Many look-ups share one round trip: a batch of mails costs two pipelines, however many it holds. What is kept for long lies
packed (`packed`), and is forgotten with its ticket (`forgetting`); all else expires by itself.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import orjson
import redis.asyncio
from mailroom_contracts import EmailReceived, EmailRouted
from mailroom_mail import comparable
from redis.client import NEVER_DECODE

from .authorship import author
from .conversation import Clues, Known, TicketClue
from .facts import Facts
from .memories import as_memory
from .naming import named_by, tell, three, tickets_in
from .packed import (
    ADD,
    DROP,
    FIND,
    GET,
    SET,
    TicketEntry,
    customer_mark,
    is_over,
    packed,
    place_code,
    spot,
    ticket_spot,
)

T = TypeVar("T")

_AS_BYTES: dict[str, Any] = {NEVER_DECODE: []}
KEPT_DAYS = 400
CAP = 32  # tickets under one message id; a newsletter's readers find their own tickets by derived ids
BOUNCE_DAYS = 40
RECIPIENT_DAYS = 5
WRITER_DAYS = 180

# KEYS and their values (from ARGV 2 on), all for ARGV[1] seconds. Hundreds of keys a command: a command for each costs
# the client 20 µs, and a rebuild has millions.
_SET = """
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'EX', ARGV[1]) end
return #KEYS
"""
# Members of sets that live for ARGV[1] seconds after the last.
_ADD_FOR = """
for i = 1, #KEYS do
  if redis.call('SCARD', KEYS[i]) < 32 then redis.call('SADD', KEYS[i], ARGV[i + 1]) end
  redis.call('EXPIRE', KEYS[i], ARGV[1])
end
return #KEYS
"""
AT_ONCE = 500  # keys in one command


@dataclass(frozen=True, slots=True)
class Query:
    """One mail's look-up."""

    received: EmailReceived
    clues: Clues


def _short(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


NAMES = "ix2"
"""What the index's keys begin with, behind the prefix; another form of it has other names."""


class Index:
    """Raises `REDIS_DOWN` errors; whoever calls goes through the gate."""

    def __init__(
        self, client: redis.asyncio.Redis, prefix: str, receipt_days: int,
        kept_days: Callable[[str], int] = lambda _: KEPT_DAYS,
    ) -> None:  # fmt: skip
        """`kept_days`: how many days a portal's tickets are known after they were closed."""
        self._client = client
        self._prefix = f"{prefix}:{NAMES}:"
        self._learnt = f"{self._prefix}learnt"
        self._places = f"{self._prefix}places"
        self._receipt_s = receipt_days * 86_400
        self.kept_days = kept_days
        self._known_places: dict[bytes, str] = {}

    # keys
    @property
    def buckets(self) -> str:
        """What the names of the hashes that name tickets begin with; their number follows, in hex."""
        return f"{self._prefix}k:"

    @property
    def ticket_buckets(self) -> str:
        """As `buckets`, of the hashes that say what is known of tickets."""
        return f"{self._prefix}t:"

    def bucket(self, number: int) -> str:
        """The hash that names tickets."""
        return f"{self.buckets}{number:x}"

    def ticket_bucket(self, number: int) -> str:
        """The hash that says what is known of tickets."""
        return f"{self.ticket_buckets}{number:x}"

    def _order(self, portal: str, message_id: str) -> str:
        return f"{self._prefix}o:{portal}:{_short(message_id)}"

    def _recipient(self, portal: str, email: str) -> str:
        return f"{self._prefix}r:{portal}:{_short(email)}"

    def _answered(self, portal: str, email: str) -> str:
        return f"{self._prefix}a:{portal}:{_short(email)}"

    def _writer(self, received: EmailReceived) -> str:
        return f"{self._prefix}w:{received.portal_id}:{_short(comparable(author(received).email))}"

    def _receipt(self, received: EmailReceived) -> str:
        # two forwarded copies of one mail differ only in their traces, and may reach two addresses
        traces = ",".join(sorted(t.address.lower() for t in received.content.traces))
        return f"{self._prefix}rc:{received.id}:{_short(traces) if traces else ''}"

    async def look_up(self, queries: Sequence[Query]) -> tuple[list[list[dict[str, Any]] | None], list[Known]]:
        """For each mail: where it went before (or None), and what the index knows of its clues."""
        pipe = self._client.pipeline(transaction=False)
        named = [named_by(query.clues) for query in queries]
        plans = [self._plan(pipe, query) for query in queries]
        keys = len(pipe)
        spots = [spot(kind, query.received.portal_id, name)
                 for query, names in zip(queries, named, strict=True) for kind, name in names]  # fmt: skip
        self._ask(pipe, FIND, ((self.bucket(bucket), field) for bucket, field in spots))
        answers = await pipe.execute() if len(pipe) else []
        tickets = iter([tickets_in(one) for some in answers[keys:] for one in some])
        remembered: list[list[dict[str, Any]] | None] = []
        found: list[Known] = []
        position = 0
        for plan, names in zip(plans, named, strict=True):
            known = Known()
            for (kind, name), found_there in zip(names, islice(tickets, len(names)), strict=True):
                if found_there:
                    tell(known, kind, name, found_there)
            before: list[dict[str, Any]] | None = None
            for kind in plan:
                answer = answers[position]
                position += 1
                if not answer:
                    continue
                if kind == "rc":
                    before = orjson.loads(answer)
                elif kind == "a":
                    known.answered = sorted(answer)
                elif known.bounced is None:
                    ticket, _, outbound = str(answer).partition("|")
                    known.bounced = (ticket, outbound)
            remembered.append(before)
            found.append(known)
        await self._describe(queries, found)
        return remembered, found

    def _plan(self, pipe: Any, query: Query) -> list[str]:
        """Ask for what has keys of its own; which kinds these are."""
        portal, clues = query.received.portal_id, query.clues
        pipe.get(self._receipt(query.received))
        plan = ["rc"]
        if answered := clues.absent or clues.quotes_us:
            pipe.smembers(self._answered(portal, answered))
            plan.append("a")
        for message_id in clues.bounced_ids:
            pipe.get(self._order(portal, message_id))
            plan.append("o")
        for email in clues.bounced_recipients:
            pipe.get(self._recipient(portal, email))
            plan.append("r")
        return plan

    @staticmethod
    def _ask(pipe: Any, script: str, keyed: Iterable[tuple[str, bytes]]) -> None:
        """For each key and field what the script finds there, undecoded."""
        for some in batched(keyed):
            pipe.execute_command("EVAL", script, len(some), *(k for k, _ in some), *(f for _, f in some), **_AS_BYTES)

    async def _describe(self, queries: Sequence[Query], found: list[Known]) -> None:
        wanted: dict[str, None] = {}
        for query, known in zip(queries, found, strict=True):
            by_number = (*known.numbers.values(), *known.their_numbers.values())
            for tickets in (*known.references.values(), *by_number, known.thread, known.answered):
                wanted.update(dict.fromkeys(tickets))
            clues = query.clues
            named = [*clues.signed, *clues.plus, *filter(None, (clues.own, clues.bounce))]
            wanted.update(dict.fromkeys(named))
            if known.bounced:
                wanted[known.bounced[0]] = None
        if not wanted:
            return
        pipe = self._client.pipeline(transaction=False)
        spots = [ticket_spot(ticket) for ticket in wanted]
        self._ask(pipe, GET, ((self.ticket_bucket(bucket), field) for bucket, field in spots))
        entries = {
            ticket: TicketEntry.decoded(data)
            for ticket, data in zip(wanted, (one for some in await pipe.execute() for one in some), strict=True)
            if data
        }
        places = await self.places({entry.place for entry in entries.values()})
        described = {
            ticket: TicketClue(*three(places[entry.place]), entry.customer)
            for ticket, entry in entries.items()
            if entry.place in places
        }
        for known in found:
            known.tickets = described

    async def places(self, codes: set[bytes]) -> dict[bytes, str]:
        """portal|queue|address by their codes; what was asked once is remembered."""
        if missing := [code for code in codes if code not in self._known_places]:
            found = await self._client.hmget(self._places, [code.hex() for code in missing])
            self._known_places.update((c, str(text)) for c, text in zip(missing, found, strict=True) if text)
        return self._known_places

    async def remember(self, routed: Sequence[tuple[EmailReceived, list[EmailRouted]]]) -> list[list[dict[str, Any]]]:
        """Remember where receipts went; what another worker remembered first wins and comes back."""
        pipe = self._client.pipeline(transaction=False)
        mine = [[as_memory(r) for r in ways] for _, ways in routed]
        for (received, _), ways in zip(routed, mine, strict=True):
            pipe.set(self._receipt(received), orjson.dumps(ways), nx=True, get=True, ex=self._receipt_s)
        answers = await pipe.execute()
        return [orjson.loads(a) if a else way for a, way in zip(answers, mine, strict=True)]

    async def learnt_to(self, partition: int) -> int | None:
        """The offset of `tickets` up to which this index knows everything of a partition; None when it does not say."""
        found = await self._client.hget(self._learnt, str(partition))
        return None if found is None else int(found)

    async def note_learnt(self, to: Mapping[int, int]) -> None:
        """It knows everything of these partitions up to these offsets."""
        await self._client.hset(self._learnt, mapping={str(number): offset for number, offset in to.items()})

    async def wrote_to(self, received: Sequence[EmailReceived]) -> list[str | None]:
        """The address that each mail's author wrote to last, of those that share their internal address with others."""
        found = await self._client.mget([self._writer(r) for r in received]) if received else []
        return [str(address) if address else None for address in found]

    async def note_writers(self, wrote: Sequence[tuple[EmailReceived, str]]) -> None:
        """Remember who wrote to which of such addresses."""
        pipe = self._client.pipeline(transaction=False)
        for received, address_id in wrote:
            pipe.set(self._writer(received), address_id, ex=WRITER_DAYS * 86_400)
        await pipe.execute()

    async def note_places(self, places: dict[Any, Any]) -> None:
        """What codes of places (in hex) stand for."""
        await self._client.hset(self._places, mapping=places)

    async def learn(self, many: Iterable[Facts]) -> None:
        """Write what tickets' changes say, except loads (see `agents`)."""
        pipe = self._client.pipeline(transaction=False)
        entries: list[tuple[str, bytes]] = []
        places: dict[Any, Any] = {}  # as its client's types want it
        added: list[tuple[str, bytes]] = []
        orders: dict[str, str] = {}
        recipients: dict[str, str] = {}
        answered: list[tuple[str, str]] = []
        since = time.time() - RECIPIENT_DAYS * 86_400
        for facts in many:
            portal, ticket = facts.portal_id, facts.ticket_id
            if facts.gone:
                self._drop(pipe, facts)
                continue
            if facts.forgotten:
                self._drop_person(pipe, portal, facts.forgotten, ticket)
            if is_over(facts.closed, self.kept_days(portal)):
                continue
            if facts.clue:
                place, _, customer = facts.clue.rpartition("|")
                places[(code := place_code(place)).hex()] = place
                bucket, field = ticket_spot(ticket)
                entry = TicketEntry(code, customer_mark(customer), facts.closed)
                entries.append((self.ticket_bucket(bucket), field + entry.encoded()))
            mine = packed(ticket)
            for kind, name in facts.names():
                bucket, field = spot(kind, portal, name)
                added.append((self.bucket(bucket), field + mine))
            for order in facts.ordered:
                value = f"{ticket}|{order.outbound_id}"
                orders[self._order(portal, order.message_id)] = value
                if order.at.timestamp() < since:
                    continue
                recipients.update((self._recipient(portal, email), value) for email in order.recipients)
                if order.answer:
                    answered += [(self._answered(portal, email), ticket) for email in order.recipients]
        if places:
            pipe.hset(self._places, mapping=places)
        for known in batched(entries):
            pipe.execute_command("EVAL", SET, len(known), *(k for k, _ in known), *(data for _, data in known))
        for known in batched(added):
            pipe.execute_command("EVAL", ADD, len(known), *(k for k, _ in known), CAP, *(data for _, data in known))
        for script, first, pairs in (
            (_SET, BOUNCE_DAYS * 86_400, list(orders.items())),
            (_SET, RECIPIENT_DAYS * 86_400, list(recipients.items())),
            (_ADD_FOR, RECIPIENT_DAYS * 86_400, answered),
        ):
            for some in batched(pairs):
                pipe.execute_command("EVAL", script, len(some), *(k for k, _ in some), first, *(v for _, v in some))
        if len(pipe):
            await pipe.execute()

    def _drop(self, pipe: Any, facts: Facts) -> None:
        """Forget everything of a ticket that was erased."""
        portal, ticket = facts.portal_id, facts.ticket_id
        mine = packed(ticket)
        for kind, name in facts.names():
            bucket, field = spot(kind, portal, name)
            pipe.execute_command("EVAL", DROP, 1, self.bucket(bucket), field, mine)
        bucket, field = ticket_spot(ticket)
        pipe.execute_command("HDEL", self.ticket_bucket(bucket), field)
        for order in facts.ordered:
            pipe.delete(self._order(portal, order.message_id))
            for email in order.recipients:
                self._drop_person(pipe, portal, email, ticket)

    def _drop_person(self, pipe: Any, portal: str, email: str, ticket: str) -> None:
        pipe.delete(self._recipient(portal, email))
        pipe.srem(self._answered(portal, email), ticket)


def batched(pairs: Iterable[tuple[str, T]]) -> Iterator[list[tuple[str, T]]]:
    """At most so many at a time as one command takes."""
    rest = iter(pairs)
    while some := list(islice(rest, AT_ONCE)):
        yield some
