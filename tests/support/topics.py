"""Making Mailroom's topics for one test, under a prefix of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from mailroom_contracts.topics import TOPICS


async def create_topics(bootstrap: str, prefix: str, partitions: int = 4, *, dead: bool = True) -> list[str]:
    """Make every topic (and its dead letters) under `prefix`; their names. Partition counts as INTERFACES.md says."""
    wanted = [NewTopic(t.full_name(prefix), partitions, 1, topic_configs=t.configs()) for t in TOPICS]
    if dead:
        wanted += [NewTopic(t.dead_name(prefix), partitions, 1) for t in TOPICS]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        new = [topic for topic in wanted if topic.name not in existing]
        if new:
            answer = await admin.create_topics(new)
            errors = [e for e in answer.topic_errors if e[1] not in (0, 36)]
            assert not errors, errors
    finally:
        await admin.close()
    return [topic.name for topic in wanted]


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


def run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end from synchronous code, also when a loop runs in this thread (fixtures)."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(asyncio.run(work)))
    thread.start()
    thread.join()
    return outcome[0]
