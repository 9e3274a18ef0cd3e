"""One partition of the second step: what waits to be worked on, the states of its tickets, and how far it is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import Topic, Undecodable, topics
from mailroom_contracts.tickets import TicketState
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped
from mailroom_runtime.process.tasks import end, lasting

from .facts import Learnt
from .inbox import Inbox, Raw
from .outputs import Outputs
from .restoring import Restoring, Shared, unreadable
from .store import Store
from .waiting import WaitingList

log = get_logger()

YIELD_EVERY = 200
BROUGHT_TOGETHER = 200


class DirectoryWrong(KafkaError):  # type: ignore[misc]
    """A state does not lie where it was said to lie: the partition is to be opened anew, without what said so."""


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
        self._distrusted = False  # what was said about where states lie is wrong
        self._bringing: asyncio.Task[None] | None = None

    @property
    def states_to(self) -> int:
        """The offset of `tickets` up to which this partition was read and written."""
        return self._learnt_to

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
        """A ticket of this partition that was brought, or None. Raises `Stopped` when what is kept of it cannot be read."""
        assert self._store is not None
        try:
            return self._store.get(ticket_id)
        except Undecodable as error:
            raise unreadable(ticket_id, error) from None

    async def bring(self, ticket_ids: Iterable[str]) -> None:
        """Fetch the states of these that lie in the topic alone. Raises `KafkaError` and `Stopped`."""
        assert self._store is not None
        wanted = {one: offset for one in ticket_ids if (offset := self._store.missing(one)) is not None}
        if not wanted:
            return
        records = await self._shared.records.at(self._states, wanted.values())
        for ticket_id, offset in wanted.items():
            key, value = records.get(offset, (None, None))
            if key != ticket_id.encode() or value is None:
                self._distrusted = True
                raise DirectoryWrong(f"the state of ticket {ticket_id} is not at offset {offset} of {self._states}")
            self._keep(ticket_id, value, offset, wanted=True)

    def _keep(self, ticket_id: str, value: bytes, offset: int, *, wanted: bool) -> None:
        if self._store is None:
            raise KafkaError(f"{self._states} was given up meanwhile")
        try:
            state = self._store.bring(ticket_id, value, offset, wanted=wanted)
        except Undecodable as error:
            raise unreadable(ticket_id, error) from None
        if state is not None:
            self.waiting.note(state, ticket_id)

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

    @property
    def _states(self) -> TopicPartition:
        return self._input(topics.TICKETS)

    # taking over
    async def open(self) -> None:
        """Find where to go on and bring the states up to date. Raises `KafkaError`, `TimeoutError`, `Stopped`."""
        started = time.monotonic()
        self.ready = False
        # In this order: once no transaction of a former owner can change the offsets any more, none can add states.
        following = await self._shared.committed(self.number)
        if self._store is None:
            self._store = Store(self._shared.folder / f"tickets-{self.number}")
        await self._end_bringing()
        restored = await Restoring(self.number, self._shared).restore(self._store, distrusted=self._distrusted)
        self._distrusted = False
        self._learnt_to = restored.to
        self._shared.learn(restored.young, Learnt(self.number, restored.to))
        self._next = {}
        self._moved_to(following)
        self.waiting = WaitingList()
        for number, state in enumerate(self._store.waiting(), 1):
            self.waiting.note(state, state.id)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # a hundred thousand of them take seconds, in which nothing else would be done
        elsewhere = self._store.waiting_elsewhere()
        if elsewhere:
            self._bringing = lasting(lambda: self._bring_waiting(elsewhere), f"waiting-{self.number}", again=True)
        self.ready = True
        log.info(
            "partition.opened",
            partition=self.number,
            restored=restored.read,
            waiting=len(self.waiting),
            waiting_elsewhere=len(elsewhere),
            seconds=round(time.monotonic() - started, 3),
        )

    async def _bring_waiting(self, offsets: Sequence[int]) -> None:
        """Tickets that may wait for an agent or a time: their turn comes by itself, so nobody else would ask for them."""
        backoff = Backoff(0.1, 5.0)
        rest = list(offsets)
        while rest:
            some = rest[:BROUGHT_TOGETHER]
            try:
                for offset, (key, value) in (await self._shared.records.at(self._states, some)).items():
                    if key is not None and value is not None:
                        self._keep(key.decode("utf-8", "replace"), value, offset, wanted=False)
            except Stopped as error:  # whoever works on that ticket stops; the others are to have their turn
                log.error("partition.waiting_unreadable", partition=self.number, error=str(error))
            except KafkaError as error:
                log.warning("partition.waiting_not_read", partition=self.number, error=type(error).__name__)
                await backoff.wait()
                continue
            del rest[: len(some)]

    async def _end_bringing(self) -> None:
        if self._bringing is not None:
            await end(self._bringing)
            self._bringing = None

    async def compact(self) -> None:
        """Let nothing of what was erased stay in the files, either."""
        if self._store is not None:
            await asyncio.to_thread(self._store.compact)

    def close(self) -> None:
        """Let go of the states."""
        self.ready = False
        if self._bringing is not None:
            self._bringing.cancel()
        if self._store is not None:
            self._store.close()
            self._store = None
