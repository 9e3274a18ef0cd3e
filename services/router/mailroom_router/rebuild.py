"""Filling an empty index: every ticket's facts, the agents' loads and the directories, from the topic `tickets`.

Mail goes on meanwhile, and whoever decides on it tells the index, too: so when all was read and written, what was added
to the topic in that time is read as well, until that is little. Without it an older state, read before, could stand in
the place of what was told since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import redis.asyncio
from aiokafka import ConsumerRecord
from mailroom_contracts import Undecodable, topics
from mailroom_runtime.bus.kafka import Reading
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import end

from .agents import Agents
from .directories import Directories
from .directory_keeping import Recorder, ticket_of
from .facts import holder
from .filling import Filling, Load
from .lean_state import read_state
from .redis_index import BOUNCE_DAYS, Index

log = get_logger()
AT_ONCE = 150_000  # tickets that are gathered: 100 MB
FEW = 200  # states: what came while so many were read is told twice at the most, which changes nothing
ROUNDS = 20
YIELD_EVERY = 50
TOLD_EVERY = 50_000


class Rebuilding:
    """One rebuild. `run` raises `REDIS_DOWN` and KafkaError."""

    def __init__(
        self, settings: ServiceSettings, client: redis.asyncio.Redis, index: Index, agents: Agents,
        directories: Directories, partitions: Collection[int] | None = None,
    ) -> None:  # fmt: skip
        """`partitions`: of the topic, None for all."""
        self._partitions = partitions
        self._directories = directories
        self._recorders: dict[int, Recorder] = {}
        self._settings, self._client, self._index, self._agents = settings, client, index, agents
        self._bounced_since = datetime.now(UTC) - timedelta(days=BOUNCE_DAYS)
        self._filling = self._empty()
        self._held: dict[str, Load] = {}  # a ticket's older state may have given it to somebody else
        self._writing: asyncio.Task[None] | None = None
        self._count = 0

    async def run(self) -> None:
        """Read `tickets` to its end and write what it says, into loads that are empty."""
        names = [topics.TICKETS.full_name(self._settings.topic_prefix)]
        try:
            async with Reading(self._settings, names, required=True) as reading:
                if self._partitions is not None:
                    reading.begin({tp: at for tp, at in reading.positions.items() if tp.partition in self._partitions})
                for tp in reading.positions:
                    if await self._directories.head(tp.partition) is None:
                        self._recorders[tp.partition] = Recorder(self._directories, tp.partition, None)
                for _ in range(ROUNDS):
                    before = self._count
                    async for _, records in reading.to_end():
                        for number, record in enumerate(records):
                            self._take(record)
                            if self._count % AT_ONCE == 0:
                                await self._flush()
                            elif number % YIELD_EVERY == 0:
                                await asyncio.sleep(0)  # or nobody else had a turn for as long as a fetch lasts
                    await self._flush()
                    if self._writing is not None:
                        await self._writing
                    for tp, position in reading.positions.items():
                        if tp.partition in self._recorders:
                            await self._recorders[tp.partition].write(position)
                    if self._count - before <= FEW:
                        break
        finally:
            if self._writing is not None:
                await end(self._writing)
        self._tell("index.filled")

    def _tell(self, event: str) -> None:
        log.info(
            event, states=self._count, partitions=sorted(self._partitions) if self._partitions is not None else "all"
        )

    def _take(self, record: ConsumerRecord) -> None:
        key = ticket_of(record)
        self._count += 1
        if self._count % TOLD_EVERY == 0:
            self._tell("index.filling")
        recorder = self._recorders.get(record.partition)
        if record.value is None:
            self._filling.forget(key, self._held.pop(key, None))
            if recorder is not None:
                recorder.note(record)
            return
        try:
            state = read_state(record.value)
        except Undecodable as error:
            log.error("index.broken_state", ticket_id=key, error=str(error))
            if recorder is not None:
                recorder.note(record)
            return
        if recorder is not None:
            recorder.note(record, waits=state.wants_online or state.snoozed_until is not None)
        self._filling.take(key, state, self._held.pop(key, None))
        if (agent := holder(state)) is not None:
            self._held[key] = state.portal_id, agent

    def _empty(self) -> Filling:
        return Filling(self._index.kept_days, self._bounced_since)

    async def _flush(self) -> None:
        """Write what was read while more is read: in order, one after the other."""
        if self._writing is not None:
            await self._writing
        for recorder in self._recorders.values():
            await recorder.write()
        filling, self._filling = self._filling, self._empty()
        self._writing = asyncio.create_task(filling.write(self._client, self._index, self._agents))
