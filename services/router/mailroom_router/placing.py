"""The first step: takes what faust hands over (`faust_app`), in batches, at least once.

An event is acknowledged after Kafka acknowledged what came of it, by us and not by the stream: a stream that is
cancelled in a rebalance acknowledges nothing that was not done. What faust skips nevertheless, the auditor finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

from mailroom_contracts import Record, Undecodable, topics
from mailroom_runtime.bus.consume import DEAD_IN_A_ROW
from mailroom_runtime.bus.dead_letters import bury
from mailroom_runtime.bus.gathering import Gathering
from mailroom_runtime.bus.kafka import BusDown, Producer
from mailroom_runtime.bus.pace import Pace
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.process.tasks import end

from .faust_app import GROUP, FaustApp, headers_of
from .first_step import Arrival, FirstStep, NeedsIndex
from .parking import Parking
from .placing_watch import watch
from .settings import RouterSettings

log = get_logger()

MOST_WAITING = 2_000
STOP_S = 8.0
STILL_TURNS = 5
LOOK_S = 1.0  # while nothing comes
LOOK_AGAIN_S = 0.04  # while mail waits for what it names
LOOK_PARKED_S = 0.1  # while mail waits for the index
UNASSIGNED_S = (
    60.0  # with more workers than partitions somebody has none for ever: others' commits show that all is well
)


class Placing:
    """Runs the faust app until the service stops."""

    def __init__(self, service: Service[RouterSettings], step: FirstStep, producer: Producer) -> None:
        self._service, self._settings = service, service.settings
        self._step, self._producer = step, producer
        self._waiting: deque[Any] = deque()
        self._held: list[Any] = []  # they name mail that is under way
        self._parked: Parking[Any] = Parking(self._settings.router_rebuild_wait_s)  # they wait for the index
        self._fed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._dead_in_a_row = 0
        self._assigned_at = time.monotonic()
        self._pace = Pace(calm_per_s=150, step_s=0.02, longest_s=0.05)

    async def run(self) -> None:
        """Raises `Stopped` when offsets were lost or faust gave up."""
        app = FaustApp(self._settings, self._receive, most=MOST_WAITING)
        tasks: dict[str, asyncio.Task[Any]] = {
            "routing": asyncio.create_task(self._route(app), name="route-batches"),
            "stopping": asyncio.create_task(self._service.stopping.wait()),
            "crashed": asyncio.create_task(app.crashed()),
            "watch": asyncio.create_task(
                watch(
                    self._settings,
                    GROUP,
                    lambda: self._mine(app),
                    lambda: not (self._waiting or self._held or self._parked),
                ),
                name="placing-watch",
            ),
        }
        starting = asyncio.create_task(app.start(), name="start-faust")
        try:
            await asyncio.wait({starting, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._service.health.set("placing", True)
                await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            for name in ("routing", "watch"):
                if tasks[name].done():
                    tasks[name].result()
            if tasks["crashed"].done():
                raise Stopped(f"the first step's engine gave up: {tasks['crashed'].result()}")
            # what was taken is finished, and its offsets are committed by the app's own stop
            async with asyncio.timeout(5):
                await self._idle.wait()
                # stopped in the midst of a rebalance, faust's consumer would wait for ever to be told of its end
                while app.rebalancing:  # noqa: ASYNC110 - faust says it by a flag only
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("placing.not_drained", waiting=len(self._waiting), rebalancing=app.rebalancing)
        finally:
            await end(starting)
            try:
                async with asyncio.timeout(STOP_S):
                    await app.stop()
            except TimeoutError:
                # what it did not commit is routed again, to where it went before
                log.warning("placing.stop_timed_out", after_s=STOP_S)
            await end(*tasks.values())

    def _mine(self, app: FaustApp) -> set[int]:
        """The assigned partitions; all of them while none is assigned for too long, which is a standstill too."""
        assigned = app.assigned()
        now = time.monotonic()
        if assigned:
            self._assigned_at = now
            return assigned
        return set(range(self._settings.partitions)) if now - self._assigned_at > UNASSIGNED_S else set()

    async def _receive(self, event: Any) -> None:
        await self._room.wait()
        self._waiting.append(event)
        self._fed.set()
        if len(self._waiting) >= MOST_WAITING:
            self._room.clear()

    async def _route(self, app: FaustApp) -> None:
        """Whatever has gathered meanwhile is one batch: small when there is little, large when there is much."""
        gathering: Gathering | None = None
        while True:
            self._held += self._parked.due(time.monotonic(), rebuilding=self._step.rebuilding)
            if self._held and not self._waiting:
                self._fed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await self._fed.wait()
            elif not self._waiting:
                self._fed.clear()
                self._idle.set()
                await self._fed_again(gathering)
                self._idle.clear()
                if not self._waiting:
                    continue
            elif not self._held and len(self._parked) >= MOST_WAITING:
                await asyncio.sleep(LOOK_PARKED_S)
                continue
            await self._all_handed_over()
            if (early := self._pace.due() - time.monotonic()) > 0:
                await asyncio.sleep(early)
            room = self._settings.router_batch if len(self._parked) < MOST_WAITING else 0
            events = [self._waiting[i] for i in range(min(len(self._waiting), room))]
            if gathering is None:  # faust's own consumer, in its thread; there is one once it brought something
                gathering = Gathering(app.consumer, many_per_s=150, wait_ms=15, longest_ms=40)
            gathering.counted(len(events))
            self._pace.began(len(events))
            await self._batch([*self._held, *events])
            for _ in events:
                self._waiting.popleft()
            self._room.set()

    async def _all_handed_over(self) -> None:
        """faust hands the mails of one fetch over one by one, in as many turns of the loop: they are one batch."""
        still, before = 0, len(self._waiting)
        while still < STILL_TURNS and len(self._waiting) < self._settings.router_batch:
            await asyncio.sleep(0)
            still, before = still + 1 if len(self._waiting) == before else 0, len(self._waiting)

    async def _fed_again(self, gathering: Gathering | None) -> None:
        while not self._fed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_PARKED_S if self._parked else LOOK_S):
                    await self._fed.wait()
            if self._parked:
                return
            if gathering is not None:  # or nobody would tell the consumer that nothing comes any more
                gathering.counted(0)

    async def _batch(self, events: list[Any]) -> None:
        # oldest first, whatever partitions and fetches made of it: a question before its answer
        events = sorted(events, key=lambda event: event.message.timestamp)
        arrivals = [Arrival(e.message.value, headers_of(e), self._parked.waited(e)) for e in events]
        results = list(zip(events, await self._step.route(arrivals), strict=True))
        held = [event for event, result in results if result is None]
        done: list[tuple[Any, list[Record] | Undecodable]] = []
        for event, result in results:
            if isinstance(result, NeedsIndex):
                self._parked.park(event, time.monotonic())
            elif result is not None:
                done.append((event, result))
        backoff = Backoff(0.1, 5.0)
        while True:
            try:
                async with asyncio.timeout(20):
                    acks = [
                        await self._producer.post_record(record)
                        for _, result in done
                        if not isinstance(result, Undecodable)
                        for record in result
                    ]
                    await asyncio.gather(*acks)
                    await self._bury(done)
                break
            except (BusDown, TimeoutError) as error:
                # Kafka is away: the same ids go out again when it is back
                log.warning("placing.paused", reason=str(error)[:200] or "Kafka did not answer")
                await backoff.wait()
        for event, _ in done:
            event.ack()
            self._parked.gone(event)
        self._held = held

    async def _bury(self, done: list[tuple[Any, Any]]) -> None:
        for event, result in done:
            if not isinstance(result, Undecodable):
                self._dead_in_a_row = 0
                continue
            message = event.message
            await bury(
                self._producer,
                topic=topics.EMAIL_RECEIVED,
                prefix=self._settings.topic_prefix,
                service="router",
                key=message.key,
                value=message.value,
                headers=headers_of(event),
                partition=message.partition,
                offset=message.offset,
                error=str(result),
                error_type="Undecodable",
            )
            self._dead_in_a_row += 1
            if self._dead_in_a_row >= DEAD_IN_A_ROW:
                raise Stopped(
                    f"{DEAD_IN_A_ROW} mails in a row could not be read: something is wrong with the router or with "
                    "what writes email.received. See `mailroom dead list`"
                )
