"""Watches the topics during a run. Needs nothing of the services but what every subscriber has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import copy_of, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import partitions_for
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import aside, end

from .tally import Tally

WATCHED = (topics.EMAIL_RECEIVED, topics.TICKET_EVENTS, topics.EMAIL_OUTBOUND, topics.EMAIL_DELIVERY)


class Observer:
    """Reads from the end of the topics as it was at `start`; every record until `close`."""

    def __init__(self, settings: ServiceSettings, tally: Tally, clock: Callable[[], float]) -> None:
        self._settings, self._tally, self._clock = settings, tally, clock
        self._task: asyncio.Task[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Be at the end of every topic before the first mail goes out."""
        consumer = AIOKafkaConsumer(
            **connection(self._settings),
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
        )
        await consumer.start()
        self._consumer = consumer
        names = [topic.full_name(self._settings.topic_prefix) for topic in WATCHED]
        parts = [TopicPartition(name, p) for name in names for p in await partitions_for(consumer, name)]
        consumer.assign(parts)
        await consumer.seek_to_end(*parts)
        for part in parts:
            await consumer.position(part)
        self._task = aside(self._watch(consumer), "observer")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            await end(self._task)
        if self._consumer is not None:
            await self._consumer.stop()

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            for part, records in (await consumer.getmany(timeout_ms=100)).items():
                at = self._clock()
                for record in records:
                    if record.value and copy_of(record.headers) is None:  # the log may be renewed meanwhile
                        self._one(part.topic, json.loads(record.value), dict(record.headers), at)

    def _one(self, topic: str, value: dict[str, object], headers: dict[str, bytes], at: float) -> None:
        prefix, tally = self._settings.topic_prefix, self._tally
        get: Callable[[str], str] = lambda name: str(value.get(name) or "")  # noqa: E731 - four look-ups, one line
        if topic == topics.EMAIL_RECEIVED.full_name(prefix):
            content = value.get("content")
            tally.saw("received", content.get("message_id") if isinstance(content, dict) else None, at)
        elif topic == topics.TICKET_EVENTS.full_name(prefix):
            message = value.get("message")
            if value.get("type") == "ticket.message_added" and isinstance(message, dict) and not message.get("copy_of"):
                tally.message(message.get("message_id"), get("ticket_id"), str(message["id"]), at)
        elif topic == topics.EMAIL_OUTBOUND.full_name(prefix):
            if value.get("action", "send") == "send":
                tally.order(get("ticket_id"), get("id"), at)
        elif value.get("state") == "sent":
            tally.sent(get("outbound_id"), headers.get("ce_id", b"").decode(), at)
