"""Sends the mails of a file over SMTP connections kept open, as fast as the server answers, or at a steady rate.

A process of its own: `python -m bench.smtp_file PORT FILE [CONNECTIONS] [RATE]`. The file holds JSON lines (sender,
raw in base64). It prints one JSON object: sent, failed, seconds, `began_at`, and with a rate `answered` and `receipts`:
for each mail the moment of its 250 (seconds since the epoch) and the receipt id in it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, cast

import uvloop

Ready = tuple[int, bytes, bytes]  # number, the commands before the mail, the mail with its dot


class Work:
    """What all connections share."""

    def __init__(self, file: Path) -> None:
        self.ready: deque[Ready] = deque()
        self.waiting: deque[Ready] = deque()  # not due yet
        self.idle: list[Connection] = []
        self.answered: dict[int, tuple[float, str]] = {}  # when, and the receipt id
        self.failed: list[str] = []
        with file.open("rb") as lines:
            for number, line in enumerate(lines):
                sender, raw = json.loads(line)
                start = f"MAIL FROM:<{sender}>\r\nRCPT TO:<support@acme.example>\r\nDATA\r\n".encode()
                content = base64.b64decode(raw).replace(b"\r\n.", b"\r\n..")
                self.waiting.append((number, start, content + b".\r\n"))
        self.count = len(self.waiting)
        self.over = asyncio.Event()

    def due(self, number: int) -> None:
        """So many more may go out."""
        for _ in range(min(number, len(self.waiting))):
            self.ready.append(self.waiting.popleft())
        while self.ready and self.idle:
            self.idle.pop().next()

    def done(self, number: int, answer: str) -> None:
        """An answer came to a mail."""
        self.answered[number] = (time.time(), answer.rpartition(" ")[2])
        if answer[:1] != "2":
            self.failed.append(answer)
        if len(self.answered) == self.count:
            self.over.set()


class Connection(asyncio.Protocol):
    """One connection with pipelined commands: two round trips for a mail."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._now: Ready | None = None
        self._expect: deque[str] = deque(["greeting"])
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self._answer(self._expect.popleft(), line)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._work.over.is_set():
            self._work.failed.append(f"connection lost: {error}")
            self._work.over.set()

    def _answer(self, step: str, line: bytes) -> None:
        good = line[:1] in b"23"
        if step == "greeting":
            self._expect.append("hello")
            self._transport.write(b"EHLO load.example\r\n")
        elif step == "hello":
            self.next()
        elif step == "data" and good:
            assert self._now is not None
            self._expect.append("content")
            self._transport.write(self._now[2])
        elif step == "content" or not good:
            assert self._now is not None
            if step in ("content", "data"):
                self._work.done(self._now[0], line.decode("utf-8", "replace"))
                self.next()

    def next(self) -> None:
        """The next mail, or wait for one."""
        if not self._work.ready:
            self._work.idle.append(self)
            return
        self._now = self._work.ready.popleft()
        self._expect.extend(("mail", "rcpt", "data"))
        self._transport.write(self._now[1])


async def send(port: int, file: Path, connections: int, rate: float) -> dict[str, Any]:
    """Send them all. `rate` 0: as fast as the server answers."""
    work = Work(file)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(work), "127.0.0.1", port)
    began, began_at = time.perf_counter(), time.time()
    given = 0
    if rate:
        while given < work.count:
            due = int((time.perf_counter() - began) * rate) + 1
            work.due(due - given)
            given = max(given, due)
            await asyncio.sleep(0.002)
    else:
        work.due(work.count)
    await work.over.wait()
    result: dict[str, Any] = {
        "sent": len(work.answered), "failed": work.failed[:5], "seconds": time.perf_counter() - began,
        "began_at": began_at,
    }  # fmt: skip
    if rate:
        answers = [work.answered[number] for number in sorted(work.answered)]
        result["answered"] = [at for at, _ in answers]
        result["receipts"] = [receipt for _, receipt in answers]
    return result


if __name__ == "__main__":
    port, mails, *rest = sys.argv[1:]
    connections, rate = int(rest[0]) if rest else 20, float(rest[1]) if rest[1:] else 0.0
    print(json.dumps(uvloop.run(send(int(port), Path(mails), connections, rate))))
