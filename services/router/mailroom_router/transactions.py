"""Transactions of a member of a consumer group: outputs and the inputs' offsets are committed together or not at all.

One producer for all partitions of the member. What keeps a member that slept through a rebalance from committing is the
generation of the group that each commit names (KIP-447); what keeps its successor from reading too early is `committed`,
which waits for offsets that an open transaction is about to change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, for_code
from aiokafka.producer.sender import TxnOffsetCommitHandler
from mailroom_contracts import Record
from mailroom_runtime.bus import aiokafka_private
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.process.kafka_access import KafkaAccess

from .group_requests import UNSTABLE_OFFSET_COMMIT, OffsetFetch, TxnOffsetCommit

BATCH_BYTES = 400_000
TIMEOUT_MS = 15_000  # an open transaction of a worker that is gone for good ends by itself after this
CONNECT_S = 30.0
UNSTABLE_S = 2.0  # an orderly hand-over leaves nothing open: what is still open then belongs to a worker that died
_NOT_COORDINATOR = (15, 16)
_NOT_A_MEMBER = {22: "ILLEGAL_GENERATION", 25: "UNKNOWN_MEMBER_ID", 82: "FENCED_INSTANCE_ID"}


class MembershipLost(KafkaError):  # type: ignore[misc]
    """The group went on without this member: nothing of the transaction was written."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a commit shows the group: valid from one rebalance to the next."""

    generation: int
    member_id: str


@dataclass(frozen=True, slots=True)
class Copy(Record):
    """A record that was written before, with the time (milliseconds) that it had there."""

    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a transaction writes: whole batches by partition, and single records that go where their key says."""

    batches: Mapping[TopicPartition, Sequence[Record]]
    others: Sequence[tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]]  # topic, key, value, headers


class Transactions:
    """Transactions one after the other. `name` is this worker's alone; opening ends what it left open.

    Two producers take turns: after a commit the broker writes its markers, and refuses the same producer's next
    transaction until that is done.
    """

    def __init__(self, kafka: KafkaAccess, name: str, group: str) -> None:
        self._kafka, self._name, self._group = kafka, name, group
        self._producers: list[AIOKafkaProducer] = []
        self._membership = Membership(-1, "")

    async def open(self) -> None:
        """Connect. Raises `KafkaError`."""
        try:
            for transactional_id in _ids(self._name):
                self._producers.append(await self._connected(transactional_id))
        except BaseException:
            await self.close()
            raise

    async def _connected(self, transactional_id: str) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **connection(self._kafka),
            transactional_id=transactional_id,
            transaction_timeout_ms=TIMEOUT_MS,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=1_000_000,
            request_timeout_ms=10_000,
            client_id="mailroom-router-tickets",
        )
        await _start(producer)
        aiokafka_private.commit_offsets_by(
            producer, lambda sender, offsets, group: _OffsetCommit(sender, offsets, group, self._membership, self._name)
        )
        return producer

    async def close(self) -> None:
        """Disconnect; an open transaction ends when this worker, or a successor, opens the next."""
        producers, self._producers = self._producers, []
        async with asyncio.timeout(5):
            await asyncio.gather(*(producer.stop() for producer in producers))

    async def write(
        self,
        membership: Membership,
        offsets: Mapping[TopicPartition, int],
        likely: Iterable[TopicPartition],
        outgoing: Awaitable[Outgoing],
    ) -> dict[TopicPartition, int]:
        """One transaction: `offsets` are told while `outgoing` is still being made; `likely` are partitions of it.

        Returns the offset of the last record of each batch's partition. Raises `MembershipLost` when nothing was
        written, any other `KafkaError` when nobody knows, and what `outgoing` raises.
        """
        if not self._producers:
            raise KafkaError("not connected")
        producer = self._producers[0]
        self._producers.reverse()
        self._membership = membership
        await producer.begin_transaction()
        for tp in likely:  # or they are added, in another round trip, when their first record is there
            aiokafka_private.add_to_transaction(producer, tp)
        telling = asyncio.create_task(producer.send_offsets_to_transaction(dict(offsets), self._group))
        try:
            content = await outgoing
            # Records must wait for it: the broker verifies one thing of a transaction at a time (KIP-890), refuses the
            # other for now, and aiokafka sends that again only after 0.1 s.
            await telling
            return await self._write(producer, content)
        except MembershipLost:
            await producer.abort_transaction()
            raise
        finally:
            telling.cancel()

    async def _write(self, producer: AIOKafkaProducer, outgoing: Outgoing) -> dict[TopicPartition, int]:
        batches: list[tuple[TopicPartition, asyncio.Future[Any]]] = []
        for tp, records in outgoing.batches.items():
            batches += [(tp, future) for future in await _send_all(producer, tp, records)]
        others = [
            await producer.send(topic, value=value, key=key, headers=headers)
            for topic, key, value, headers in outgoing.others
        ]
        written = await asyncio.gather(*(future for _, future in batches), *others)
        await producer.commit_transaction()
        last: dict[TopicPartition, int] = {}
        for (tp, _), metadata in zip(batches, written, strict=False):
            last[tp] = max(last.get(tp, -1), metadata.offset)
        return last


async def _send_all(
    producer: AIOKafkaProducer, tp: TopicPartition, records: Sequence[Record]
) -> list[asyncio.Future[Any]]:
    """Whole batches are handed over, not single records."""
    futures: list[asyncio.Future[Any]] = []
    batch = producer.create_batch()
    for record in records:
        at = record.timestamp if isinstance(record, Copy) else None
        while batch.append(timestamp=at, key=record.key, value=record.value, headers=record.headers) is None:
            futures.append(await producer.send_batch(batch, tp.topic, partition=tp.partition))
            batch = producer.create_batch()
    if batch.record_count():
        batch.close()
        futures.append(await producer.send_batch(batch, tp.topic, partition=tp.partition))
    return futures


class _OffsetCommit(TxnOffsetCommitHandler):  # type: ignore[misc]
    """Says who commits; the worker's name goes along as metadata, for whoever has to end what this worker left."""

    def __init__(self, sender: Any, offsets: Any, group: str, membership: Membership, name: str) -> None:
        super().__init__(sender, offsets, group)
        self._membership, self._name = membership, name

    def create_request(self) -> TxnOffsetCommit:
        transaction = aiokafka_private.transaction_of(self._sender)
        return TxnOffsetCommit(
            transactional_id=transaction.transactional_id,
            group=self._group_id,
            producer_id=transaction.producer_id,
            producer_epoch=transaction.producer_epoch,
            generation=self._membership.generation,
            member_id=self._membership.member_id,
            offsets={tp: offset.offset for tp, offset in self._offsets.items()},
            metadata=self._name,
        )

    def handle_response(self, response: Any) -> Any:
        errors = [(topic, [(part, code) for part, code, _ in parts]) for topic, parts, _ in response.topics]
        refused = next((code for _, parts in errors for _, code in parts if code in _NOT_A_MEMBER), None)
        if refused is not None:
            aiokafka_private.fail_transaction(self._sender, MembershipLost(_NOT_A_MEMBER[refused]))
            return None
        return super().handle_response(SimpleNamespace(errors=errors))


