"""Work on a stranger's input in a process of its own (pebble), which is ended when it takes too long or too much memory.

Parsers of other people's formats are libraries in C and Rust. A thread around one can neither be stopped nor does it
survive a stack overflow or an allocation that fails; a process can be ended, and the service goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
import signal
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from . import metrics

T = TypeVar("T")
LIMIT_S = 5.0
MEMORY_BYTES = 1 << 30  # of addresses, which a fresh interpreter takes some 200 MB of
PROCESSES = 2  # at once; who comes when both are busy waits
WAITING_S = 30.0  # at most, the work included


class NotDone(Exception):
    """The work was given up: it took too long or too much memory, or it ended its process."""


async def apart(function: Callable[..., T], *args: object, limit_s: float = LIMIT_S) -> T:
    """What `function(*args)` gives, from another process; both must be picklable, so the function is a module's own.

    Raises what it raises, and `NotDone`. The first call starts the process (some 0.3 s), which stays.
    """
    future = _pool().schedule(function, args=args, timeout=limit_s)
    try:
        async with asyncio.timeout(WAITING_S):
            # cancelled or late: pebble ends the process, if the work has begun
            done: T = await asyncio.wrap_future(future)
            return done
    except TimeoutError:
        raise _given_up("time", f"it took longer than {limit_s:g} s") from None
    except MemoryError:
        raise _given_up("memory", f"it took more than {MEMORY_BYTES >> 20} MiB") from None
    except ProcessExpired:
        raise _given_up("crash", "it ended its process") from None


@cache
def _pool() -> ProcessPool:
    # spawned, not forked: a copy of a process with threads may hold their locks for ever
    return ProcessPool(PROCESSES, max_tasks=1000, initializer=_limits, context=multiprocessing.get_context("spawn"))


def _limits() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service decides when it ends, not the terminal's process group
    for name, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # a system that allows less already
            resource.setrlimit(name, (most, resource.getrlimit(name)[1]))


def _given_up(why: str, words: str) -> NotDone:
    metrics.counter("mailroom_work_given_up_total", "Work on strangers' input that was given up", ["why"]).labels(
        why
    ).inc()
    return NotDone(words)
