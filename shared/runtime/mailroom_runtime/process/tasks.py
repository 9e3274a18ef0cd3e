"""Tasks that loop for ever: ending them, and running several as one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

AGAIN_S = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel these, until each has ended; what they raise is left in them.

    Python 3.11's `asyncio.wait_for`, which redis and aiokafka use, loses a cancellation that comes in the moment in
    which what it waits for is there (cpython issue 86296): a loop then goes on, and is told again.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # asked for, or the loop reports it as never looked at


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run these until all have ended, or one fails: then the others are ended and its error is raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception() is not None]
        await end(*tasks)
    for task in failed or tasks:
        task.result()
