"""Small SMTP servers for what a real one cannot be made to do: hang for ever, or count what it takes by Message-ID."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from typing import Self

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.IGNORECASE | re.MULTILINE)


class Sink:
    """Takes every mail. `hangs`: takes connections and says nothing, ever. `delay_s`: wait before each final 250."""

    def __init__(self, *, hangs: bool = False, delay_s: float = 0.0) -> None:
        self.hangs, self.delay_s = hangs, delay_s
        self.taken: Counter[str] = Counter()
        self.order: list[str] = []
        self.port = 0
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.hangs:
                await reader.read()
                return
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                await self._answer(line, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client was killed, or the test is over
        finally:
            writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            writer.write(b"250-sink\r\n250-PIPELINING\r\n250 SIZE 50000000\r\n")
        elif verb == b"DATA":
            writer.write(b"354 go on\r\n")
            raw = await reader.readuntil(b"\r\n.\r\n")
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            found = _MESSAGE_ID.search(raw)
            name = found.group(1).decode() if found else "?"
            self.taken[name] += 1
            self.order.append(name)
            writer.write(b"250 2.0.0 Ok: taken\r\n")
        elif verb == b"QUIT":
            writer.write(b"221 bye\r\n")
            writer.close()
        else:
            writer.write(b"250 ok\r\n")
        await writer.drain()
