"""Reads the router's inputs and events, keeps the ledger, and puts back what was passed over.

It reads all partitions itself, whatever else runs: inputs and their events lie on different partitions.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from mailroom_contracts import (
    DeliveryReport,
    EmailReceived,
    Message,
    TicketCommand,
    Topic,
    Undecodable,
    decode,
    decode_as,
    header,
    topics,
)
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.consume import lost_offsets
from mailroom_runtime.bus.copies import Copies
from mailroom_runtime.bus.groups import GROUPS, group_name
from mailroom_runtime.bus.kafka import BusDown, Producer, partitions_for, start_when_possible
from mailroom_runtime.bus.tracing import child
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service, Stopped

from mailroom_router.settings import AuditSettings

from .ledger import Ledger, Look, Pending

log = get_logger()

GROUP = "router.audit"
ROUTER_GROUPS = ("router.place", "router.tickets")
MOST_HISTORY = 512
Moment = tuple[float, dict[TopicPartition, int]]  # when, and how far the events were read
COMMIT_AGAIN_S = 300.0  # though nothing came: offsets that nobody commits are forgotten by the broker
EVENTS_BEHIND_S = 60.0  # on a restart events are read again from this long before the oldest pending input


async def app(service: Service[AuditSettings]) -> None:
    """Audit until the service stops."""
    service.health.set("kafka", False, "connecting to Kafka")
    async with Producer(service.settings, source="router_audit") as producer:
        await Auditor(service, producer).run()


class Auditor:
    """One consumer over all partitions, one ledger."""

    def __init__(self, service: Service[AuditSettings], producer: Producer) -> None:
        self._service, self._settings, self._producer = service, service.settings, producer
        prefix = self._settings.topic_prefix
        self._by_name: dict[str, Topic] = {t.full_name(prefix): t for t in GROUPS[GROUP]}
        self._events = topics.TICKET_EVENTS.full_name(prefix)
        self._routed = topics.EMAIL_ROUTED.full_name(prefix)
        self._ledger = Ledger(
            self._settings.audit_after_s, self._settings.audit_remembered, topics.EMAIL_RECEIVED.full_name(prefix)
        )
        self._copies = Copies(self._events)
        self._parts: list[TopicPartition] = []
        self._event_history: deque[Moment] = deque()
        self._holding = False
        self._committed: dict[TopicPartition, int] = {}
        self._committed_at = float("-inf")

    async def run(self) -> None:
        """Raises `Stopped` when offsets were lost."""
        brought_back = metrics.counter("mailroom_audit_brought_back_total", "Inputs put back", ["topic"])
        for topic in (topics.EMAIL_RECEIVED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY):
            brought_back.labels(topic.name)
        consumer = AIOKafkaConsumer(
            **connection(self._settings),
            group_id=group_name(self._settings.topic_prefix, GROUP),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            client_id="mailroom-router-audit",
            fetch_max_wait_ms=1_000,
            fetch_min_bytes=256 * 1024,  # nothing here is urgent: one fetch a second, unless it is full before
        )
        await start_when_possible(consumer, self._service.stopping)
        try:
            await self._assign(consumer)
            next_look = time.monotonic() + self._settings.audit_every_s
            while not self._service.stopping.is_set():
                try:
                    batches = await consumer.getmany(timeout_ms=1_000, max_records=2_000)
                    self._service.health.set("kafka", True)
                    for tp, records in batches.items():
                        self._read(tp, records)
                    self._hold(consumer)
                    if time.monotonic() >= next_look:
                        next_look = time.monotonic() + self._settings.audit_every_s
                        await self._look(consumer)
                except NoOffsetForPartitionError as error:
                    raise Stopped(lost_offsets(GROUP, error)) from error
                except OffsetOutOfRangeError as error:
                    await self._copies.go_on(consumer, error)
                except (KafkaError, BusDown, TimeoutError) as error:
                    log.warning("audit.interrupted", error=type(error).__name__)
                    await asyncio.sleep(1)
            await self._commit(consumer)
        finally:
            await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        for name in self._by_name:
            self._parts += [TopicPartition(name, n) for n in await partitions_for(consumer, name)]
        consumer.assign(self._parts)
        for tp in self._parts:
            if await consumer.committed(tp) is None:
                raise Stopped(lost_offsets(GROUP, f"{tp.topic} partition {tp.partition}"))

    def _read(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        now = time.monotonic()
        if tp.topic == self._events:
            for record in records:
                if not self._copies.is_new(tp, record.headers):
                    continue  # or they would crowd out what was remembered of inputs that are still to be read
                if (cause := header(record.headers, "ce_causationid")) is not None:
                    self._ledger.outcome(cause)
            return
        for record in records:
            input_id = header(record.headers, "ce_id") or self._id_inside(tp, record.value)
            if input_id is not None:
                self._ledger.input(input_id, tp.topic, tp.partition, record.offset, now)

    def _id_inside(self, tp: TopicPartition, value: bytes | None) -> str | None:
        """The id of a record whose producer wrote no headers; None for what cannot be read (it is dead anyway)."""
        try:
            message = decode(self._by_name[tp.topic], value)
        except Undecodable:
            return None
        return message.ce_id if message is not None else None

    def _hold(self, consumer: AIOKafkaConsumer) -> None:
        """Read no further inputs while the ledger is full: its memory is bounded."""
        inputs = [tp for tp in self._parts if tp.topic != self._events]
        if self._ledger.full and not self._holding:
            consumer.pause(*inputs)
            self._holding = True
        elif self._holding and len(self._ledger.pending) < self._settings.audit_remembered // 2:
            consumer.resume(*inputs)
            self._holding = False

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        now = time.monotonic()
        metrics.gauge("mailroom_audit_pending", "Inputs that wait for their outcome").set(len(self._ledger.pending))
        if now - self._ledger.oldest(now) >= self._settings.audit_after_s:
            for input_id, pending in self._ledger.overdue(await self._find_out(consumer), now):
                await self._put_back(input_id, pending)
        positions = {tp: await consumer.position(tp) for tp in self._parts if tp.topic == self._events}
        self._event_history = thinned(self._event_history, (now, positions))
        await self._commit(consumer)

    async def _find_out(self, consumer: AIOKafkaConsumer) -> Look:
        committed: dict[tuple[str, int], int] = {}
        admin = AIOKafkaAdminClient(**connection(self._settings))
        await admin.start()
        try:
            for group in ROUTER_GROUPS:
                found = await admin.list_consumer_group_offsets(group_name(self._settings.topic_prefix, group))
                committed.update({(tp.topic, tp.partition): meta.offset for tp, meta in found.items()})
        finally:
            await admin.close()
        events = [tp for tp in self._parts if tp.topic == self._events]
        routed = [TopicPartition(self._routed, tp.partition) for tp in events]
        async with asyncio.timeout(10):
            ends = await consumer.end_offsets([*events, *routed])
        return Look(
            committed=committed,
            routed_ends={(tp.topic, tp.partition): ends[tp] for tp in routed},
            event_ends={(tp.topic, tp.partition): ends[tp] for tp in events},
            event_positions={(tp.topic, tp.partition): await consumer.position(tp) for tp in events},
        )

    async def _put_back(self, input_id: str, pending: Pending) -> None:
        record = await self._fetch(pending)
        topic = self._by_name[pending.topic]
        message = _again(topic, record) if record is not None else None
        if record is None or message is None or message.redelivery > self._settings.audit_redeliveries:
            self._ledger.give_up(input_id)
            if message is not None:
                metrics.counter("mailroom_audit_given_up_total", "Inputs given up", ["topic"]).labels(topic.name).inc()
                log.error("audit.given_up", topic=topic.name, input_id=input_id, times=message.redelivery - 1)
            return
        trace = header(record.headers, "traceparent")
        await self._producer.send(topic, message, traceparent=child(trace))
        metrics.counter("mailroom_audit_brought_back_total", "Inputs put back", ["topic"]).labels(topic.name).inc()
        log.warning(
            "audit.brought_back",
            topic=topic.name,
            input_id=input_id,
            partition=pending.partition,
            offset=pending.offset,
        )

    async def _fetch(self, pending: Pending) -> Any | None:
        """The record itself: the ledger keeps only where it lies."""
        tp = TopicPartition(pending.topic, pending.partition)
        consumer = AIOKafkaConsumer(
            **connection(self._settings), enable_auto_commit=False, isolation_level="read_committed"
        )
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, pending.offset)
            end = time.monotonic() + 10
            while time.monotonic() < end:
                for records in (await consumer.getmany(timeout_ms=500, max_records=1)).values():
                    return records[0] if records[0].offset == pending.offset else None
        finally:
            await consumer.stop()
        return None

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit so that a restart finds all pending inputs again, and their events if there are any."""
        now = time.monotonic()
        keep = self._ledger.keep_from()
        offsets: dict[TopicPartition, int] = {}
        for tp in self._parts:
            if tp.topic != self._events:
                position = await consumer.position(tp)
                offsets[tp] = min(position, keep.get((tp.topic, tp.partition), position))
        safe = self._ledger.oldest(now) - EVENTS_BEHIND_S
        while len(self._event_history) > 1 and self._event_history[1][0] <= safe:
            self._event_history.popleft()
        if self._event_history and self._event_history[0][0] <= safe:
            offsets.update(self._event_history[0][1])
        if self._committed == offsets and now - self._committed_at < COMMIT_AGAIN_S:
            return  # at rest
        await consumer.commit(offsets)
        self._committed, self._committed_at = offsets, now


def thinned(history: deque[Moment], new: Moment) -> deque[Moment]:
    """The history with one more moment. While an input stays open none is given up, so where there are many, every other
    one goes: what is read again on a restart begins a little earlier."""
    if len(history) >= MOST_HISTORY:
        history = deque(moment for number, moment in enumerate(history) if number % 2 == 0)
    history.append(new)
    return history


def _again(topic: Topic, record: Any) -> EmailReceived | TicketCommand | DeliveryReport | None:
    """The input with its redelivery counted up; None when it cannot be read."""
    try:
        message: Message | None = decode(topic, record.value, record.headers)
        if message is None and topic is topics.TICKET_COMMANDS and record.value is not None:
            message = decode_as(TicketCommand, record.value)
    except Undecodable:
        return None
    if not isinstance(message, EmailReceived | TicketCommand | DeliveryReport):
        return None
    return message.model_copy(update={"redelivery": message.redelivery + 1})
