"""Which accounts this process reads: those whose `addresses` partition the consumer group gave it.

Nothing is consumed through the group, it only shares out the partitions: each account has one reader, and another
copy takes over when a process dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import topics
from mailroom_runtime.groups import group_name
from mailroom_runtime.logs import get_logger
from mailroom_runtime.service import Service

from .settings import IngestGmailSettings

log = get_logger()
GROUP = "ingest_gmail"


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: AIOKafkaConsumer, changed: Callable[[set[int]], Awaitable[None]]) -> None:
        self._consumer, self._changed = consumer, changed

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._changed(set())

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._consumer.pause(*assigned)
        await self._changed({tp.partition for tp in assigned})


async def share(service: Service[IngestGmailSettings], changed: Callable[[set[int]], Awaitable[None]]) -> None:
    """Call `changed` with the partitions that are ours, at every change, until the service stops."""
    settings = service.settings
    name = topics.ADDRESSES.full_name(settings.topic_prefix)
    service.health.set("kafka", False, "joining the consumer group")
    while not service.stopping.is_set():
        consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka,
            group_id=group_name(settings.topic_prefix, GROUP),
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
        )
        try:
            await consumer.start()
            consumer.subscribe([name], listener=_Listener(consumer, changed))
            while not service.stopping.is_set():
                await consumer.getmany(timeout_ms=500)
                service.health.set("kafka", True)
        except KafkaError as error:
            log.warning("gmail.group_interrupted", error=type(error).__name__)
            await asyncio.sleep(1)
        finally:
            await consumer.stop()
    await changed(set())