async def committed(
    consumer: AIOKafkaConsumer, group: str, parts: Sequence[TopicPartition], kafka: KafkaAccess
) -> dict[TopicPartition, int]:
    """The committed offsets, when no transaction is open any more that would change them; without those never set.

    A transaction that stays open for `UNSTABLE_S` is ended by fencing whoever committed last. Raises `KafkaError`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + UNSTABLE_S
    while True:
        found = await _fetch(consumer, group, parts, stable=True)
        unstable = [tp for tp, (_, _, code) in found.items() if code == UNSTABLE_OFFSET_COMMIT]
        if not unstable:
            return {tp: offset for tp, (offset, _, _) in found.items() if offset >= 0}
        if loop.time() > end:
            await fence_last(consumer, group, unstable, kafka)
            end = loop.time() + UNSTABLE_S
        await asyncio.sleep(0.05)


async def fence_last(
    consumer: AIOKafkaConsumer, group: str, parts: Sequence[TopicPartition], kafka: KafkaAccess
) -> None:
    """End the open transactions of whoever committed these offsets last. Should it live, it opens anew."""
    found = await _fetch(consumer, group, parts, stable=False)
    names = sorted({metadata for _, metadata, _ in found.values() if metadata})
    for transactional_id in (one for name in names for one in _ids(name)):
        fencing = AIOKafkaProducer(
            **connection(kafka), transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS
        )
        await _start(fencing)
        await fencing.stop()


def _ids(name: str) -> tuple[str, str]:
    return f"{name}.a", f"{name}.b"


async def _start(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CONNECT_S):
            await producer.start()
    except (KafkaError, TimeoutError) as error:
        await producer.stop()
        raise KafkaError(f"no transactional producer: {error}") from error
    except asyncio.CancelledError:
        await producer.stop()
        raise


async def _fetch(
    consumer: AIOKafkaConsumer, group: str, parts: Sequence[TopicPartition], *, stable: bool
) -> dict[TopicPartition, tuple[int, str, int]]:
    response = await aiokafka_private.ask_coordinator(consumer, OffsetFetch(group, parts, stable=stable))
    if response.error_code:
        if response.error_code in _NOT_COORDINATOR:
            aiokafka_private.coordinator_moved(consumer)
        raise for_code(response.error_code)()
    found: dict[TopicPartition, tuple[int, str, int]] = {}
    for topic, partitions, _ in response.topics:
        for number, offset, _, metadata, code, _ in partitions:
            if code not in (0, UNSTABLE_OFFSET_COMMIT):
                raise for_code(code)()
            found[TopicPartition(topic, number)] = (offset, metadata or "", code)
    return found
