"""Starts a service as a process: settings, logs, Kafka clients that pause between tries, and an end in any case.

A process that is still there `FORCED_S` after stage two of its shutdown (`process.service`) tells where its threads
are, and ends as `kill -9` would end it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from .bus import progress, skipping, unreadable
from .bus.aiokafka_private import tame
from .process.logs import configure
from .process.service import Service
from .process.settings import ServiceSettings, load

S = TypeVar("S", bound=ServiceSettings)
FORCED_S = 8.0  # 23 s with the default `drain_s`: Kubernetes and systemd give 30 and 90


_M_MMAP_THRESHOLD = -3  # malloc.h of glibc; mallopt(3)
_LARGE = 1 << 20


def _give_large_memory_back() -> None:
    """What takes a megabyte or more goes back to the system when it is freed.

    By itself glibc raises that limit to the largest block that was ever freed, so that after a mail of 25 MB such blocks
    come from the heaps of the threads, which keep them: seven of them one after the other held 180 MB.
    """
    # another C library (musl) has no such option, nor that habit
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)


def run(name: str, settings_class: type[S], app: Callable[[Service[S]], Awaitable[None]]) -> None:
    """Load the settings and run the service; ends the process with its status."""
    settings = load(settings_class)
    configure(name, level=settings.log_level, form=settings.log_format)
    tame()
    unreadable.contain()
    progress.note_consumers()
    # What was imported is never garbage (how seldom the others are looked at: `mailroom_runtime`).
    gc.freeze()
    _give_large_memory_back()

    async def main() -> int:
        service = Service(name, settings)

        async def ends_in_time() -> None:
            await service.stopping.wait()
            faulthandler.dump_traceback_later(settings.drain_s + FORCED_S, exit=True)

        service.spawn(ends_in_time(), "ends-in-time")
        service.spawn(skipping.watch(service), "unreadable-records")
        service.spawn(progress.watch(service), "consumer-progress")
        return await service.run(app)

    try:
        status = uvloop.run(main())
    except OSError as error:
        sys.stderr.write(f"{name}: {error.strerror or error} (MAILROOM_HEALTH_PORT={settings.health_port})\n")
        status = 1
    raise SystemExit(status)
