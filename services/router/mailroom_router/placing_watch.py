"""Ends a router whose first step stands still, so that its supervisor starts it again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mailroom_contracts import topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.groups import group_name
from mailroom_runtime.bus.standstill import Standstill
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Stopped

from .settings import RouterSettings

log = get_logger()
LOOK_EVERY_S = 5.0


async def watch(settings: RouterSettings, group: str, mine: Callable[[], set[int]], idle: Callable[[], bool]) -> None:
    """Look for ever. `mine`: the partitions assigned here; `idle`: the step has nothing in its hands.

    Raises `Stopped` when mail waits on our partitions, the step is idle, and nothing moved for
    `router_standstill_s` seconds.
    """
    name = topics.EMAIL_RECEIVED.full_name(settings.topic_prefix)
    standstill: Standstill[int] = Standstill(settings.router_standstill_s)
    while True:
        admin = AIOKafkaAdminClient(**connection(settings))
        consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False)
        try:
            await admin.start()
            await consumer.start()
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                parts = [TopicPartition(name, p) for p in sorted(mine())]
                if not parts or not idle():
                    standstill.forget()
                    continue
                offsets = await admin.list_consumer_group_offsets(group_name(settings.topic_prefix, group))
                ends = await consumer.end_offsets(parts)
                committed = {tp.partition: int(entry.offset) for tp, entry in offsets.items() if tp.topic == name}
                still = standstill.look(committed, {tp.partition: end for tp, end in ends.items()}, time.monotonic())
                if still and idle():
                    raise Stopped(
                        f"the first step has taken no mail of partitions {still} for {settings.router_standstill_s:g} s "
                        "although some waits there; it is started again"
                    )
        except (KafkaError, OSError, TimeoutError) as error:
            log.debug("placing_watch.interrupted", error=type(error).__name__)
            standstill.forget()
            await asyncio.sleep(1)
        finally:
            await consumer.stop()
            await admin.close()
