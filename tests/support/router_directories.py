"""The directories of where each ticket's state lies, as a test has them kept."""

from __future__ import annotations

from types import SimpleNamespace

import redis.asyncio
from mailroom_contracts import topics
from mailroom_router.directories import Directories
from mailroom_router.directory import entries, spot_of
from mailroom_router.directory_keeping import DirectoryKeeping
from mailroom_router.redis_gate import RedisGate

from support.router_world import World
from support.waiting import eventually


async def directories_hold(world: World, client: redis.asyncio.Redis) -> Directories:
    """Have the directories say where every ticket's latest state lies."""
    found = Directories(client, world.settings.topic_prefix)

    async def whole() -> bool:
        await looked_after(world, client)
        latest: dict[bytes, int | None] = {}
        for record in await world.records(topics.TICKETS):
            latest[bytes.fromhex(record.key.decode())] = None if record.value is None else record.offset
        told: dict[bytes, int] = {}
        for number in range(world.settings.partitions):
            if (read := await found.read(number)) is None:
                return False
            told.update({mark: spot_of(line).offset for part in read[1] for mark, line in entries(part).items()})
        return told == {mark: offset for mark, offset in latest.items() if offset is not None}

    await eventually(whole, 60, every=0.5)
    return found


async def directories_are_there(world: World, client: redis.asyncio.Redis) -> None:
    """Wait until a router has begun them."""
    found = Directories(client, world.settings.topic_prefix)

    async def whole() -> bool:
        return all([await found.read(number) is not None for number in range(world.settings.partitions)])

    await eventually(whole, 60, every=0.5)


async def looked_after(world: World, client: redis.asyncio.Redis) -> None:
    """What a router does after five minutes, or 5,000 states."""
    gate = RedisGate(client, world.settings.topic_prefix)
    gate.up = True
    open_ = SimpleNamespace(ready=True, states_to=1 << 40)
    directories = Directories(client, world.settings.topic_prefix)
    keeping = DirectoryKeeping(
        world.settings, gate, directories, lambda: dict.fromkeys(range(world.settings.partitions), open_)
    )
    for number in range(world.settings.partitions):
        await keeping._add(number)
