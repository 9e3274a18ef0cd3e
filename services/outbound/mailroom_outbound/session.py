"""A signed-in SMTP session for sending mail after mail, with command pipelining (RFC 2920).

aiosmtplib connects, starts TLS and signs in; for the transactions this protocol takes its transport over, because
aiosmtplib waits for each answer before the next command: four round trips a mail, where two are enough.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from .replies import Reply

LONGEST_REPLY = 64 * 1024
ANSWER_S = 300.0
RESET_S = 30.0
PIECE = 64 * 1024  # of a mail: so much is on its way at once, and must have left before more is sent


class ConnectionBroken(ConnectionError):
    """The server hung up, did not answer in time, or spoke something that is not SMTP."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait, in seconds: at least as long as RFC 5321 section 4.5.3.2 says, or a slow server gets a mail twice.

    `answer`: for MAIL and RCPT (4.5.3.2.2, 4.5.3.2.3); `data` for DATA (4.5.3.2.4); `piece` for the next piece of the
    mail to leave (4.5.3.2.5), however long the whole takes; `final` for the answer to the dot (4.5.3.2.6).
    """

    answer: float = ANSWER_S
    data: float = 120.0
    piece: float = 180.0
    final: float = 600.0


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
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._lost = False
        transport.set_write_buffer_limits(high=PIECE, low=PIECE // 4)

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

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of the server's is unread: the next answer will be to the next command."""
        return not (self._replies or self._lines or self._buffer)

    def write(self, data: bytes) -> None:
        """Send. Raises `ConnectionBroken`."""
        if not self.is_connected:
            raise ConnectionBroken("The server closed the connection.")
        self._transport.write(data)

    async def upload(self, data: bytes, *, within_s: float) -> None:
        """Send much, piece by piece. Raises `ConnectionBroken`, also when no piece leaves for `within_s`."""
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self.write(bytes(view[start : start + PIECE]))
            try:
                async with asyncio.timeout(within_s):
                    await self._may_write.wait()
            except TimeoutError:
                self.close()
                raise ConnectionBroken(f"The server took nothing for {within_s:g} s.") from None

    async def reply(self, within_s: float = ANSWER_S) -> Reply:
        """The next answer. Raises `ConnectionBroken`, also when none comes within that time."""
        try:
            async with asyncio.timeout(within_s):
                while not self._replies:
                    if self._lost:
                        raise ConnectionBroken("The server closed the connection.")
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        except TimeoutError:
            self.close()  # should the answer come yet, it would be taken for that to the next command
            raise ConnectionBroken(f"The server did not answer within {within_s:g} s.") from None
        return self._replies.popleft()

    async def command(self, line: bytes, within_s: float = ANSWER_S) -> Reply:
        """Send one command and wait for its answer."""
        self.write(line + b"\r\n")
        return await self.reply(within_s)

    async def reset(self) -> None:
        """Clear the envelope; a server that does not even do that is left."""
        if not self.is_connected:
            return
        try:
            answer = await self.command(b"RSET", RESET_S)
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

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

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
        self._may_write.set()
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
