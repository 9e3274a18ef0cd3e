"""Tasks that loop for ever: watching them, ending them, and running several as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from . import metrics
from .logs import get_logger

log = get_logger()
AGAIN_S = 1.0
PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

died: ContextVar[Callable[[str, BaseException], None] | None] = ContextVar("died", default=None)
"""Who is told that a lasting task has died: the service that it belongs to."""


def lasting(work: Callable[[], Coroutine[Any, Any, Any]], name: str, *, again: bool = False) -> asyncio.Task[None]:
    """Run what nobody waits for, and never let it die in silence.

    An unexpected error ends the service, which says the task's name; with `again` the work is begun anew after a pause,
    doubled up to a minute: for what concerns one account or one helper only. `end` ends it.
    """
    task = asyncio.create_task(_again_and_again(work, name) if again else work(), name=name)
    if not again:
        told = died.get()

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("task.died", task=name, exc_info=error)
                if told is not None:
                    told(name, error)

        task.add_done_callback(ended)
    return task


async def _again_and_again(work: Callable[[], Coroutine[Any, Any, Any]], name: str) -> None:
    pause = PAUSE_S
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await work()
            return
        except Exception as error:
            log.error("task.begins_anew", task=name, after_s=pause, exc_info=error)
            metrics.counter("mailroom_tasks_restarted_total", "Lasting tasks begun anew after a fault", []).inc()
        if loop.time() - began > LONGEST_PAUSE_S:
            pause = PAUSE_S
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)


def aside(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Run something short that nobody waits for; what goes wrong is logged."""
    task = asyncio.create_task(work, name=name)
    _aside.add(task)

    def ended(done: asyncio.Task[Any]) -> None:
        _aside.discard(done)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("task.died", task=name, exc_info=error)

    task.add_done_callback(ended)
    return task


_aside: set[asyncio.Task[Any]] = set()  # asyncio itself keeps only weak references


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
