"""Keeps the directories in Valkey going, and reads them for who takes a partition over. With Valkey away there are none.

What goes into a directory is read from the topic itself, never told by who wrote it: so a worker that was killed, or
that slept while another wrote on, cannot put anything into it that is not so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import topics
from mailroom_runtime.bus.kafka import Reading
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings

from .directories import Directories
from .directory import Head, Lines
from .redis_gate import RedisGate
from .store import may_wait

log = get_logger()
LOOK_S = 5.0
MANY = 5_000  # states beyond a directory, which a take-over reads in a second
LATEST_S = 300.0  # after this fewer are added, too
AT_ONCE = 50_000
YIELD_EVERY = 100


def ticket_of(record: ConsumerRecord) -> str:
    """Whose state a record of `tickets` is."""
    return (record.key or b"").decode("utf-8", "replace")


class Open(Protocol):
    """A partition that this worker has."""

    @property
    def ready(self) -> bool: ...

    @property
    def states_to(self) -> int: ...


class KnownDirectories:
    """What a partition asks of the directories; whatever fails gives none."""

    def __init__(self, gate: RedisGate, directories: Directories) -> None:
        self._gate, self._directories = gate, directories

    async def read(self, partition: int) -> tuple[Head, list[bytes]] | None:
        """A partition's directory."""
        nothing: tuple[Head, list[bytes]] | None = None
        return await self._gate.attempt(self._directories.read(partition), nothing)

    async def begin(self, partition: int, to: int, lines: Mapping[int, bytes]) -> None:
        """Begin a directory with all of it, where there is none."""
        nothing: Head | None = None
        await self._gate.attempt(self._directories.add(partition, None, to, lines), nothing)

    async def drop(self, partition: int) -> None:
        """It was found to be wrong."""
        await self._gate.attempt(self._directories.drop(partition), None)


class Recorder:
    """Adds to one partition's directory what is read of the topic, in the order of its offsets."""

    def __init__(self, directories: Directories, partition: int, head: Head | None) -> None:
        """`head`: of the directory as it is; what is read begins where it ends."""
        self._directories, self._partition = directories, partition
        self._head, self._lines = head, Lines()
        self._to = head.to if head is not None else 0
        self.lost = False
        """Somebody else writes it."""

    def note(self, record: ConsumerRecord, waits: bool | None = None) -> None:
        """The next record. `waits`: whether its ticket does, where that is known."""
        value = record.value
        if waits is None:
            waits = value is not None and may_wait(value)
        self._lines.note(ticket_of(record), record.offset, waits=waits, gone=value is None)
        self._to = record.offset + 1

    def __len__(self) -> int:
        return self._lines.count

    async def write(self, to: int = 0) -> Head | None:
        """Write what was noted; all up to `to` was. Raises `REDIS_DOWN` errors."""
        if not self.lost:
            self._head = await self._directories.add(self._partition, self._head, max(to, self._to), self._lines.take())
            self.lost = self._head is None
        return self._head

    async def tidy(self) -> Head | None:
        """Take out what does not count any more."""
        if self._head is not None and not self.lost:
            self._head = await self._directories.tidy(self._partition, self._head)
        return self._head


class DirectoryKeeping:
    """Looks again and again how far the directories of this worker's partitions are behind."""

    def __init__(
        self, settings: ServiceSettings, gate: RedisGate, directories: Directories,
        partitions: Callable[[], Mapping[int, Open]],
    ) -> None:  # fmt: skip
        self._settings, self._gate, self._directories, self._partitions = settings, gate, directories, partitions
        self._looked: dict[int, tuple[int, float]] = {}  # where a directory ended, and when that was looked at

    async def run(self) -> None:
        """Never ends."""
        while True:
            await asyncio.sleep(LOOK_S)
            for number, partition in list(self._partitions().items()):
                # while the index is rebuilt the directories are, too
                if self._gate.ready and partition.ready and self._is_due(number, partition.states_to):
                    try:
                        await self._gate.attempt(self._add(number), None)
                    except (KafkaError, TimeoutError) as error:
                        log.warning("directory.not_read", partition=number, error=type(error).__name__)

    def _is_due(self, number: int, states_to: int) -> bool:
        to, at = self._looked.get(number, (-1, 0.0))
        old = time.monotonic() - at > LATEST_S
        return to < 0 or states_to >= to + MANY or old  # also one that is whole: it may be gone, or be another's

    async def _add(self, number: int) -> None:
        head = await self._directories.head(number)
        partition = self._partitions().get(number)
        if head is None or partition is None or partition.states_to > head.to:
            head = await self._read_on(number, head)
        self._looked[number] = (head.to if head is not None else -1, time.monotonic())

    async def _read_on(self, number: int, head: Head | None) -> Head | None:
        name = topics.TICKETS.full_name(self._settings.topic_prefix)
        tp = TopicPartition(name, number)
        recorder = Recorder(self._directories, number, head)
        async with Reading(self._settings, [name], required=True) as reading:
            reading.begin({tp: head.to if head is not None else 0})
            async for _, records in reading.to_end():
                for count, record in enumerate(records):
                    recorder.note(record)
                    if count % YIELD_EVERY == 0:
                        await asyncio.sleep(0)
                if len(recorder) >= AT_ONCE:
                    await recorder.write()
                    if recorder.lost:
                        return None
            head = await recorder.write(reading.positions[tp])
        if head is not None:
            log.debug("directory.written", partition=number, to=head.to)
        return await recorder.tidy()
