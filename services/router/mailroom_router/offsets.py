"""Whether the router's groups know where to go on; without that it must not start (DESIGN section 2)."""

from __future__ import annotations

from aiokafka import TopicPartition
from mailroom_runtime.bus.consume import lost_offsets
from mailroom_runtime.bus.groups import GROUPS, offsets_of
from mailroom_runtime.bus.kafka import partitions_for
from mailroom_runtime.process.service import Stopped
from mailroom_runtime.process.settings import ServiceSettings


async def check_offsets(settings: ServiceSettings, *groups: str) -> None:
    """Raises `Stopped` when a partition of a group's inputs has no committed offset."""
    for group in groups:
        async with offsets_of(settings, group) as consumer:
            for topic in GROUPS[group]:
                name = topic.full_name(settings.topic_prefix)
                for number in await partitions_for(consumer, name):
                    if await consumer.committed(TopicPartition(name, number)) is None:
                        raise Stopped(lost_offsets(group, f"{name} partition {number}"))
