"""Which accounts this process reads: those whose `addresses` partition the consumer group gave it.

Nothing is consumed through the group, it only shares out the partitions: each account has one reader, and another
copy takes over when a process dies. A process that hung and comes back may read on for a moment beside its successor:
that costs a repetition, which the ids make harmless.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.groups import group_name
from mailroom_runtime.bus.rebalances import Rebalances
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service

from .settings import IngestGmailSettings

log = get_logger()
GROUP = "ingest_gmail"


class Owner(Protocol):
    """Who reads the accounts of the partitions that are ours."""

    async def own(self, partitions: set[int]) -> None:
        """Read these from now on. Raises KafkaError or TimeoutError; then it is asked again."""
        ...

    async def give_up(self) -> None:
        """Read none."""
        ...


class _Share:
    def __init__(self, consumer: AIOKafkaConsumer, owner: Owner) -> None:
        self._consumer, self._owner = consumer, owner
        self.taken: set[int] | None = None

    async def give_up(self, _: set[TopicPartition]) -> None:
        self.taken = None
        await self._owner.give_up()

    async def take(self, assigned: set[TopicPartition]) -> None:
        # what has to ask Kafka is done outside, where it can be tried again
        self._consumer.pause(*assigned)
        self.taken = {tp.partition for tp in assigned}


async def share(service: Service[IngestGmailSettings], owner: Owner) -> None:
    """Tell `owner` which partitions are ours, at every change, until the service stops."""
    settings = service.settings
    name = topics.ADDRESSES.full_name(settings.topic_prefix)
    service.health.set("kafka", False, "joining the consumer group")
    while not service.stopping.is_set():
        consumer: Any = AIOKafkaConsumer(
            **connection(settings),
            group_id=group_name(settings.topic_prefix, GROUP),
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
        )
        ours = _Share(consumer, owner)
        rebalances = Rebalances(ours.take, ours.give_up)
        try:
            await consumer.start()
            consumer.subscribe([name], listener=rebalances)
            owned: set[int] | None = None
            while not service.stopping.is_set():
                await consumer.getmany(timeout_ms=500)
                rebalances.check()
                if ours.taken is None:
                    owned = None
                elif owned != ours.taken or owned is None:
                    taken = ours.taken
                    await owner.own(taken)
                    owned = taken
                    log.info("gmail.partitions_taken", partitions=sorted(taken))
                service.health.set("kafka", True)
        except (KafkaError, TimeoutError) as error:
            log.warning("gmail.group_interrupted", error=type(error).__name__)
            service.health.set("kafka", False, f"the consumer group is away: {type(error).__name__}")
            await owner.give_up()
            await asyncio.sleep(1)
        finally:
            await consumer.stop()
    await owner.give_up()
