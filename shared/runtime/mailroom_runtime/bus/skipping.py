"""Tells of what cannot be read, and steps over what a person gave up (`mailroom records skip`).

What may be passed over is told to all services by one compacted topic, `records.skipped`: a consumer that meets the
records later, or again after a restart, passes over them too. It is read only while something stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import RecordsSkipped, Undecodable, decode_as, topics

from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings

from .connection import connection
from .kafka import partitions_for
from .unreadable import Stop, Unreadable, stops

log = get_logger()
LOOK_EVERY_S = 1.0
CONDITION = "records"


class Skips:
    """What was given up, as far as it was read."""

    def __init__(self) -> None:
        self._known: dict[TopicPartition, list[RecordsSkipped]] = {}

    def add(self, skipped: RecordsSkipped) -> None:
        """One decision."""
        self._known.setdefault(TopicPartition(skipped.topic, skipped.partition), []).append(skipped)

    def beyond(self, what: Unreadable) -> int | None:
        """Where reading goes on, or None when nobody gave this up."""
        given_up = self._known.get(TopicPartition(what.topic, what.partition), ())
        return max((s.next_offset for s in given_up if s.offset <= what.offset < s.next_offset), default=None)


class SkipReader:
    """Reads the topic from its beginning on."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self.skips = Skips()
        self._consumer: AIOKafkaConsumer | None = None

    async def read(self) -> None:
        """Everything up to the end as it is now. Raises KafkaError or TimeoutError."""
        if self._consumer is None:
            self.skips = Skips()
            self._consumer = AIOKafkaConsumer(
                **connection(self._settings), enable_auto_commit=False, auto_offset_reset="earliest"
            )
            await self._consumer.start()
            name = topics.RECORDS_SKIPPED.full_name(self._settings.topic_prefix)
            self._consumer.assign([TopicPartition(name, p) for p in await partitions_for(self._consumer, name)])
        parts = list(self._consumer.assignment())
        if not parts:
            return
        async with asyncio.timeout(10):
            ends = await self._consumer.end_offsets(parts)
            while any([await self._consumer.position(tp) < ends[tp] for tp in parts]):
                for records in (await self._consumer.getmany(timeout_ms=200)).values():
                    self._take(records)

    def _take(self, records: Iterable[Any]) -> None:
        for record in records:
            if record.value is not None:
                try:
                    self.skips.add(decode_as(RecordsSkipped, record.value))
                except Undecodable as error:
                    log.error("records.broken_skip", error=str(error))

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


async def watch(service: Service[Any]) -> None:
    """Say what stands still in this process, and step over what was given up; never ends."""
    reader = SkipReader(service.settings)
    told: set[Unreadable] = set()
    try:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            standing = stops()
            told = _tell(service, standing, told)
            if not standing:
                await reader.close()
                continue
            try:
                await reader.read()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("records.skips_unknown", error=type(error).__name__)
                await reader.close()
                continue
            for stop in standing:
                _step_over(stop, reader.skips)
    finally:
        await reader.close()


def _tell(service: Service[Any], standing: list[Stop], told: set[Unreadable]) -> set[Unreadable]:
    found = {stop.what for stop in standing}
    ways_out = [f"{what}: `mailroom records skip {what.topic} {what.partition} {what.offset}` gives it up"
                for what in sorted(found, key=str)[:3]]  # fmt: skip
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    service.health.set(CONDITION, not found, "; ".join(ways_out) + more)
    metrics.gauge("mailroom_unreadable_partitions", "Partitions that stand before something unreadable").set(len(found))
    for what in found - told:
        log.error("records.unreadable", topic=what.topic, partition=what.partition, offset=what.offset,
                  reason=what.reason)  # fmt: skip
    return found


def _step_over(stop: Stop, skips: Skips) -> None:
    beyond = skips.beyond(stop.what)
    if beyond is not None:
        what = stop.what
        log.warning("records.stepped_over", topic=what.topic, partition=what.partition, offset=what.offset,
                    next_offset=beyond)  # fmt: skip
        stop.step_over(beyond)
