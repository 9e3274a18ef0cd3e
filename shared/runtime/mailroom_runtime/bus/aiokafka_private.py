"""What is used of aiokafka (0.14) that it keeps private. No other module touches it; tests hold each against aiokafka.

Also keeps aiokafka from trying a closed port without pause (168,000 log lines in 8 s were seen, DESIGN section 10): it
answers a failed connection with a metadata update, which asks for a connection at once. Here every failed try of a node
delays the next one: 0.1 s at first, doubled up to 2 s, back to none after a success.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import KafkaConnectionError, KafkaError

FIRST_S = 0.1
LONGEST_S = 2.0
REST_AFTER_S, REST_WAIT_MS, TICK_S = 10.0, 2_500, 1.0


def tame() -> None:
    """Make connections pause between failed tries, once per process."""
    original = AIOKafkaClient._get_conn
    if getattr(original, "tamed", False):
        return

    async def get_conn(self: Any, node_id: Any, **kwargs: Any) -> Any:
        waits: dict[Any, float] = self.__dict__.setdefault("_mailroom_waits", {})
        locks: dict[Any, asyncio.Lock] = self.__dict__.setdefault("_mailroom_locks", {})
        if node_id not in waits:
            connection = await original(self, node_id, **kwargs)
            if connection is None:
                waits[node_id] = FIRST_S
            return connection
        # one try at a time for a node that failed: callers queue up behind its pause
        async with locks.setdefault(node_id, asyncio.Lock()):
            if node_id in waits:
                await asyncio.sleep(waits[node_id])
            connection = await original(self, node_id, **kwargs)
            if connection is None:
                waits[node_id] = min(waits.get(node_id, FIRST_S) * 2, LONGEST_S)
            else:
                waits.pop(node_id, None)
            return connection

    get_conn.tamed = True  # type: ignore[attr-defined]
    AIOKafkaClient._get_conn = get_conn
    _end_tls_at_once()
    _closed_is_broken()
    rest()


def _closed_is_broken() -> None:
    """Let a request that meets a transport which was closed a moment ago fail as any on a broken connection does.

    aiokafka expects an OSError there; uvloop raises RuntimeError, which nobody takes for "Kafka is away".
    """
    for name in ("send", "_send_sasl_token"):
        setattr(AIOKafkaConnection, name, _broken(getattr(AIOKafkaConnection, name)))


def _broken(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return original(self, *arguments, **named)
        except RuntimeError as error:
            if isinstance(error, KafkaError):  # which is one, too
                raise
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error

    return send


def _end_tls_at_once() -> None:
    """Close TLS connections without waiting for the broker's farewell, which now and then does not come: 30 s by uvloop.

    Kafka's messages say their length, so nothing can be cut off unseen (RFC 8446 section 6.1).
    """
    original = AIOKafkaConnection.close

    def close(self: Any, reason: Any = None, exc: Any = None) -> Any:
        writer = self._writer
        closed = original(self, reason, exc)
        # not asked of the transport: where the broker has ended it, it no longer knows
        if writer is not None and self._security_protocol.endswith("SSL"):
            writer.transport.abort()
        return closed

    AIOKafkaConnection.close = close


# fetching: aiokafka reads both for every request, and has no setter


def fetch_wait_ms(consumer: AIOKafkaConsumer) -> int:
    """How long the broker may keep a fetch waiting for more bytes."""
    return int(consumer._fetcher._fetch_max_wait_ms)


def set_fetch(consumer: AIOKafkaConsumer, *, min_bytes: int, wait_ms: int) -> None:
    """How much a fetch should bring, and how long it may wait for that."""
    consumer._fetcher._fetch_min_bytes = min_bytes
    consumer._fetcher._fetch_max_wait_ms = wait_ms


def rest() -> None:
    """Let fetches wait longer for their first byte where none came for a while; once per process.

    A fetch that is waiting keeps its connection: what else is asked there (where a topic ends, what another assignment
    brought) waits for it, so for `REST_WAIT_MS` at most. aiokafka's own look at what could be fetched, each 0.2 s, comes
    each `TICK_S`: a seek, a resumed partition, another assignment and every answer wake it by themselves.
    """
    original, fetch = Fetcher._get_actions_per_node, Fetcher._proc_fetch_request
    if getattr(original, "rests", False):
        return

    def actions(self: Any, assignment: Any) -> Any:
        usual_ms, self._fetcher_timeout = self._fetch_max_wait_ms, TICK_S
        if self.__dict__.get("_mailroom_assignment") is not assignment:
            self._mailroom_assignment, self._mailroom_busy_at = assignment, time.monotonic()
        elif time.monotonic() - self._mailroom_busy_at > REST_AFTER_S and self._fetch_min_bytes == 1:
            self._fetch_max_wait_ms = max(usual_ms, REST_WAIT_MS)
        try:
            return original(self, assignment)
        finally:
            self._fetch_max_wait_ms = usual_ms

    async def proc(self: Any, assignment: Any, node_id: int, request: Any) -> Any:
        confirmed: dict[TopicPartition, float] | None = self.__dict__.get("_mailroom_confirmed")
        asked_at = time.monotonic()
        if confirmed is not None:
            parts = [TopicPartition(name, p) for name, found in request.topics for p, _, _ in found]
            before = {tp: assignment.state_value(tp).timestamp for tp in parts}
        brought = await fetch(self, assignment, node_id, request)
        if brought:
            self._mailroom_busy_at = time.monotonic()
        elif time.monotonic() - asked_at >= request._max_wait_ms / 1000:
            asked_at += request._max_wait_ms / 1000  # answered once the broker had waited so long for a first byte
        if confirmed is not None:
            for tp in parts:
                if assignment.active and assignment.state_value(tp).timestamp != before[tp]:
                    confirmed[tp] = asked_at
        return brought

    actions.rests = True  # type: ignore[attr-defined]
    Fetcher._get_actions_per_node, Fetcher._proc_fetch_request = actions, proc


def confirm_ends(consumer: AIOKafkaConsumer) -> None:
    """From now on `read_to_end_at` knows."""
    consumer._fetcher._mailroom_confirmed = {}


def read_to_end_at(consumer: AIOKafkaConsumer) -> float | None:
    """The monotonic time at which the consumer had certainly been given all there was; None: not (yet) known.

    A fetch says where its partition ends: nothing is missing from before it was sent when the position is there, nor
    from before its wait was over when it brought nothing and took that long.
    """
    confirmed, assignment = consumer._fetcher._mailroom_confirmed, consumer._subscription.subscription.assignment
    earliest: float | None = None
    for tp in assignment.tps:
        state, at = assignment.state_value(tp), confirmed.get(tp)
        if at is None or state._position is None or state._position < state.highwater:
            return None
        earliest = at if earliest is None else min(at, earliest)
    return earliest


async def all_partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """The partitions of any topic: the consumer's own metadata only knows those that it reads already."""
    cluster = await consumer._client.fetch_all_metadata()
    return set(cluster.partitions_for_topic(topic) or ())


