"""Filling an empty index: every ticket's facts and the agents' loads, from the topic `tickets`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mailroom_contracts import TicketState, Undecodable, decode_as, topics
from mailroom_runtime.bus.kafka import read_to_end
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings

from .agents import Agents
from .facts import Facts, facts
from .redis_index import BOUNCE_DAYS, Index

log = get_logger()
AT_ONCE = 500
SENT_S = 0.001  # time for a batch to leave: reading gives the loop no turn by itself, and Redis would wait for it


async def rebuild(settings: ServiceSettings, index: Index, agents: Agents) -> None:
    """Read `tickets` to its end and write what it says. Raises `REDIS_DOWN` and KafkaError."""
    await agents.forget_loads()
    batch: dict[str, Facts] = {}
    held: dict[str, str] = {}  # a ticket's older state may have given it to somebody else
    bounced_since = datetime.now(UTC) - timedelta(days=BOUNCE_DAYS)
    writing: asyncio.Task[None] | None = None
    count = 0

    async def write(many: Sequence[Facts]) -> None:
        await index.learn(many)
        await agents.learn(many)

    async def flush() -> None:
        """Write what was read while more is read: in order, one batch at a time."""
        nonlocal writing
        if writing is not None:
            await writing
        writing = asyncio.create_task(write(list(batch.values())))
        batch.clear()
        await asyncio.sleep(SENT_S)

    try:
        async for record in read_to_end(settings, [topics.TICKETS.full_name(settings.topic_prefix)], required=True):
            key = (record.key or b"").decode("utf-8", "replace")
            if record.value is None:
                batch.pop(key, None)
                continue
            try:
                state = decode_as(TicketState, record.value)
            except Undecodable as error:
                log.error("index.broken_state", ticket_id=key, error=str(error))
                continue
            found = facts(None, state)
            if state.updated_at < bounced_since:
                found = replace(found, ordered=())  # nothing that it sent comes back any more
            if (before := held.pop(key, None)) is not None and before != found.joins:
                found = replace(found, leaves=before)
            if found.joins:
                held[key] = found.joins
            batch[key] = found
            count += 1
            if len(batch) >= AT_ONCE:
                await flush()
        await flush()
        if writing is not None:
            await writing
    finally:
        if writing is not None:
            writing.cancel()
    log.info("index.filled", states=count)
