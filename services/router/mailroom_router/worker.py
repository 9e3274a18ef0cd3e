"""Decides and commits what the partitions of this process have: one transaction at a time, over all of them.

What a transaction takes, and when it begins, is the `Agenda`'s to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import Record, Topic, Undecodable, topics
from mailroom_runtime.bus.dead_letters import dead_headers
from mailroom_runtime.process import metrics
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped
from mailroom_runtime.process.tasks import end

from .agenda import Agenda, Pause
from .batch import Desk, Worked
from .inbox import Raw
from .partition import Partition
from .renewals import Renewals
from .settings import RouterSettings
from .transactions import Membership, MembershipLost, Outgoing, Transactions

log = get_logger()

DEAD_IN_A_ROW = 20
HAND_OVER_S = 8.0
FIRST_S, LONGEST_S = 0.05, 5.0  # between tries of what is away


@dataclass(slots=True)
class Owned:
    """A partition and the task that opens it."""

    partition: Partition
    opening: asyncio.Task[None]


class Worker:
    """`take_over` and `let_go` say which partitions are this process's; `run` works on them until it is stopped."""

    def __init__(self, transactions: Transactions, desk: Desk, settings: RouterSettings) -> None:
        self._transactions, self._desk, self._prefix = transactions, desk, settings.topic_prefix
        self._agenda = Agenda(settings.router_batch)
        self._owned: dict[int, Owned] = {}
        self._membership = Membership(-1, "")
        self._connected = False
        self._settling: asyncio.Task[None] | None = None
        self._fed = asyncio.Event()
        self._renewals = Renewals(settings, transactions, self._fed.set)
        desk.renewed = self._renewals.outcomes
        self._stop = asyncio.Event()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._dead_in_a_row = 0
        self._settled = 0

    @property
    def settled(self) -> int:
        """What was done, ever: inputs, and records read to write a partition anew."""
        return self._settled + self._renewals.moved

    @property
    def partitions(self) -> dict[int, Partition]:
        """Those that this process has."""
        return {number: owned.partition for number, owned in self._owned.items()}

    def feed(self, number: int, topic: Topic, raws: Sequence[Raw]) -> None:
        """Records of a partition that this process has, in the order of their offsets."""
        self._owned[number].partition.inbox.lane(topic).feed(raws, time.monotonic())
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
        backoff = Backoff(FIRST_S, LONGEST_S)
        while True:
            try:
                await partition.open()
                return
            except (KafkaError, TimeoutError) as error:
                log.warning("partition.not_open", partition=partition.number, error=type(error).__name__)
                await backoff.wait()

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
        backoff = Backoff(FIRST_S, LONGEST_S)
        try:
            while not self._stop.is_set():
                if self._failure.done():
                    self._failure.result()
                try:
                    await self._connect()
                    renewing = await self._renewals.look(self.partitions)
                    if renewing:
                        await self._together(self._renewals.step(self._membership))
                    if raws := await self._next(wait=not renewing):
                        await self._together(self._settle(raws, self.partitions))
                        backoff.reset()
                except (KafkaError, TimeoutError) as error:
                    log.warning("transaction.interrupted", error=type(error).__name__, reason=str(error)[:200])
                    await self._disconnect()
                    await self._pause(backoff.next_s())
        finally:
            if self._settling is not None:
                await end(self._settling)
            await self._renewals.drop()
            await self.let_go(set(self._owned))
            await self._disconnect()

    async def _together(self, transaction: Coroutine[None, None, None]) -> None:
        """One transaction to its end; a rebalance waits for it, for a while. Raises what it raises."""
        self._settling = asyncio.create_task(transaction, name="settle")
        await asyncio.wait([self._settling])
        if self._settling.cancelled():
            raise KafkaError("a transaction took too long")
        self._settling.result()

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
        await self._renewals.drop()
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

    async def _next(self, *, wait: bool) -> list[Raw]:
        """The inputs of the next transaction; [] when something else is to be looked at first, or may not be waited for."""
        copying = self._renewals.copying
        ready = {number: p.inbox for number, p in self.partitions.items() if p.ready and p is not copying}
        self._fed.clear()
        found = self._agenda.next(ready, time.monotonic())
        if not isinstance(found, Pause):
            return found
        if not wait or await self._renewals.look(self.partitions):
            return []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(found.seconds if found.seconds < float("inf") else None):
                await (self._fed if found.until_fed else self._stop).wait()
        return []

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
            worked = await self._desk.work(raws, partitions)
            return self._outgoing(worked)

        try:
            last = await self._transactions.write(self._membership, offsets, self._likely(raws), outgoing())
        except BaseException as error:
            for number, some in by_partition.items():
                partitions[number].inbox.put_back(some)
            if isinstance(error, MembershipLost):
                log.warning("transaction.not_a_member", reason=str(error))
            raise
        states = topics.TICKETS.full_name(self._prefix)
        for number, some in by_partition.items():
            partitions[number].applied(some, worked.outputs[number], last.get(TopicPartition(states, number)))
        self._settled += len(raws)
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
        self._agenda.settled([one + seconds for one in worked.latencies], time.monotonic())

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
        # What other systems write wrongly is theirs: however much of it comes, it is no sign that we do something wrong.
        ours = sum(not _is_the_writers(raw, error) for raw, error in worked.poison)
        self._dead_in_a_row = self._dead_in_a_row + ours if len(worked.poison) == count else 0
        if self._dead_in_a_row >= DEAD_IN_A_ROW:
            raise Stopped(
                f"{self._dead_in_a_row} inputs in a row could not be processed: something is wrong with the router or "
                "with a producer. See `mailroom dead list`"
            )


def _is_the_writers(raw: Raw, error: Exception) -> bool:
    return raw.topic is topics.TICKET_COMMANDS and isinstance(error, Undecodable)
