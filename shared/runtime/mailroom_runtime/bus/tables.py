"""Configuration as every service needs it: the compacted topics, read to their end and then followed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import Address, Agent, Message, Portal, Queue, Topic, Undecodable, decode_as, topics

from mailroom_runtime.book import Book
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings

from .aiokafka_private import confirm_ends, read_to_end_at
from .connection import connection
from .kafka import partitions_for

Changed = Callable[[Topic, str, Message | None], None]
log = get_logger()
CONFIRM_EVERY_MS = 1_000  # a fetch that brings nothing says so after this, 2.5 s at rest
UNCONFIRMED_S = 10.0  # then with another consumer


_TOPIC_OF: dict[type[Message], Topic] = {
    Portal: topics.PORTALS,
    Address: topics.ADDRESSES,
    Queue: topics.QUEUES,
    Agent: topics.AGENTS,
}


class ConfigTables:
    """Keeps a `book` of portals, addresses, queues and agents. Start-up waits until all were read to the end.

    A record that cannot be decoded is logged and skipped: one broken row must not stop the others.
    """

    def __init__(self, settings: ServiceSettings, kinds: list[type[Message]] | None = None) -> None:
        self._settings = settings
        self._kinds = kinds or list(_TOPIC_OF)
        self.book = Book()
        self._read_to: dict[TopicPartition, int] = {}
        self._listeners: list[Changed] = []
        self._confirmed_at = float("-inf")
        self._consumer: AIOKafkaConsumer | None = None
        self._loaded = asyncio.Event()

    def fresh(self, within_s: float = 5.0) -> bool:
        """Whether this view was confirmed against the end of the topics within that time."""
        if self._consumer is not None and (at := read_to_end_at(self._consumer)) is not None:
            self._confirmed_at = max(self._confirmed_at, at)
        return time.monotonic() - self._confirmed_at <= within_s

    def on_change(self, callback: Changed) -> None:
        """Call `callback(topic, id, record or None)` for every change, those while loading included."""
        self._listeners.append(callback)

    async def start(self, service: Service[Any]) -> None:
        """Follow the topics in the background; returns once everything that was there has been read."""
        service.health.set("config", False, "reading the configuration topics")
        service.spawn(self._follow(service), "config-tables")
        stop = asyncio.create_task(service.stopping.wait())
        loaded = asyncio.create_task(self._loaded.wait())
        try:
            await asyncio.wait({stop, loaded}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            loaded.cancel()

    async def _follow(self, service: Service[Any]) -> None:
        names = {_TOPIC_OF[kind].full_name(self._settings.topic_prefix): kind for kind in self._kinds}
        while True:
            consumer = AIOKafkaConsumer(
                **connection(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_uncommitted",
                fetch_max_wait_ms=CONFIRM_EVERY_MS,
            )
            try:
                await consumer.start()
                await self._read(service, consumer, names)
            except (KafkaError, TimeoutError) as error:
                log.warning("config.interrupted", error=type(error).__name__)
                if not self._loaded.is_set():
                    service.health.set("config", False, f"cannot read the configuration topics: {type(error).__name__}")
                await asyncio.sleep(1)
            finally:
                self._consumer = None
                await consumer.stop()

    async def _read(self, service: Service[Any], consumer: AIOKafkaConsumer, names: dict[str, type[Message]]) -> None:
        parts: list[TopicPartition] = []
        for name in names:
            found = await partitions_for(consumer, name)
            if not found:
                service.health.set("config", False, f"the topic {name} is missing: run `mailroom topics create`")
                await asyncio.sleep(1)
                return
            parts += [TopicPartition(name, p) for p in found]
        asked_at = time.monotonic()
        confirm_ends(consumer)
        consumer.assign(parts)
        ends = await self._seek(consumer, parts)
        while not all([await consumer.position(tp) >= ends[tp] for tp in parts]):
            await self._take(consumer, names, 50)
        self._confirmed_at, self._consumer = asked_at, consumer
        if not self._loaded.is_set():
            self._loaded.set()
            log.info("config.loaded", portals=len(self.book.portals), addresses=len(self.book.addresses))
        service.health.set("config", True)
        # follow changes as they come; each fetch confirms where the topics end
        while self.fresh(UNCONFIRMED_S):
            await self._take(consumer, names, 1_000)
        raise TimeoutError

    async def _take(self, consumer: AIOKafkaConsumer, names: dict[str, type[Message]], timeout_ms: int) -> None:
        for tp, records in (await consumer.getmany(timeout_ms=timeout_ms)).items():
            for record in records:
                self._apply(_TOPIC_OF[names[tp.topic]], names[tp.topic], record.key, record.value)
            self._read_to[tp] = records[-1].offset + 1

    async def _seek(self, consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        """On from what was read, since an older record read again would undo newer ones for a moment; where they end.

        From the beginning at first, and where the topic was made anew (it ends before that).
        """
        async with asyncio.timeout(10):
            ends = await consumer.end_offsets(parts)
            begins = await consumer.beginning_offsets(parts)
        for tp in parts:
            read_to = self._read_to.get(tp, 0)
            consumer.seek(tp, read_to if begins[tp] <= read_to <= ends[tp] else begins[tp])
        return dict(ends)

    def _apply(self, topic: Topic, kind: type[Message], key: bytes | None, value: bytes | None) -> None:
        row_id = (key or b"").decode("utf-8", "replace")
        try:
            row = decode_as(kind, value) if value is not None else None
        except Undecodable as error:
            log.error("config.broken_record", topic=topic.name, key=row_id, error=str(error))
            return
        self.book.apply(topic.name, row_id, row)
        metrics.gauge("mailroom_config_rows", "Configuration known to this process", ["topic"]).labels(topic.name).set(
            self.book.count(topic.name)
        )
        for listener in self._listeners:
            listener(topic, row_id, row)
