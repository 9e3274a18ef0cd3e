"""A console on SQLite is the only one: a second copy, with a database of its own, would answer every other request.

Two things say so. A lock on the file keeps a second process from the same database; a lease in Redis keeps a console
with another database away. Without Redis the lock alone counts until Redis is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

import redis.asyncio
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.redis.valkey import REDIS_DOWN

log = get_logger()
LEASE_S = 15.0
_TAKE = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1
"""
_GIVE_BACK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class SecondCopy(Exception):
    """Another console works, on SQLite too; the text says what to do."""


class OnlyCopy:
    """Holds the place of the one console, from `take` to `give_back`; `hold` renews it."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, database: str, *, lease_s: float = LEASE_S) -> None:
        """`database`: path of the SQLite file; empty for one in memory."""
        self._client, self._key, self._path = client, f"{prefix}:console:sqlite", database
        self._lease_s = lease_s
        self._lock: IO[str] | None = None
        self._id = ""

    async def take(self) -> None:
        """Take the place. The lease of a copy that was killed is waited for. Raises `SecondCopy`."""
        self._id = secrets.token_hex(16)
        if self._path:
            self._lock_file()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._lease_s + 1
        while not await self._renewed():
            if loop.time() >= until:
                raise SecondCopy(
                    "another console on SQLite works here already; several copies need one PostgreSQL (MAILROOM_DATABASE)"
                )
            await asyncio.sleep(self._lease_s / 15)

    async def hold(self) -> None:
        """Renew the place until cancelled. Raises `SecondCopy` when another console took it meanwhile."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if not await self._renewed():
                raise SecondCopy("another console on SQLite took this one's place; several copies need one PostgreSQL")

    async def give_back(self) -> None:
        """Leave the place to whoever comes next."""
        with contextlib.suppress(*REDIS_DOWN):  # the lease runs out by itself
            await self._client.eval(_GIVE_BACK, 1, self._key, self._id)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _renewed(self) -> bool:
        try:
            return bool(await self._client.eval(_TAKE, 1, self._key, self._id, int(self._lease_s * 1000)))
        except REDIS_DOWN as error:
            log.warning("console.only_copy_unknown", error=type(error).__name__)
            return True

    def _lock_file(self) -> None:
        """Lock the database, and keep the same id over restarts: a restart waits for nobody."""
        path = Path(f"{self._path}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise SecondCopy(f"another console has {self._path} open; several copies need one PostgreSQL") from None
        if known := self._lock.read().strip():
            self._id = known
        else:
            self._lock.write(self._id)
            self._lock.flush()
