"""Consumer groups and the topics they read: `mailroom topics create` gives each its first offsets.

A group without a committed offset stops its service (DESIGN, "Lost offsets"): starting again by itself at the
beginning would answer old mail, at the end would lose new mail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from mailroom_contracts import topics
from mailroom_contracts.topics import Topic

from mailroom_runtime.process.settings import ServiceSettings

from .connection import connection

GROUPS: dict[str, tuple[Topic, ...]] = {
    "router.place": (topics.EMAIL_RECEIVED,),
    "router.tickets": (topics.EMAIL_ROUTED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY),
    "router.audit": (topics.EMAIL_RECEIVED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY, topics.TICKET_EVENTS),
    "autoreply": (topics.TICKET_EVENTS,),
    "outbound.orders": (topics.EMAIL_OUTBOUND,),
    "outbound.lanes": (topics.EMAIL_LANES,),
}


def group_name(prefix: str, group: str) -> str:
    """The group's full name; the prefix keeps two installations on one broker apart."""
    return f"{prefix}.{group}"


@asynccontextmanager
async def offsets_of(settings: ServiceSettings, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that sees and commits a group's offsets without joining it."""
    consumer = AIOKafkaConsumer(
        **connection(settings), group_id=group_name(settings.topic_prefix, group), enable_auto_commit=False
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
