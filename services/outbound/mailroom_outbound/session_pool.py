"""Open sessions of one account, used again from mail to mail; never more than the account allows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from mailroom_runtime.smtp.trouble import SmtpTrouble

from .session import Session

IDLE_S = 20.0  # servers close idle sessions after minutes (RFC 5321 section 4.5.3.2); be earlier than all of them
MAILS_PER_SESSION = 100  # many servers allow a few hundred


class SessionPool:
    """`open_session` connects and signs in; its errors come through unchanged."""

    def __init__(self, open_session: Callable[[], Awaitable[Session]], size: int) -> None:
        self._open, self._free = open_session, asyncio.Semaphore(size)
        self._idle: list[tuple[Session, float, int]] = []
        self._opening = asyncio.Lock()
        self._refusals: list[SmtpTrouble] = []
        self._closed = False

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session that is ours alone for a while. After an exception or a broken transaction it is not used again."""
        async with self._free:
            client, used = self._take() or (await self._opened(), 0)
            try:
                yield client
            except BaseException:
                client.close()
                raise
            if not client.is_connected:
                return
            if not client.is_quiet:
                # what is unread would be taken for the answer to the next mail
                client.close()
                return
            if self._closed or used + 1 >= MAILS_PER_SESSION:
                await client.leave()
            else:
                self._idle.append((client, time.monotonic(), used + 1))

    async def _opened(self) -> Session:
        """One login at a time: what is refused to one is refused to all who wait, so that a wrong password is tried once."""
        before = len(self._refusals)
        async with self._opening:
            if len(self._refusals) > before:
                raise self._refusals[-1]
            try:
                return await self._open()
            except SmtpTrouble as trouble:
                if not trouble.temporary:
                    self._refusals.append(trouble)
                raise

    def _take(self) -> tuple[Session, int] | None:
        while self._idle:
            client, since, used = self._idle.pop()
            if client.is_connected and client.is_quiet and time.monotonic() - since < IDLE_S:
                return client, used
            client.close()
        return None

    async def close(self) -> None:
        """Leave all idle sessions; those in use are left when they are given back."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(client.leave() for client, _, _ in idle))