def contain_unreadable(told: Callable[[Any, TopicPartition, Exception], None]) -> None:
    """Let what a decoder raises be `told` with the assignment and its partition, instead of raised by `getmany`.

    The records before it are handed out. Once per process.
    """
    original = PartitionRecords._unpack_records
    if getattr(original, "contained", False):
        return
    update_position = FetchResult._update_position

    def unpack(self: Any) -> Iterator[Any]:
        self.unreadable = None
        try:
            yield from original(self)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises says one thing
            self.unreadable = error

    def update(self: Any) -> None:
        update_position(self)
        error = self._partition_records.unreadable
        if error is not None:
            told(self._assignment, self._topic_partition, error)

    unpack.contained = True  # type: ignore[attr-defined]
    PartitionRecords._unpack_records = unpack
    FetchResult._update_position = update


def bare_records() -> None:
    """Let consumers hand out a record as it was decoded: offset, key, value, headers and time. For the whole process.

    `ConsumerRecord`, which has the topic and the partition too, takes a tenth of the time of reading it.
    """
    PartitionRecords._consumer_record = lambda _self, _tp, record: record


def position_of(state: Any) -> int | None:
    """The position of an assigned partition's state; None while it has none, where the public one waits or raises."""
    position: int | None = state._position
    return position


def subscription_of(fetcher: Any) -> Any:
    """What a consumer's fetcher reads: its `topics` and `assignment`; None before it reads anything."""
    return fetcher._subscriptions.subscription


def subscribed(consumer: AIOKafkaConsumer) -> Any:
    """`subscription_of` a consumer."""
    return consumer._subscription.subscription


def group_of(consumer: AIOKafkaConsumer) -> str | None:
    """The group that it reads for, if any."""
    group: str | None = consumer._group_id
    return group


def client_of(consumer: AIOKafkaConsumer) -> str:
    """How it names itself to the broker."""
    return str(consumer._client._client_id)


# the group


def membership(consumer: AIOKafkaConsumer) -> tuple[int, str]:
    """The generation of the group, and the id of this member."""
    coordinator = consumer._coordinator
    return coordinator.generation, coordinator.member_id


async def ask_coordinator(consumer: AIOKafkaConsumer, request: Any) -> Any:
    """Send a request to the broker that keeps the group; the response, errors in it included. Raises `KafkaError`."""
    coordinator = consumer._coordinator
    await coordinator.ensure_coordinator_known()
    return await coordinator._send_req(request)


def coordinator_moved(consumer: AIOKafkaConsumer) -> None:
    """The broker that was asked does not keep the group: look for the one that does."""
    consumer._coordinator.coordinator_dead()


# producers


def can_send(producer: AIOKafkaProducer) -> bool:
    """Whether its task that sends is still there: some errors end it, and nothing says so."""
    return not producer._sender.sender_task.done()


async def give_up(producer: AIOKafkaProducer, error: KafkaError, *, within_s: float) -> None:
    """Nothing is sent any more, and what was not acknowledged fails with this error."""
    task = producer._sender.sender_task
    task.cancel()
    await asyncio.wait([task], timeout=within_s)
    producer._message_accumulator.fail_all(error)


# transactions


def add_to_transaction(producer: AIOKafkaProducer, tp: TopicPartition) -> None:
    """A partition takes part from now on, instead of from its first record on, which costs another round trip."""
    producer._txn_manager.maybe_add_partition_to_txn(tp)


def commit_offsets_by(producer: AIOKafkaProducer, handler: Callable[[Any, Any, str], Any]) -> None:
    """Let `handler(sender, offsets, group)`, a `TxnOffsetCommitHandler`, tell offsets in this producer's transactions."""
    sender = producer._sender

    async def commit(offsets: Any, group: str) -> None:
        if offsets:
            node: Any = await sender._find_coordinator(CoordinationType.GROUP, group)
            done: Awaitable[Any] = handler(sender, offsets, group).do(node)
            await done

    sender._do_txn_offset_commit = commit


def transaction_of(sender: Any) -> Any:
    """The state of a sender's transaction: `transactional_id`, `producer_id`, `producer_epoch`."""
    return sender._txn_manager


def fail_transaction(sender: Any, error: KafkaError) -> None:
    """Nothing of it is written: it ends with this error."""
    sender._txn_manager.error_transaction(error)
