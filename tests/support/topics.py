"""Making Mailroom's topics for one test, under a prefix of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mailroom_contracts import Topic, Undecodable, decode, encode
from mailroom_contracts.topics import TOPICS
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
    """Delete every topic whose name starts with `prefix` and a dot or a dash (faust's changelogs too).

    With `MAILROOM_TEST_RECORDS`, a file, what is on them is added to it before, for tests that want real records.
    """
    if file := os.environ.get("MAILROOM_TEST_RECORDS"):
        await keep_records(ServiceSettings(kafka=bootstrap, topic_prefix=prefix), Path(file))
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


async def keep_records(settings: ServiceSettings, file: Path) -> None:
    """Add to the file, a line each, every record as one of our services writes it: its model and its value."""
    lines: list[str] = []
    for topic in TOPICS:
        try:
            async for record in read_to_end(settings, [topic.full_name(settings.topic_prefix)], committed_only=False):
                lines += _as_written(topic, record)
        except Exception as error:  # a test put something there that nothing can read: what came before it is kept
            print(f"{topic.name}: {type(error).__name__}")
    with file.open("a") as kept:
        kept.write("".join(lines))


def _as_written(topic: Topic, record: Any) -> list[str]:
    try:
        message = decode(topic, record.value, record.headers)
    except Undecodable:
        return []
    if message is None:
        return []
    value = json.loads(record.value)
    if value != json.loads(encode(topic, message, source="test").value or b""):
        return []  # a test's hand wrote it
    return [json.dumps({"model": type(message).__name__, "value": value}) + "\n"]


def run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end from synchronous code, also when a loop runs in this thread (fixtures)."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()
