"""A signed-in SMTP session for sending mail after mail, with command pipelining (RFC 2920).

aiosmtplib connects, starts TLS and signs in; for the transactions this protocol takes its transport over, because
aiosmtplib waits for each answer before the next command: four round trips a mail, where two are enough.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import cast

import aiosmtplib

from .replies import Reply

LONGEST_REPLY = 64 * 1024


class ConnectionBroken(ConnectionError):
    """The server hung up, or spoke something that is not SMTP."""


class Session(asyncio.Protocol):
    """One connection, one transaction at a time. `extensions`: keywords of EHLO in lower case."""

    def __init__(self, transport: asyncio.Transport, extensions: frozenset[str]) -> None:
        self.extensions = extensions
        self.mails = 0  # transactions begun on it
        self._transport = transport
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False

    @classmethod
    def over(cls, client: aiosmtplib.SMTP) -> Session:
        """Take over a connection on which aiosmtplib waits for nothing. Raises `ConnectionBroken`."""
        transport = client.transport
        if transport is None or transport.is_closing():
            raise ConnectionBroken("The connection was lost after the login.")
        session = cls(cast(asyncio.Transport, transport), frozenset(name.lower() for name in client.esmtp_extensions))
        transport.set_protocol(session)
        return session

    @property
    def is_connected(self) -> bool:
        return not self._lost and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send. Raises `ConnectionBroken`."""
        if not self.is_connected:
            raise ConnectionBroken("The server closed the connection.")
        self._transport.write(data)

    async def reply(self) -> Reply:
        """The next answer. Raises `ConnectionBroken`."""
        while not self._replies:
            if self._lost:
                raise ConnectionBroken("The server closed the connection.")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._replies.popleft()

    async def command(self, line: bytes) -> Reply:
        """Send one command and wait for its answer."""
        self.write(line + b"\r\n")
        return await self.reply()

    async def reset(self) -> None:
        """Clear the envelope; a server that does not even do that is left."""
        if not self.is_connected:
            return
        try:
            answer = await self.command(b"RSET")
        except ConnectionBroken:
            return
        if answer.code != 250:
            self.close()

    async def leave(self, within_s: float = 2.0) -> None:
        """Say goodbye, and close."""
        with contextlib.suppress(TimeoutError, ConnectionBroken):
            async with asyncio.timeout(within_s):
                await self.command(b"QUIT")
        self.close()

    def close(self) -> None:
        """Close at once; what was not sent yet is thrown away."""
        self._lost = True
        self._transport.abort()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > LONGEST_REPLY or len(self._lines) > 1000:
            self.close()
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._line(line)
        if (self._replies or self._lost) and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _line(self, line: bytes) -> None:
        if not line[:3].isdigit():
            self.close()
            return
        self._lines.append(line[4:])
        if line[3:4] != b"-":
            text = b"\n".join(self._lines).decode("utf-8", "replace")
            self._replies.append(Reply(int(line[:3]), text))
            self._lines.clear()
