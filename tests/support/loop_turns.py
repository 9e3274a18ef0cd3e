"""How long an event loop is held up: what its own thread computed between two turns, not how long it waited for a processor."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from mailroom_runtime.process.tasks import end

LONGEST_S = 0.050


@contextlib.asynccontextmanager
async def turns() -> AsyncIterator[list[float]]:
    """Processor time of each turn of this loop, while inside."""
    found: list[float] = []

    async def count() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            found.append(time.thread_time() - began)

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    try:
        yield found
    finally:
        await end(counting)
