"""A large index is filled by processes of their own, so that this one goes on with mail, on another core where there is one.

`python -m mailroom_router.rebuild_processes` is such a process: its order is one line of JSON on its standard input, which
its parent holds open; when that ends, so does it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence

import redis.asyncio
import uvloop
from mailroom_contracts import topics
from mailroom_runtime.bus import unreadable
from mailroom_runtime.bus.aiokafka_private import bare_records, tame
from mailroom_runtime.bus.kafka import Reading
from mailroom_runtime.process.logs import configure, get_logger
from mailroom_runtime.process.settings import load
from mailroom_runtime.process.tasks import end
from mailroom_runtime.redis.valkey import connect

from .agents import Agents
from .directories import Directories
from .rebuild import Rebuilding
from .redis_index import KEPT_DAYS, Index
from .settings import RouterSettings

log = get_logger()
MANY = 30_000  # records of `tickets`; fewer take less than the start of a process and a second
MOST_PROCESSES = 2  # of 170 MB each
NICE = 5  # mail goes before
STOP_S = 5.0
KEEP_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(64 << 20))
"""For glibc: an answer of Kafka, some MB, comes into memory that it has; new pages took 8 % of its time."""


async def rebuild(
    settings: RouterSettings, client: redis.asyncio.Redis, index: Index, kept_days: Mapping[str, int]
) -> None:
    """Fill the index, the agents' loads and the directories. `kept_days`: by portal. Raises `REDIS_DOWN` and KafkaError."""
    agents, directories = Agents(client, settings.topic_prefix), Directories(client, settings.topic_prefix)
    await agents.forget_loads()
    async with Reading(settings, [topics.TICKETS.full_name(settings.topic_prefix)], required=True) as reading:
        records = sum((await reading.ends()).values()) - sum(reading.positions.values())
        partitions = sorted(tp.partition for tp in reading.positions)
    if records >= MANY:
        count = min(MOST_PROCESSES, os.cpu_count() or 1, len(partitions))
        if await _filled([partitions[n::count] for n in range(count)], kept_days):
            return
        log.warning("index.filled_here", reason="a process that was to fill the index failed: see its lines above")
    await Rebuilding(settings, client, index, agents, directories).run()


async def _filled(shares: Sequence[Sequence[int]], kept_days: Mapping[str, int]) -> bool:
    """Whether all shares of the partitions were filled in."""
    running = [asyncio.create_task(_one(share, kept_days)) for share in shares]
    try:
        return all([await one for one in running])
    finally:
        await end(*running)


async def _one(partitions: Sequence[int], kept_days: Mapping[str, int]) -> bool:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mailroom_router.rebuild_processes",
        stdin=asyncio.subprocess.PIPE, env={**KEEP_MEMORY, **os.environ},
    )  # fmt: skip
    try:
        assert process.stdin is not None
        order = {"partitions": list(partitions), "kept_days": dict(kept_days)}
        process.stdin.write(json.dumps(order).encode() + b"\n")
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            async with asyncio.timeout(STOP_S):
                await process.wait()


async def _fill(settings: RouterSettings, partitions: Sequence[int], kept_days: Mapping[str, int]) -> None:
    client = connect(settings.redis)
    prefix = settings.topic_prefix
    index = Index(client, prefix, settings.router_receipt_days, lambda portal: kept_days.get(portal, KEPT_DAYS))
    try:
        agents, directories = Agents(client, prefix), Directories(client, prefix)
        await Rebuilding(settings, client, index, agents, directories, partitions).run()
    finally:
        await client.aclose()


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not through its buffer, whose lock would be held at the end
        pass
    os._exit(1)


def main() -> None:
    """Fill what the order says. Ends with status 0 when all of it was."""
    os.nice(NICE)
    settings = load(RouterSettings)
    configure("router", level=settings.log_level, form=settings.log_format)
    tame()
    unreadable.contain()
    bare_records()
    order = json.loads(sys.stdin.buffer.readline())
    gc.freeze()  # what was imported stays
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvloop.run(_fill(settings, order["partitions"], order["kept_days"]))


if __name__ == "__main__":
    main()
