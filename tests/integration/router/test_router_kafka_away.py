"""Kafka away under load: nothing is lost or doubled, and no worker need be started again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from mailroom_runtime.bus.aiokafka_private import tame
from support.processes import ServiceProcess
from support.router_world import World, check_consistent, mail
from support.servers import KafkaServer, ValkeyServer
from support.waiting import eventually

Starter = Callable[..., ServiceProcess]
AWAY_S = 20.0


@pytest_asyncio.fixture
async def world(
    kafka_server: KafkaServer, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[World]:
    """A world on a broker of its own."""
    tame()
    made = await World(kafka_server.bootstrap, valkey.url, topic_prefix, tmp_path / "data").begin()
    yield made
    await made.end()


@pytest.mark.timeout(240)
async def test_kafka_away_for_a_while(world: World, kafka_server: KafkaServer, start_service: Starter) -> None:
    started = time.monotonic()
    router = start_service("router", world.env())
    sent = [mail(n, sender=f"c{n}@customer.example") for n in range(600)]
    await world.put(*sent)

    async def begun() -> object:
        return len(await world.states()) > 20

    await eventually(begun, 30)
    kafka_server.kill()  # with transactions under way
    gone = time.monotonic()
    await eventually(lambda: time.monotonic() - gone > AWAY_S, AWAY_S + 5)
    assert router.running, router.tail()
    kafka_server.start()
    back = time.monotonic()

    async def all_there() -> object:
        found = await world.states()
        assert len(found) == len(sent), f"{len(found)} of {len(sent)} tickets"
        return True

    await eventually(all_there, 90, every=1.0)
    print(f"Kafka away for {AWAY_S:g} s: everything was done {time.monotonic() - back:.1f} s after its return")
    check_consistent(await world.events(), await world.states())
    late = mail("late", sender="late@customer.example")
    await world.put(late)
    await eventually(lambda: _has(world, late.id), 30)
    assert router.running
    # by the second: aiokafka says something of each partition while the broker comes back, which a busy machine draws out;
    # its reconnect storm would be hundreds of kilobytes a second
    assert len(router.output()) < 10_000 * (time.monotonic() - started), "no flood of log lines"


async def _has(world: World, cause: str) -> bool:
    return any(e.causation_id == cause for e in await world.events())
