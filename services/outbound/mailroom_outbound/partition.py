"""One assigned partition of the lanes topic: read from its beginning, then followed; its lanes run once it was read."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiokafka import ConsumerRecord
from mailroom_contracts import LaneEntry, Undecodable, decode, topics
from mailroom_runtime.process.tasks import lasting

from .desk import Desk
from .lease import Holder
from .records import writer_of
from .runner import LaneRunner

DONE_KEPT = 300_000  # ids of finished mails that are remembered, so that a repeated order is not sent again

EndOffset = Callable[[], Awaitable[int]]
Bury = Callable[[ConsumerRecord, Undecodable], Awaitable[None]]


class Partition:
    """State of one assignment. `end` is the offset up to which it must be read before anything is sent."""

    def __init__(self, number: int, end: int, desk: Desk, holder: Holder, *, bury: Bury, end_offset: EndOffset) -> None:
        self.number, self.end, self.position = number, end, 0
        self._desk, self._holder, self._bury, self._end_offset = desk, holder, bury, end_offset
        self._loading: OrderedDict[str, LaneEntry] | None = OrderedDict()
        self._again: set[str] = set()  # entries whose last record on the topic is not their state
        self._done: OrderedDict[str, None] = OrderedDict()
        self._lanes: dict[str, LaneRunner] = {}
        self._where: dict[str, LaneRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._moved, self._stopped = asyncio.Event(), False

    @property
    def loaded(self) -> bool:
        return self._loading is None

    @property
    def waiting(self) -> int:
        """How many mails wait here."""
        return len(self._loading) if self._loading is not None else len(self._where)

    async def apply(self, records: list[ConsumerRecord]) -> None:
        """Take in what the topic says."""
        for record in records:
            if self.loaded and writer_of(record.headers) == str(self._holder):
                continue  # our own
            outbound_id = (record.key or b"").decode("utf-8", "replace")
            try:
                entry = decode(topics.EMAIL_LANES, record.value, record.headers)
            except Undecodable as error:
                await self._bury(record, error)
                await self._desk.records.end(outbound_id, self.number, str(self._holder))
                continue
            await self._take_in(outbound_id, entry if isinstance(entry, LaneEntry) else None, writer_of(record.headers))
        await self.moved_to(records[-1].offset + 1)

    async def moved_to(self, position: int) -> None:
        """It was read up to there; once that is the end, lanes start."""
        self.position = max(self.position, position)
        if self._loading is not None and self.position >= self.end:
            waiting, self._loading = self._loading, None
            for entry in waiting.values():
                self._lane(entry.address_id).add(entry)
                self._where[entry.outbound_id] = self._lane(entry.address_id)
            for outbound_id in self._again:
                await self._say_again(outbound_id)
            self._again.clear()
        self._signal()

    def _signal(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _take_in(self, outbound_id: str, entry: LaneEntry | None, writer: str | None) -> None:
        if entry is None:
            self._finished(outbound_id)
            if self._loading is not None:
                self._loading.pop(outbound_id, None)
            elif (runner := self._where.pop(outbound_id, None)) is not None:
                runner.forget(outbound_id)
            return
        if outbound_id in self._done:
            await self._repeat(outbound_id)
        elif self._loading is not None:
            known = self._loading.get(outbound_id)
            if writer is not None or known is None:
                self._loading[outbound_id] = entry
            else:
                self._loading[outbound_id] = known.model_copy(update={"cancel": known.cancel or entry.cancel})
                self._again.add(outbound_id)
        elif outbound_id not in self._where:
            self._where[outbound_id] = runner = self._lane(entry.address_id)
            runner.add(entry)
        elif writer is not None:
            self._where[outbound_id].add(entry)
        else:
            if entry.cancel:
                self._where[outbound_id].cancel(outbound_id)
            await self._repeat(outbound_id)

    async def _repeat(self, outbound_id: str) -> None:
        """An order came again: what the topic says last must be how things stand."""
        if self._loading is not None:
            self._again.add(outbound_id)
        else:
            await self._say_again(outbound_id)

    async def _say_again(self, outbound_id: str) -> None:
        runner = self._where.get(outbound_id)
        entry = runner.agenda.entries.get(outbound_id) if runner is not None else None
        if entry is not None:
            await self._desk.records.put(entry, str(self._holder))
        elif outbound_id in self._done:
            await self._desk.records.end(outbound_id, self.number, str(self._holder))

    def _finished(self, outbound_id: str) -> None:
        self._done[outbound_id] = None
        if len(self._done) > DONE_KEPT:
            self._done.popitem(last=False)

    def _lane(self, address_id: str) -> LaneRunner:
        if address_id not in self._lanes:
            runner = LaneRunner(
                address_id, self._desk, self._holder, caught_up=self._caught_up, on_done=self._lane_finished
            )
            self._lanes[address_id] = runner
            if self._stopped:
                runner.stop()
            self._tasks[address_id] = lasting(runner.run, f"lane-{address_id}")
        return self._lanes[address_id]

    def _lane_finished(self, outbound_id: str) -> None:
        self._where.pop(outbound_id, None)
        self._finished(outbound_id)

    async def _caught_up(self) -> None:
        """Read on to the end as it is now."""
        end = await self._end_offset()
        while self.position < end and not self._stopped:
            await self._moved.wait()

    def reconfigured(self, address_id: str) -> bool:
        """An address changed. Whether mail of it waits here."""
        runner = self._lanes.get(address_id)
        if runner is None:
            return False
        runner.reconfigured()
        return len(runner.agenda) > 0

    def failed_lanes(self) -> list[BaseException]:
        """Errors of lanes that ended though they should not."""
        ended = [task for task in self._tasks.values() if task.done() and not task.cancelled()]
        return [error for task in ended if (error := task.exception()) is not None]

    def stop(self) -> list[asyncio.Task[None]]:
        """Start nothing more here; the tasks that end once what is under way is finished."""
        self._stopped = True
        self._signal()
        for runner in self._lanes.values():
            runner.stop()
        return list(self._tasks.values())
