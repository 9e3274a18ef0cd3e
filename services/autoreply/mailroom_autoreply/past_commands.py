"""Reads back what autoreply itself asked for since a given time: the source of its limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import AutoReplyCommand, Undecodable, decode, topics
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import partitions_for
from mailroom_runtime.process.settings import ServiceSettings


async def auto_replies_since(settings: ServiceSettings, since: datetime) -> AsyncIterator[AutoReplyCommand]:
    """Every ticket.auto_reply command since then, up to the end as it is now. Raises KafkaError."""
    name = topics.TICKET_COMMANDS.full_name(settings.topic_prefix)
    consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        parts = [TopicPartition(name, p) for p in await partitions_for(consumer, name)]
        ends = await consumer.end_offsets(parts)
        starts = await consumer.offsets_for_times(dict.fromkeys(parts, int(since.timestamp() * 1000)))
        waiting = {tp: ends[tp] for tp in parts if starts.get(tp) is not None and starts[tp].offset < ends[tp]}
        if not waiting:
            return
        consumer.assign(list(waiting))
        for tp in waiting:
            consumer.seek(tp, starts[tp].offset)
        while waiting:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    try:
                        command = decode(topics.TICKET_COMMANDS, record.value, record.headers)
                    except Undecodable:
                        continue  # the router, which reads these commands, puts it to the dead letters
                    if isinstance(command, AutoReplyCommand):
                        yield command
            waiting = {tp: end for tp, end in waiting.items() if await consumer.position(tp) < end}
    finally:
        await consumer.stop()
