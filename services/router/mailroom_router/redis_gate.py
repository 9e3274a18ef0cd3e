"""Whether Redis works, and whether the index in it is whole. Nobody waits for a Redis that is away.

One that answers but takes nothing (full, read-only since a failover, unable to save) is away too: each look writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis.asyncio
from aiokafka.errors import KafkaError
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import end, lasting
from mailroom_runtime.redis.valkey import REDIS_DOWN

from .redis_index import NAMES

log = get_logger()
T = TypeVar("T")
LOOK_EVERY_S = 0.5
LOCK_MS = 15_000
PROBE_S = 60

# The instance's run_id stands in the ready key: another instance, an emptied or a new one does not match it.
Rebuild = Callable[[], Awaitable[None]]


class RedisGate:
    """Knows `up` and `ready`; runs the rebuild, by one worker of all, when the index is not whole."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self.client = client
        self._ready_key = f"{prefix}:{NAMES}:ready"
        self._lock_key = f"{prefix}:{NAMES}:rebuilding"
        self._probe_key = f"{prefix}:{NAMES}:probe"
        self.up = False
        self.ready = False
        self._hopeless = False  # a rebuild failed, and the index was not whole since: the next one may fail too

    async def attempt(self, work: Awaitable[T], default: T) -> T:
        """The answer, or `default` when Redis is away (and from then on, until it answers again)."""
        if not self.up:
            _drop(work)
            return default
        try:
            return await work
        except REDIS_DOWN as error:
            self.down(error)
            return default

    def down(self, error: BaseException) -> None:
        """Somebody found Redis away."""
        if self.up:
            log.warning("redis.away", error=type(error).__name__, reason=str(error)[:200])
        self.up = self.ready = False

    @property
    def rebuilding(self) -> bool:
        """Whether the index will be whole soon: not while Redis is away, nor once a rebuild has failed."""
        return self.up and not self.ready and not self._hopeless

    async def wait_up(self, timeout_s: float) -> bool:
        """Whether Redis answers; at the start that is found out first."""
        end = time.monotonic() + timeout_s
        while not self.up and time.monotonic() < end:  # noqa: ASYNC110 - it is looked at twice a second
            await asyncio.sleep(0.05)
        return self.up

    async def spoil(self) -> None:
        """The index missed something: it is rebuilt."""
        self.ready = False
        await self.attempt(self.client.delete(self._ready_key), 0)

    async def watch(self, rebuild: Rebuild, on_state: Callable[[bool, bool], None]) -> None:
        """Look again and again; never ends. `on_state(up, ready)` is told after each look."""
        while True:
            try:
                await self._look(rebuild)
            except REDIS_DOWN as error:
                self.down(error)
            except KafkaError as error:
                log.warning("index.rebuild_interrupted", error=type(error).__name__)
            on_state(self.up, self.ready)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, rebuild: Rebuild) -> None:
        pipe = self.client.pipeline(transaction=False)  # one round trip, since it is made twice a second for ever
        for command in (("INFO", "server"), ("SET", self._probe_key, "1", "EX", PROBE_S), ("GET", self._ready_key)):
            pipe.execute_command(*command)
        info, _, ready_for = await pipe.execute()
        run_id = str(info.get("run_id", ""))
        if not self.up:
            log.info("redis.found", run_id=run_id)
        self.up = True
        if ready_for == run_id:
            self._set_ready(True)
            return
        self._set_ready(False)
        if not await self.client.set(self._lock_key, "1", nx=True, px=LOCK_MS):
            return  # another worker is at it
        keeper = lasting(self._keep_lock, "keep-rebuild-lock", again=True)
        started = time.monotonic()
        try:
            log.info("index.rebuild_started")
            await self._rebuild(rebuild)
            # Only when it is still the same instance does the mark mean anything, and only when our lock is still
            # there: a Redis that was emptied meanwhile has lost what was written before.
            again: dict[str, Any] = await self.client.info("server")
            if str(again.get("run_id", "")) == run_id and await self.client.exists(self._lock_key):
                await self.client.set(self._ready_key, run_id)
                self._set_ready(True)
                log.info("index.rebuilt", seconds=round(time.monotonic() - started, 2))
        finally:
            await end(keeper)
            # away: the lock ends by itself, and an error here would take the place of being cancelled
            with contextlib.suppress(*REDIS_DOWN):
                await self.client.delete(self._lock_key)

    async def _rebuild(self, rebuild: Rebuild) -> None:
        try:
            await rebuild()
        except (KafkaError, *REDIS_DOWN):
            self._hopeless = True
            raise

    async def _keep_lock(self) -> None:
        while True:
            await asyncio.sleep(LOCK_MS / 3000)
            # one that was not renewed is found gone at the end, and then the rebuild does not count
            with contextlib.suppress(*REDIS_DOWN):
                await self.client.pexpire(self._lock_key, LOCK_MS)

    def _set_ready(self, ready: bool) -> None:
        if ready:
            self._hopeless = False
        self.ready = ready


def _drop(work: Awaitable[Any]) -> None:
    """Close a coroutine that will not be awaited."""
    close = getattr(work, "close", None)
    if close is not None:
        close()
