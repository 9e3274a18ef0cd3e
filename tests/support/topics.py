"""Making Mailroom's topics for one test, under a prefix of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mailroom_contracts import Topic, Undecodable, decode
from mailroom_runtime.bus import topic_admin
from mailroom_runtime.bus.kafka import read_to_end
from mailroom_runtime.process.settings import ServiceSettings


async def create_topics(bootstrap: str, prefix: str, partitions: int = 4) -> list[str]:
    """What `mailroom topics create` does under `prefix`: topics, dead letters, first offsets. The topics' names."""
    settings = ServiceSettings(kafka=bootstrap, topic_prefix=prefix, partitions=partitions)
    await topic_admin.create(settings)
    return list(topic_admin.wanted(settings))


def broker_answers(bootstrap: str) -> bool:
    """Whether a Kafka broker answers there (not merely a port that is open)."""

    async def ask() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
        try:
            await admin.start()
            return bool(await admin.list_topics() is not None)
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()

    return bool(run_apart(ask()))


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete every topic whose name starts with `prefix` and a dot or a dash (faust's changelogs too)."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if prefix in name]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


async def messages_so_far(settings: ServiceSettings, topic: Topic) -> AsyncIterator[Any]:
    """Every message of a topic, per partition in order; tombstones as (key, None). A test's own poison is left out."""
    async for record in read_to_end(settings, [topic.full_name(settings.topic_prefix)], committed_only=False):
        if record.value is None:
            yield (record.key.decode(), None)
            continue
        try:
            message = decode(topic, record.value, record.headers)
        except Undecodable:
            continue
        if message is not None:
            yield message


def run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end from synchronous code, also when a loop runs in this thread (fixtures)."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()
