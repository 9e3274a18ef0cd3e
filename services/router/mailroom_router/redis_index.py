"""The index in Redis: message id, ticket number, Gmail thread, our orders and routed receipts -> ticket.

Many look-ups share one round trip: a batch of mails costs two pipelines, however many it holds.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
import redis.asyncio
from mailroom_contracts import EmailReceived, EmailRouted
from mailroom_mail import comparable

from .authorship import author
from .conversation import Clues, Known, TicketClue
from .facts import Facts

CAP = 32  # tickets under one message id; a newsletter's readers find their own tickets by derived ids
BOUNCE_DAYS = 40
RECIPIENT_DAYS = 5
WRITER_DAYS = 180

_ADD = """
for i = 1, #KEYS do
  if redis.call('SCARD', KEYS[i]) < tonumber(ARGV[1]) then redis.call('SADD', KEYS[i], ARGV[i + 1]) end
end
return #KEYS
"""

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


class Index:
    """Raises `REDIS_DOWN` errors; whoever calls goes through the gate."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, receipt_days: int) -> None:
        self._client = client
        self._prefix = f"{prefix}:ix:"
        self._learnt = f"{self._prefix}learnt"
        self._receipt_s = receipt_days * 86_400

    # keys
    def _message(self, portal: str, message_id: str) -> str:
        return f"{self._prefix}m:{portal}:{_short(message_id)}"

    def _number(self, portal: str, number: str) -> str:
        return f"{self._prefix}n:{portal}:{number}"

    def _thread(self, portal: str, thread: str) -> str:
        return f"{self._prefix}g:{portal}:{thread}"

    def _ticket(self, ticket_id: str) -> str:
        return f"{self._prefix}t:{ticket_id}"

    def _order(self, portal: str, message_id: str) -> str:
        return f"{self._prefix}o:{portal}:{_short(message_id)}"

    def _recipient(self, portal: str, email: str) -> str:
        return f"{self._prefix}r:{portal}:{_short(email)}"

    def _their_number(self, portal: str, number: str) -> str:
        return f"{self._prefix}d:{portal}:{_short(number)}"

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
        plans = [self._plan(pipe, query) for query in queries]
        answers = await pipe.execute() if len(pipe) else []
        remembered: list[list[dict[str, Any]] | None] = []
        found: list[Known] = []
        position = 0
        for plan in plans:
            known = Known()
            before: list[dict[str, Any]] | None = None
            for kind, name in plan:
                answer = answers[position]
                position += 1
                if not answer:
                    continue
                if kind == "rc":
                    before = orjson.loads(answer)
                elif kind == "m":
                    known.references[name] = sorted(answer)
                elif kind == "n":
                    known.numbers[name] = sorted(answer)
                elif kind == "g":
                    known.thread = sorted(answer)
                elif kind == "d":
                    known.their_numbers[name] = sorted(answer)
                elif kind == "a":
                    known.answered = sorted(answer)
                elif known.bounced is None:
                    ticket, _, outbound = str(answer).partition("|")
                    known.bounced = (ticket, outbound)
            remembered.append(before)
            found.append(known)
        await self._describe(queries, found)
        return remembered, found

    def _plan(self, pipe: Any, query: Query) -> list[tuple[str, str]]:
        portal, clues = query.received.portal_id, query.clues
        pipe.get(self._receipt(query.received))
        plan = [("rc", "")]
        for reference in clues.references:
            pipe.smembers(self._message(portal, reference))
            plan.append(("m", reference))
        for number in clues.numbers:
            pipe.smembers(self._number(portal, number))
            plan.append(("n", number))
        if clues.thread:
            pipe.smembers(self._thread(portal, clues.thread))
            plan.append(("g", clues.thread))
        for number in clues.their_numbers:
            pipe.smembers(self._their_number(portal, number))
            plan.append(("d", number))
        if answered := clues.absent or clues.quotes_us:
            pipe.smembers(self._answered(portal, answered))
            plan.append(("a", answered))
        for message_id in clues.bounced_ids:
            pipe.get(self._order(portal, message_id))
            plan.append(("o", message_id))
        for email in clues.bounced_recipients:
            pipe.get(self._recipient(portal, email))
            plan.append(("r", email))
        return plan

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
        names = list(wanted)
        lines = await self._client.mget([self._ticket(t) for t in names])
        described: dict[str, TicketClue] = {}
        for ticket, line in zip(names, lines, strict=True):
            if line:
                portal, queue, address, customer = str(line).split("|", 3)
                described[ticket] = TicketClue(portal, queue, address, customer)
        for known in found:
            known.tickets = described

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

    async def learn(self, many: Iterable[Facts]) -> None:
        """Write what tickets' changes say, except loads (see `agents`)."""
        pipe = self._client.pipeline(transaction=False)
        clues: dict[str, str] = {}
        added: list[tuple[str, str]] = []
        orders: dict[str, str] = {}
        recipients: dict[str, str] = {}
        answered: list[tuple[str, str]] = []
        since = time.time() - RECIPIENT_DAYS * 86_400
        for facts in many:
            portal, ticket = facts.portal_id, facts.ticket_id
            if facts.clue:
                clues[self._ticket(ticket)] = facts.clue
            added += [(self._message(portal, m), ticket) for m in facts.message_ids]
            if facts.number:
                added.append((self._number(portal, facts.number), ticket))
            if facts.thread:
                added.append((self._thread(portal, facts.thread), ticket))
            added += [(self._their_number(portal, n), ticket) for n in facts.their_numbers]
            for order in facts.ordered:
                value = f"{ticket}|{order.outbound_id}"
                orders[self._order(portal, order.message_id)] = value
                if order.at.timestamp() < since:
                    continue
                recipients.update((self._recipient(portal, email), value) for email in order.recipients)
                if order.answer:
                    answered += [(self._answered(portal, email), ticket) for email in order.recipients]
        for some in batched(clues.items()):
            pipe.mset(dict(some))
        for script, first, pairs in (
            (_ADD, CAP, added),
            (_SET, BOUNCE_DAYS * 86_400, list(orders.items())),
            (_SET, RECIPIENT_DAYS * 86_400, list(recipients.items())),
            (_ADD_FOR, RECIPIENT_DAYS * 86_400, answered),
        ):
            for some in batched(pairs):
                pipe.execute_command("EVAL", script, len(some), *(k for k, _ in some), first, *(v for _, v in some))
        if len(pipe):
            await pipe.execute()


def batched(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """At most so many at a time as one command takes."""
    rest = iter(pairs)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def as_memory(routed: EmailRouted) -> dict[str, Any]:
    """What is remembered of a routing decision."""
    return {
        "id": routed.id,
        "t": routed.ticket_id,
        "a": routed.address_id,
        "q": routed.queue_id,
        "r": routed.root,
        "y": routed.reason,
        "l": routed.linked_to,
        "o": routed.bounced_outbound_id,
    }


def from_memory(memory: dict[str, Any], fresh: EmailRouted) -> EmailRouted:
    """The remembered way with the mail itself."""
    return fresh.model_copy(
        update={
            "id": memory["id"],
            "ticket_id": memory["t"],
            "address_id": memory["a"],
            "queue_id": memory["q"],
            "root": memory["r"],
            "reason": memory["y"],
            "linked_to": memory["l"],
            "bounced_outbound_id": memory["o"],
        }
    )
