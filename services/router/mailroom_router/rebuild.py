"""Filling an empty index: every ticket's facts, the agents' loads and the directories, from the topic `tickets`.

Mail goes on meanwhile, and whoever decides on it tells the index, too: so when all was read and written, what was added
to the topic in that time is read as well, until that is little. Without it an older state, read before, could stand in
the place of what was told since.
"""

from __future__ import annotations

from collections.abc import Collection

import redis.asyncio
from aiokafka import ConsumerRecord, TopicPartition
from mailroom_contracts import Undecodable, topics
from mailroom_runtime.bus.kafka import Reading
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings

from .agents import Agents
from .directories import Directories
from .directory_keeping import AT_ONCE, Recorder, ticket_of
from .filling import Filling
from .lean_state import read_state
from .redis_index import Index

log = get_logger()
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
        self._settings, self._directories, self._partitions = settings, directories, partitions
        self._filling = Filling(client, index, agents)
        self._count = 0

    async def run(self) -> None:
        """Read `tickets` to its end and write what it says, into loads that are empty."""
        names = [topics.TICKETS.full_name(self._settings.topic_prefix)]
        async with Reading(self._settings, names, required=True) as reading:
            if self._partitions is not None:
                reading.begin({tp: at for tp, at in reading.positions.items() if tp.partition in self._partitions})
            recorders: dict[TopicPartition, Recorder] = {}
            for tp in reading.positions:
                if await self._directories.head(tp.partition) is None:
                    recorders[tp] = Recorder(self._directories, tp.partition, None)
            for _ in range(ROUNDS):
                before = self._count
                async for tp, records in reading.to_end():
                    recorder = recorders.get(tp)
                    for number, record in enumerate(records):
                        self._take(record, recorder)
                        if number % YIELD_EVERY == 0:  # or nobody else had a turn for as long as a fetch lasts
                            await self._filling.give_way()
                    if recorder is not None and len(recorder) >= AT_ONCE:
                        await recorder.write()
                await self._filling.write()
                for tp, recorder in recorders.items():
                    await recorder.write(reading.positions[tp])
                if self._count - before <= FEW:
                    break
        self._tell("index.filled")

    def _tell(self, event: str) -> None:
        log.info(
            event, states=self._count, partitions=sorted(self._partitions) if self._partitions is not None else "all"
        )

    def _take(self, record: ConsumerRecord, recorder: Recorder | None) -> None:
        key = ticket_of(record)
        self._count += 1
        if self._count % TOLD_EVERY == 0:
            self._tell("index.filling")
        waits: bool | None = None
        if record.value is None:
            self._filling.forget(key)
        else:
            try:
                state = read_state(record.value)
            except Undecodable as error:
                log.error("index.broken_state", ticket_id=key, error=str(error))
            else:
                self._filling.take(key, state)
                waits = state.wants_online or state.snoozed_until is not None
        if recorder is not None:
            recorder.note(record, waits)
