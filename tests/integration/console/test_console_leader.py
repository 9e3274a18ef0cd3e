"""One copy of the console leads at a time, and another one soon after its machine vanished: on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine
from typing import Any

from mailroom_console.storage.database import Database
from mailroom_console.storage.leadership import Leadership
from mailroom_runtime.process.tasks import end
from sqlalchemy import text
from support.silent_proxy import SilentProxy
from support.waiting import eventually

from .postgres import Postgres

SOON_S = 30.0


class Copy:
    """A copy of the console, and when it led."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.began = self.ended = float("inf")
        self.task = asyncio.create_task(Leadership(self.database).lead(self._before, self._work))

    async def _before(self) -> None:
        pass

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        return [self._lead(), self._ask()]

    async def _lead(self) -> None:
        self.began = time.monotonic()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = time.monotonic()

    async def _ask(self) -> None:
        """What else it does waits for the database, too."""
        while True:
            async with self.database.write() as connection:
                await connection.execute(text("SELECT pg_sleep(0.05)"))

    async def stop(self) -> None:
        await end(self.task)
        await self.database.close()


async def test_another_copy_leads_soon_after_the_leader_fell_silent(postgres: Postgres) -> None:
    """Its connections stay open and nothing comes through them; it has ended its own work by then."""
    url = postgres.url(f"silent{secrets.token_hex(4)}")
    port = int(url.rpartition(":")[2].partition("/")[0])
    async with SilentProxy(port) as way:
        first = Copy(url.replace(f":{port}/", f":{way.port}/"))
        await eventually(lambda: first.began < float("inf"), 20, what="the first copy leading")
        second = Copy(url)
        try:
            way.falls_silent()
            silent_at = time.monotonic()
            await eventually(lambda: second.began < float("inf"), SOON_S, what="the second copy leading")
            print(f"ended after {first.ended - silent_at:.1f} s, the next began after {second.began - silent_at:.1f} s")
            assert first.ended < second.began
        finally:
            await asyncio.wait_for(asyncio.gather(first.stop(), second.stop()), 20)


async def test_a_copy_that_is_told_to_end_is_followed_at_once(postgres: Postgres) -> None:
    url = postgres.url(f"ended{secrets.token_hex(4)}")
    first = Copy(url)
    await eventually(lambda: first.began < float("inf"), 20, what="the first copy leading")
    second = Copy(url)
    try:
        await first.stop()
        await eventually(lambda: second.began < float("inf"), 10, what="the second copy leading")
        assert first.ended < second.began
    finally:
        await second.stop()
