"""The frame of every service: settings, logs, health, signals, and a shutdown in two stages.

Stage one (SIGTERM or SIGINT): `stopping` is set, the app takes nothing new and finishes what it has.
Stage two (`drain_s` later, or a second signal): what still runs is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from .health import Health
from .logs import get_logger
from .settings import ServiceSettings
from .tasks import died, end

S = TypeVar("S", bound=ServiceSettings)
log = get_logger()


class Stopped(RuntimeError):
    """The service cannot go on; the message says why and what to do, for people."""


class Service(Generic[S]):
    """What an app gets: its settings, its health, and when to stop."""

    def __init__(self, name: str, settings: S) -> None:
        self.name = name
        self.settings = settings
        self.health = Health(name)
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._failed = ""  # name of the task that ended by it

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` beside the app. When it fails, the service stops and says so."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._died(task.get_name(), error)

    def _died(self, name: str, error: BaseException) -> None:
        if self._failure is None:
            self._failure, self._failed = error, name
            self.stopping.set()

    async def run(self, app: Callable[[Service[S]], Awaitable[None]]) -> int:
        """Run `app` until it ends or is stopped. Returns the exit status."""
        loop = asyncio.get_running_loop()
        died.set(self._died)
        await self.health.serve(self.settings.health_host, self.settings.health_port)
        main: asyncio.Task[None] = asyncio.ensure_future(app(self))

        def ask_to_stop() -> None:
            if self.stopping.is_set():
                main.cancel()
            else:
                log.info("service.stopping")
                self.stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask_to_stop)
        loop.add_signal_handler(signal.SIGUSR1, show_tasks)
        log.info("service.started", health_port=self.settings.health_port)
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({main, stop}, return_when=asyncio.FIRST_COMPLETED)
            self.stopping.set()
            if not main.done():
                await asyncio.wait({main}, timeout=self.settings.drain_s)
            if not main.done():
                log.warning("service.drain_timed_out", after_s=self.settings.drain_s)
                show_tasks()
                await end(main)
            with contextlib.suppress(asyncio.CancelledError):
                await main
        except Stopped as error:
            self._failure = error
        except Exception as error:
            log.error("task.died", task="app", exc_info=error)
            self._failure, self._failed = self._failure or error, self._failed or "app"
        finally:
            stop.cancel()
            await end(*self._tasks)
            await self.health.close()
        status = 0 if self._failure is None else 1
        log.info("service.stopped", status=status)
        if isinstance(self._failure, Stopped):
            log.error("service.failed", reason=str(self._failure))
        elif self._failure is not None:
            reason = f"{type(self._failure).__name__}: {self._failure}"
            log.error("service.failed", reason=reason, task=self._failed, exc_info=self._failure)
        return status


def show_tasks() -> None:
    """Log where every task waits: what a service that seems to hang is asked with `kill -USR1`."""
    for task in asyncio.all_tasks():
        where: list[str] = []
        waiting: Any = task.get_coro()
        while (frame := getattr(waiting, "cr_frame", None)) is not None:
            where.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
            waiting = waiting.cr_await
        log.warning("task.waits", task=task.get_name(), where=where)
