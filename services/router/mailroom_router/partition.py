"""One partition of the second step: what waits to be worked on, the states of its tickets, and how far it is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import Topic, Undecodable, topics
from mailroom_contracts.tickets import TicketState
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.unreadable import unreadable_in
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped

from .facts import Facts, Learnt, facts
from .inbox import Inbox, Raw
from .outputs import Outputs
from .settings import RouterSettings
from .store import Store
from .waiting import WaitingList

log = get_logger()

REINDEX_S = 600.0  # states this young are put into the index again after a take-over
STUCK_S = 2.0

YIELD_EVERY = 200


@dataclass(frozen=True, slots=True)
class Shared:
    """What the partitions of one worker share."""

    settings: RouterSettings
    learn: Callable[[Sequence[Facts], Learnt], None]
    learnt_to: Callable[[int], Awaitable[int | None]]
    """Up to which offset of `tickets` the index knows a partition; None: nobody can say."""
    committed: Callable[[int], Awaitable[dict[TopicPartition, int]]]
    """Of the three inputs of a partition, when nothing is open any more; raises `Stopped` when there are none."""
    unblock: Callable[[int], Awaitable[None]]  # end what another worker left open
    folder: Path


class Partition:
    """`inbox` is what waits, in memory; `open` brings the states up to date."""

    def __init__(self, number: int, shared: Shared) -> None:
        self.number = number
        self.waiting = WaitingList()
        self.ready = False
        self._shared = shared
        self._prefix = shared.settings.topic_prefix
        self.inbox = Inbox()
        self._store: Store | None = None
        self._next: dict[TopicPartition, int] = {}
        self._learnt_to = 0  # offset of `tickets` up to which the index knows everything

    def done(self, tp: TopicPartition) -> int | None:
        """The next offset of an input, once it is known."""
        return self._next.get(tp)

    @property
    def offsets(self) -> dict[TopicPartition, int]:
        """The next offset of each input, as it is committed."""
        return dict(self._next)

    def offsets_after(self, raws: Sequence[Raw]) -> dict[TopicPartition, int]:
        """The offsets to commit with these inputs."""
        return {self._input(raw.topic): raw.offset + 1 for raw in raws}

    def state(self, ticket_id: str) -> TicketState | None:
        """A ticket of this partition, or None. Raises `Stopped` when what is kept of it cannot be read."""
        assert self._store is not None
        try:
            return self._store.get(ticket_id)
        except Undecodable as error:
            raise Stopped(f"the state of ticket {ticket_id} in `tickets` cannot be read: {error}") from None

    def erased(self, ticket_id: str) -> tuple[str, ...]:
        """Of a ticket that was erased here: the last inputs that it had, by their causes."""
        assert self._store is not None
        return self._store.erased(ticket_id)

    def applied(self, raws: Sequence[Raw], outputs: Outputs, states_to: int | None) -> None:
        """A transaction with these inputs was committed; `states_to` is the offset of its last state."""
        assert self._store is not None
        self._moved_to(self.offsets_after(raws))
        # The checkpoint trails one batch behind the index: after a crash the last batch is read, and indexed, again.
        values = {ticket_id: r.value for ticket_id, r in zip(outputs.states, outputs.state_records(), strict=True)}
        self._store.write(dict(outputs.states), self._learnt_to or None, values, outputs.erased)
        if states_to is not None:
            self._learnt_to = states_to + 1
        for ticket_id, state in outputs.states.items():
            self.waiting.note(state, ticket_id)
        self._shared.learn(outputs.facts, Learnt(self.number, self._learnt_to))

    def _moved_to(self, offsets: dict[TopicPartition, int]) -> None:
        self._next |= offsets
        for lane in self.inbox.lanes:
            lane.done_to(self._next.get(self._input(lane.topic), 0))

    def _input(self, topic: Topic) -> TopicPartition:
        return TopicPartition(topic.full_name(self._prefix), self.number)

    # taking over
    async def open(self) -> None:
        """Find where to go on and bring the states up to date. Raises `KafkaError`, `TimeoutError`, `Stopped`."""
        started = time.monotonic()
        self.ready = False
        # In this order: once no transaction of a former owner can change the offsets any more, none can add states.
        following = await self._shared.committed(self.number)
        if self._store is None:
            self._store = Store(self._shared.folder / f"tickets-{self.number}")
        restored = await self._restore(self._store)
        self._next = {}
        self._moved_to(following)
        self.waiting = WaitingList()
        for number, state in enumerate(self._store.waiting(), 1):
            self.waiting.note(state, state.id)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a hundred thousand of them take seconds, in which nothing else would be done
        self.ready = True
        log.info(
            "partition.opened",
            partition=self.number,
            restored=restored,
            waiting=len(self.waiting),
            seconds=round(time.monotonic() - started, 3),
        )

    async def _restore(self, store: Store) -> int:
        """Read what `tickets` has beyond the store's checkpoint, or beyond what the index knows when that is less.

        Returns how many states that was.
        """
        tp = TopicPartition(topics.TICKETS.full_name(self._prefix), self.number)
        consumer = AIOKafkaConsumer(
            **connection(self._shared.settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
        )
        count = 0
        try:
            await consumer.start()
            consumer.assign([tp])
            if store.checkpoint > (await consumer.end_offsets([tp]))[tp]:
                log.warning("partition.store_is_ahead", partition=self.number)  # the topic was made anew
                store.clear()
            learnt_to = await self._shared.learnt_to(self.number)
            position = store.checkpoint if learnt_to is None else min(store.checkpoint, learnt_to)
            consumer.seek(tp, position)
            young: list[Facts] = []
            stuck_at = time.monotonic() + STUCK_S
            # Up to the high watermark, not only to what is committed so far: the markers of a transaction whose offsets
            # are committed may still be on their way to this partition.
            while (end := consumer.highwater(tp)) is None or position < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    last = {(r.key or b"").decode("utf-8", "replace"): r for r in records}
                    store.take({key: r.value for key, r in last.items()}, records[-1].offset + 1)
                    count += len(records)
                    fresh = [
                        key
                        for key, r in last.items()
                        if r.value is not None
                        and (_is_young(r.timestamp) or (learnt_to is not None and r.offset >= learnt_to))
                    ]
                    for number, key in enumerate(fresh, 1):
                        if (state := self.state(key)) is not None:
                            young.append(facts(None, state))
                        if number % YIELD_EVERY == 0:
                            await asyncio.sleep(0)
                if (reached := await consumer.position(tp)) > position:
                    position, stuck_at = reached, time.monotonic() + STUCK_S
                elif time.monotonic() > stuck_at and unreadable_in(tp) is None:
                    await self._shared.unblock(self.number)
                    stuck_at = time.monotonic() + STUCK_S
            store.write({}, position)
            self._learnt_to = position
            self._shared.learn(young, Learnt(self.number, position))
        finally:
            await consumer.stop()
        return count

    async def compact(self) -> None:
        """Let nothing of what was erased stay in the files, either."""
        if self._store is not None:
            await asyncio.to_thread(self._store.compact)

    def close(self) -> None:
        """Let go of the states."""
        self.ready = False
        if self._store is not None:
            self._store.close()
            self._store = None


def _is_young(timestamp_ms: int) -> bool:
    return time.time() - timestamp_ms / 1000 < REINDEX_S
