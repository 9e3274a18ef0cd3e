"""What outbound is measured against: aiosmtplib alone, sending one ready-made mail again and again over connections
that stay open. `python bare_aiosmtplib.py PORT COUNT CONNECTIONS SIZE` prints mails a second with asyncio's own loop and
with uvloop."""

from __future__ import annotations

import asyncio
import sys
import time

import aiosmtplib
import uvloop


async def rate(port: int, count: int, connections: int, size: int) -> float:
    """Mails a second."""
    line = "This is a line of a mail that somebody wrote.\r\n"
    head = "From: s@acme.example\r\nTo: jo@c.example\r\nSubject: Mail\r\nMessage-ID: <m@acme.example>\r\n\r\n"
    raw = (head + line * (size // len(line))).encode()
    left = count

    async def work() -> None:
        nonlocal left
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="bench.example")
        await client.connect()
        while left > 0:
            left -= 1
            await client.sendmail("s@acme.example", ["jo@c.example"], raw)
        await client.quit()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:5]]
    sys.stdout.write(f"{asyncio.run(rate(*numbers)):.1f} {uvloop.run(rate(*numbers)):.1f}\n")
