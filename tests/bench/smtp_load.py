"""A cheap SMTP sender for benchmarks: many mails over connections kept open, as fast as the server answers.

A process of its own: `python -m bench.smtp_load PORT COUNT [CONNECTIONS]` prints one JSON object
`{sent, seconds, per_s, failed}`. Each is an ordinary mail of about 5 kB with a Message-ID of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop
from bench.ordinary_mails import ordinary_mails

_MESSAGE_ID = re.compile(rb"(?im)^Message-ID:[^\r]*\r\n")


class Load:
    """What all connections share: the mails, how many are left, and what was refused."""

    def __init__(self, count: int, run: str) -> None:
        self.left = count
        self.done = 0
        self.failed: list[str] = []
        self._run = run.encode()
        self._number = 0
        self._parts: list[tuple[bytes, bytes]] = []
        for raw in [raw for several in ordinary_mails().values() for raw in several]:
            head, _, body = _MESSAGE_ID.sub(b"", raw).partition(b"\r\n\r\n")
            end = b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"
            self._parts.append((head + b"\r\nMessage-ID: <", b"\r\n\r\n" + body.replace(b"\r\n.", b"\r\n..") + end))

    def mail(self) -> bytes:
        """The next mail with its final dot."""
        self._number += 1
        head, body = self._parts[self._number % len(self._parts)]
        return b"%s%s.%d@load.example>%s" % (head, self._run, self._number, body)


class Sender(asyncio.Protocol):
    """One connection: the next thing as soon as the server has answered the last."""

    _NEXT = {"mail": b"RCPT TO:<support@acme.example>\r\n", "rcpt": b"DATA\r\n"}  # noqa: RUF012
    _AFTER = {"mail": "rcpt", "rcpt": "data"}  # noqa: RUF012

    def __init__(self, load: Load) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._state = "greeting"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are none of asyncio's classes

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def data_received(self, data: bytes) -> None:
        last = data[:-2].rpartition(b"\n")[2]
        if last[3:4] == b"-":  # more lines of the same reply follow
            return
        state = self._state
        if last[:1] not in b"23":
            self._load.failed.append(f"{state}: {last.decode()}")
            self._transport.close()
        elif state == "greeting":
            self._say(b"EHLO load.example\r\n", "idle")
        elif state in ("idle", "content"):
            self._load.done += state == "content"
            if self._load.left <= 0:
                self._transport.close()
                return
            self._load.left -= 1
            self._say(b"MAIL FROM:<jo@customer.example>\r\n", "mail")
        elif state == "data":
            self._say(self._load.mail(), "content")
        else:
            self._say(self._NEXT[state], self._AFTER[state])

    def _say(self, data: bytes, state: str) -> None:
        self._state = state
        self._transport.write(data)


async def send(port: int, count: int, connections: int) -> dict[str, object]:
    """Send `count` mails; what came of it."""
    loop = asyncio.get_running_loop()
    load = Load(count, f"{time.time_ns():x}")
    began = time.perf_counter()
    made = [await loop.create_connection(lambda: Sender(load), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.gather(*(sender.over for _, sender in made))
    seconds = time.perf_counter() - began
    return {"sent": load.done, "seconds": seconds, "per_s": load.done / seconds, "failed": load.failed[:5]}


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]] + [20]
    print(json.dumps(uvloop.run(send(*numbers[:3]))))
