"""The router's world: real Kafka, real Valkey, Acme's configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.router_world import World
from support.servers import ValkeyServer
from support.topics import delete_topics


@pytest.fixture
def partitions() -> int:
    return 2


@pytest_asyncio.fixture
async def world(
    kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path, partitions: int
) -> AsyncIterator[World]:
    """A world whose topics are deleted after the test."""
    made = await World(kafka, valkey.url, topic_prefix, tmp_path / "data", partitions).begin()
    try:
        yield made
    finally:
        await made.end()
        await delete_topics(kafka, topic_prefix)
