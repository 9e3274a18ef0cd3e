"""A batch of inputs, worked on ticket by ticket: decide, choose agents together, collect outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from mailroom_contracts import (
    CommandRefused,
    DeliveryReport,
    EmailRouted,
    TicketCommand,
    TicketCreated,
    TicketState,
    Undecodable,
    decode,
    header,
    topics,
)
from mailroom_runtime.book import Book
from mailroom_runtime.bus.tracing import child
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from .agents import Agents
from .command_reading import read_command, unclear
from .draft import Context, Draft, Input, Renewed
from .handed import Handed
from .inbox import Raw
from .outputs import Outputs, TooLarge
from .redis_gate import RedisGate
from .ticket import decide, finish, too_large

log = get_logger()

YIELD_EVERY = 50


class Tickets(Protocol):
    """What is kept of the tickets of a partition."""

    async def bring(self, ticket_ids: Iterable[str]) -> None:
        """Have the states of these at hand."""

    def state(self, ticket_id: str) -> TicketState | None: ...

    def erased(self, ticket_id: str) -> tuple[str, ...]: ...


@dataclass(slots=True)
class Worked:
    """What came of a batch; the outputs of each partition by themselves."""

    outputs: dict[int, Outputs] = field(default_factory=dict)
    misplaced: list[tuple[Raw, str]] = field(default_factory=list)  # with the ticket id that says where it belongs
    poison: list[tuple[Raw, Exception]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


class Desk:
    """Decides batches. Holds nothing between two batches."""

    def __init__(
        self,
        book: Book,
        keys: Mapping[str, bytes],
        agents: Agents,
        gate: RedisGate,
        partition_of: Callable[[str], int],
        reply_lasts: timedelta,
        handed: Handed | None = None,
    ) -> None:
        """`handed` has what the first step of this process routed."""
        self._handed = handed or Handed()
        self._book, self._keys, self._agents, self._gate = book, keys, agents, gate
        self._partition_of, self._reply_lasts = partition_of, reply_lasts
        self.renewed: Mapping[str, Renewed | str] = {}  # by command: of partitions of ticket.events

    async def work(self, raws: Sequence[Raw], tickets: Mapping[int, Tickets]) -> Worked:
        """Decide every input in order, per ticket; inputs of different tickets share the round trips to Redis. `tickets`: by
        partition. Raises `KafkaError` when a ticket cannot be fetched."""
        worked = Worked(outputs={raw.partition: Outputs() for raw in raws})
        waves: list[list[tuple[Raw, Input]]] = []
        depth: dict[str, int] = {}
        for raw in raws:
            try:
                message = (self._handed.take(raw.value) if raw.topic is topics.EMAIL_ROUTED else None) or read(raw)
            except Undecodable as error:
                worked.poison.append((raw, error))
                continue
            if self._partition_of(message.ticket_id) != raw.partition:
                worked.misplaced.append((raw, message.ticket_id))
                continue
            level = depth.get(message.ticket_id, 0)
            depth[message.ticket_id] = level + 1
            if level == len(waves):
                waves.append([])
            waves[level].append((raw, message))
        if waves:  # the first has every ticket
            named: dict[int, list[str]] = {}
            for raw, message in waves[0]:
                named.setdefault(raw.partition, []).append(message.ticket_id)
            await asyncio.gather(*(tickets[number].bring(some) for number, some in named.items()))
        for wave in waves:
            await self._wave(wave, tickets, worked)
        return worked

    async def _wave(
        self,
        wave: list[tuple[Raw, Input]],
        tickets: Mapping[int, Tickets],
        worked: Worked,
    ) -> None:
        now = datetime.now(UTC)
        outputs = worked.outputs
        states = {
            m.ticket_id: written[m.ticket_id]
            if m.ticket_id in (written := outputs[raw.partition].states)
            else tickets[raw.partition].state(m.ticket_id)
            for raw, m in wave
        }
        erased = {
            m.ticket_id: outputs[raw.partition].erased.get(m.ticket_id) or tickets[raw.partition].erased(m.ticket_id)
            for raw, m in wave if states[m.ticket_id] is None
        }  # fmt: skip
        context = Context(
            self._book, self._keys, now, await self._online(wave, states), self._reply_lasts, self.renewed
        )  # fmt: skip
        drafts: list[tuple[Raw, Input, Draft]] = []
        for number, (raw, message) in enumerate(wave, 1):
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # what else the process does must not wait for all of it
            try:
                found = erased.get(message.ticket_id, ())
                drafts.append((raw, message, decide(states[message.ticket_id], message, context, found)))
            except Exception as error:
                # the decision is pure: a second try would end the same way
                log.error("ticket.decision_failed", ticket_id=message.ticket_id, exc_info=error)
                worked.poison.append((raw, error))
                if isinstance(message, TicketCommand):
                    failed = unclear(message, "failed", "It could not be carried out, which is our fault.")
                    drafts.append((raw, failed, decide(states[message.ticket_id], failed, context)))
        wishes = [(d.ticket_id, d.wanted, self._candidates(d)) for _, _, d in drafts if d.wanted]
        chosen: list[str | None] = [None] * len(wishes)
        if any(candidates for _, _, candidates in wishes):
            chosen = await self._gate.attempt(self._agents.choose(wishes), chosen)
        answers = iter(chosen)
        for raw, message, draft in drafts:
            decision = finish(draft, next(answers) if draft.wanted else None)
            trace = header(raw.headers, "traceparent")
            trace = child(trace) if trace else None
            try:
                try:
                    outputs[raw.partition].add(states[message.ticket_id], decision, trace)
                except TooLarge:
                    if not isinstance(message, TicketCommand):
                        raise
                    decision = too_large(states[message.ticket_id], message, context)
                    outputs[raw.partition].add(states[message.ticket_id], decision, trace)
            except TooLarge as error:
                worked.poison.append((raw, error))
                continue
            for event in decision.events:
                metrics.counter("mailroom_ticket_events_total", "Ticket events", ["type"]).labels(event.type).inc()
                if isinstance(event, TicketCreated):
                    log.info("ticket.created", ticket_id=event.ticket_id, number=event.number, cause=event.causation_id)
                elif isinstance(event, CommandRefused):
                    log.info(
                        "command.refused", ticket_id=event.ticket_id, command_id=event.causation_id, code=event.code
                    )
            if isinstance(message, EmailRouted) and _tells_latency(message):
                worked.latencies.append((now - message.received.received_at).total_seconds())

    def _candidates(self, draft: Draft) -> list[str]:
        assert draft.wanted is not None
        return self._book.agents_of(draft.wanted.queue_id, draft.wanted.portal_id)

    async def _online(
        self, wave: list[tuple[Raw, Input]], states: Mapping[str, TicketState | None]
    ) -> frozenset[str] | None:
        """Presence of the assignees whom a mail or a report may find away; None when Redis cannot say."""
        wanted = [
            (state.portal_id, state.assignee_id)
            for _, message in wave
            if isinstance(message, EmailRouted | DeliveryReport)
            and (state := states[message.ticket_id]) is not None
            and state.assignee_id is not None
            and state.prefer_online
        ]
        if not wanted:
            return None
        nobody: frozenset[str] | None = None
        return await self._gate.attempt(self._agents.online(wanted), nobody)


def _tells_latency(routed: EmailRouted) -> bool:
    """Whether it says how long a mail takes from acceptance: Gmail's counts from when Gmail got it, before we looked."""
    return routed.hop == 0 and routed.received.redelivery == 0 and routed.received.gmail is None


def read(raw: Raw) -> Input:
    """The input in a record. Raises `Undecodable`."""
    if raw.value is None:
        raise Undecodable(f"{raw.topic.name} has no value")
    if raw.topic is topics.TICKET_COMMANDS:
        return read_command(raw.key, raw.value, raw.headers)
    message = decode(raw.topic, raw.value, raw.headers)
    if not isinstance(message, EmailRouted | DeliveryReport):
        raise Undecodable(f"{raw.topic.name} does not take this")
    return message
