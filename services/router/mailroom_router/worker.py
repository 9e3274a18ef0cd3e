"""Decides and commits what the partitions of this process have: one transaction at a time, over all of them.

What people wait for (mail, their commands, how their replies went) starts a transaction at once while little comes, and
takes everything else along. While mail is late, since more comes than is worked on or others use the processor, what
concerns automatic replies waits: it would make mail later, here and in every service that it leads to.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import Record, Topic, topics
from mailroom_runtime.bus.dead_letters import dead_headers
from mailroom_runtime.bus.gathering import Pace
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped
from mailroom_runtime.process.tasks import end

from .batch import Desk, Raw, Worked
from .partition import Partition
from .transactions import Membership, MembershipLost, Outgoing, Transactions

log = get_logger()

DEAD_IN_A_ROW = 20
HAND_OVER_S = 8.0
PAUSES = (0.05, 0.2, 1.0, 2.0, 5.0)
BATCH_BYTES = 4_000_000
MANY = 400  # inputs that need not wait for more
LONGEST_S = 0.1  # between two beginnings, at most
PATIENT_S = 0.25  # how long patient inputs wait for company
PATIENT_LONGEST_S = 60.0  # how long they wait while mail is late
PATIENT_MOST, PATIENT_MOST_S = 40, 1.0  # so many in a transaction while mail comes, which waits for its end
LATE_S, LATE_FOR_S = 0.05, 0.5  # from acceptance to the event, as is asked; how long one late transaction counts


@dataclass(slots=True)
class Owned:
    """A partition and the task that opens it."""

    partition: Partition
    opening: asyncio.Task[None]


class Worker:
    """`take_over` and `let_go` say which partitions are this process's; `run` works on them until it is stopped."""

    def __init__(self, transactions: Transactions, desk: Desk, prefix: str, most: int) -> None:
        """`most` inputs are in a transaction."""
        self._transactions, self._desk, self._prefix, self._most = transactions, desk, prefix, most
        self._late_until = 0.0
        self._urgent_at = float("-inf")
        self._owned: dict[int, Owned] = {}
        self._membership = Membership(-1, "")
        self._connected = False
        self._settling: asyncio.Task[None] | None = None
        self._fed = asyncio.Event()
        self._stop = asyncio.Event()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pace = Pace(calm_per_s=150, step_s=0.03, longest_s=LONGEST_S)  # by what people wait for
        self._dead_in_a_row = 0

    @property
    def partitions(self) -> dict[int, Partition]:
        """Those that this process has."""
        return {number: owned.partition for number, owned in self._owned.items()}

    def feed(self, number: int, topic: Topic, raws: Sequence[Raw]) -> None:
        """Records of a partition that this process has, in the order of their offsets."""
        self._owned[number].partition.feed(topic, raws, time.monotonic())
        self._fed.set()

    # rebalances
    def take_over(self, partitions: Sequence[Partition], membership: Membership) -> None:
        """These are ours, from now until the next rebalance; each takes part once it is open."""
        self._membership = membership
        for partition in partitions:
            self._owned[partition.number] = Owned(partition, self._open_soon(partition))

    def _open_soon(self, partition: Partition) -> asyncio.Task[None]:
        partition.ready = False
        task = asyncio.create_task(self._open(partition), name=f"open-partition-{partition.number}")
        task.add_done_callback(self._opened)
        return task

    async def _open(self, partition: Partition) -> None:
        failures = 0
        while True:
            try:
                await partition.open()
                return
            except (KafkaError, TimeoutError) as error:
                log.warning("partition.not_open", partition=partition.number, error=type(error).__name__)
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    def _opened(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._failure.done():
            log.error("partition.failed", error=str(error))
            self._failure.set_exception(error)
        self._fed.set()

    async def let_go(self, numbers: set[int]) -> None:
        """Finish the transaction under way, then give these up."""
        going = [self._owned.pop(n) for n in numbers if n in self._owned]
        await end(*(owned.opening for owned in going))
        settling = self._settling
        if going and settling is not None and not settling.done():
            await asyncio.wait([settling], timeout=HAND_OVER_S)
            if not settling.done():
                log.warning("partition.hand_over_late", partitions=sorted(numbers))
                await end(settling)
        for owned in going:
            owned.partition.close()

    # working
    async def run(self) -> None:
        """Until `stop`. What fails for a while is tried again from the last commit. Raises `Stopped`."""
        failures = 0
        try:
            while not self._stop.is_set():
                if self._failure.done():
                    self._failure.result()
                try:
                    await self._connect()
                    raws = await self._next()
                    if not raws:
                        continue
                    self._settling = asyncio.create_task(self._settle(raws, self.partitions), name="settle")
                    await asyncio.wait([self._settling])
                    if self._settling.cancelled():
                        raise KafkaError("a transaction took too long")
                    self._settling.result()
                    failures = 0
                except (KafkaError, TimeoutError) as error:
                    log.warning("transaction.interrupted", error=type(error).__name__, reason=str(error)[:200])
                    await self._disconnect()
                    await self._pause(PAUSES[min(failures, len(PAUSES) - 1)])
                    failures += 1
        finally:
            if self._settling is not None:
                await end(self._settling)
            await self.let_go(set(self._owned))
            await self._disconnect()

    def stop(self) -> None:
        """Begin no further transaction."""
        self._stop.set()
        self._fed.set()

    async def _connect(self) -> None:
        """Connect when that is needed; then nobody knows whether the last transaction was committed: ask, and read."""
        if self._connected:
            return
        await self._transactions.open()
        self._connected = True
        for owned in self._owned.values():
            if owned.opening.done() and not owned.partition.ready:
                owned.opening = self._open_soon(owned.partition)

    async def _disconnect(self) -> None:
        self._connected = False
        for partition in self.partitions.values():
            partition.ready = False
        try:
            await self._transactions.close()
        except (KafkaError, TimeoutError) as error:
            log.warning("transactions.not_closed", error=type(error).__name__)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _next(self) -> list[Raw]:
        """The inputs of the next transaction; [] when something else is to be looked at first."""
        lanes = [lane for p in self.partitions.values() if p.ready for lane in p.lanes if len(lane)]
        now = time.monotonic()
        urgent = [lane for lane in lanes if lane.urgent]
        due, many = self._pace.due(), sum(map(len, urgent or lanes)) >= MANY
        if not urgent:
            since = min((lane.since for lane in lanes), default=float("inf"))
            late_until = min(self._late_until, since + PATIENT_LONGEST_S)
            due, many = max(due, since + PATIENT_S, late_until), many and now >= late_until
        if due > now and not many:
            self._fed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(due - now if due < float("inf") else None):
                    await (self._stop if urgent else self._fed).wait()
            return []
        return self._take(now)

    def _take(self, now: float) -> list[Raw]:
        """Each partition its share, people's first."""
        ready = [p for p in self.partitions.values() if p.ready]
        share = max(1, self._most // max(1, len(ready)))
        taken: list[Raw] = []
        for partition in ready:
            taken += partition.take(share, patient=False)
        self._pace.began(len(taken))
        if taken:
            self._urgent_at = now
        ready, left = self._along(now, ready)
        for partition in ready:
            room = min(share, self._most - len(taken), left)
            if room > 0:
                taken += (more := partition.take(room, patient=True))
                left -= len(more)
        return self._within(taken)

    def _along(self, now: float, ready: list[Partition]) -> tuple[list[Partition], int]:
        """Whose patient inputs a transaction takes along, and how many in all."""
        if now < self._late_until or any(lane.urgent for p in ready for lane in p.lanes):
            overdue = [p for p in ready if any(now >= lane.since + PATIENT_LONGEST_S for lane in p.lanes)]
            longest = max((now - lane.since for p in overdue for lane in p.lanes), default=0.0)
            return overdue, int(PATIENT_MOST * (1.0 + max(0.0, longest - PATIENT_LONGEST_S)))  # the longer, the more
        return ready, PATIENT_MOST if now - self._urgent_at < PATIENT_MOST_S else self._most

    def _within(self, raws: list[Raw]) -> list[Raw]:
        """No more than a transaction should write; the rest goes back to where it was."""
        size = 0
        for number, raw in enumerate(raws):
            size += len(raw.value or b"")
            if size > BATCH_BYTES and number:
                for partition in self.partitions.values():
                    partition.put_back([r for r in raws[number:] if r.partition == partition.number])
                return raws[:number]
        return raws

    async def _settle(self, raws: Sequence[Raw], partitions: Mapping[int, Partition]) -> None:
        """One batch, one transaction. `partitions` are those it was taken from: a rebalance may begin before this does."""
        started = time.monotonic()
        by_partition: dict[int, list[Raw]] = {}
        for raw in raws:
            by_partition.setdefault(raw.partition, []).append(raw)
        offsets: dict[TopicPartition, int] = {}
        for number, some in by_partition.items():
            offsets |= partitions[number].offsets_after(some)
        worked = Worked()

        async def outgoing() -> Outgoing:
            nonlocal worked
            worked = await self._desk.work(raws, lambda number, ticket: partitions[number].state(ticket))
            return self._outgoing(worked)

        try:
            last = await self._transactions.write(self._membership, offsets, self._likely(raws), outgoing())
        except BaseException as error:
            for number, some in by_partition.items():
                partitions[number].put_back(some)
            if isinstance(error, MembershipLost):
                log.warning("transaction.not_a_member", reason=str(error))
            raise
        states = topics.TICKETS.full_name(self._prefix)
        for number, some in by_partition.items():
            partitions[number].applied(some, worked.outputs[number], last.get(TopicPartition(states, number)))
        self._measure(worked, time.monotonic() - started, len(raws))
        self._count_dead(worked, len(raws))

    def _likely(self, raws: Sequence[Raw]) -> set[TopicPartition]:
        """Nearly every input gives an event and a state, and a command an order."""
        found = {(topic, raw.partition) for raw in raws for topic in (topics.TICKET_EVENTS, topics.TICKETS)}
        found |= {(topics.EMAIL_OUTBOUND, raw.partition) for raw in raws if raw.topic is topics.TICKET_COMMANDS}
        return {TopicPartition(topic.full_name(self._prefix), number) for topic, number in found}

    def _outgoing(self, worked: Worked) -> Outgoing:
        batches: dict[TopicPartition, list[Record]] = {}
        others: list[tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]] = []
        for number, outputs in worked.outputs.items():
            for record in (*outputs.records, *outputs.state_records()):
                tp = TopicPartition(record.topic.full_name(self._prefix), number)
                batches.setdefault(tp, []).append(record)
            others += [(r.topic.full_name(self._prefix), r.key, r.value, r.headers) for r in outputs.elsewhere]
        for raw, ticket_id in worked.misplaced:
            log.info("input.misplaced", topic=raw.topic.name, partition=raw.partition, ticket_id=ticket_id)
            others.append((raw.topic.full_name(self._prefix), ticket_id.encode(), raw.value, list(raw.headers)))
        for raw, error in worked.poison:
            headers = dead_headers(
                raw.headers,
                topic=raw.topic.full_name(self._prefix),
                partition=raw.partition,
                offset=raw.offset,
                service="router",
                error=str(error) or type(error).__name__,
                error_type=type(error).__name__,
                now=datetime.now(UTC),
            )
            others.append((raw.topic.dead_name(self._prefix), raw.key, raw.value, headers))
        return Outgoing(batches, others)

    def _measure(self, worked: Worked, seconds: float, count: int) -> None:
        metrics.histogram("mailroom_router_transaction_seconds", "One transaction").observe(seconds)
        metrics.counter("mailroom_router_inputs_total", "Inputs of the second step").inc(count)
        latency = metrics.histogram("mailroom_mail_to_ticket_seconds", "From acceptance to the ticket's event")
        for one in worked.latencies:
            latency.observe(one + seconds)
        if worked.latencies and statistics.median(worked.latencies) + seconds > LATE_S:
            self._late_until = time.monotonic() + LATE_FOR_S

    def _count_dead(self, worked: Worked, count: int) -> None:
        for raw, error in worked.poison:
            metrics.counter("mailroom_dead_total", "Records put on dead letters", ["topic", "service"]).labels(
                raw.topic.full_name(self._prefix), "router"
            ).inc()
            log.error(
                "record.dead",
                topic=raw.topic.name,
                partition=raw.partition,
                offset=raw.offset,
                error=str(error),
                error_type=type(error).__name__,
            )
        self._dead_in_a_row = self._dead_in_a_row + len(worked.poison) if len(worked.poison) == count else 0
        if self._dead_in_a_row >= DEAD_IN_A_ROW:
            raise Stopped(
                f"{self._dead_in_a_row} inputs in a row could not be processed: something is wrong with the router or "
                "with a producer. See `mailroom dead list`"
            )
