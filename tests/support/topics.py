"""Making Mailroom's topics for one test, under a prefix of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from mailroom_runtime import topic_admin
from mailroom_runtime.settings import ServiceSettings


async def create_topics(bootstrap: str, prefix: str, partitions: int = 4) -> list[str]:
    """What `mailroom topics create` does under `prefix`: topics, dead letters, first offsets. The topics' names."""
    settings = ServiceSettings(kafka=bootstrap, topic_prefix=prefix, partitions=partitions)
    await topic_admin.create(settings)
    return list(topic_admin.wanted(settings))


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
