"""Bench `outbound_smtp`: mails a second through one real outbound process to smtp-sink, against bare aiosmtplib.

The same sink, the same number of connections (an account's default) and the same size of mail, turn about. Ours reads
orders from Kafka, keeps each mail's way in the lanes topic (queued, attempting, done), composes, sends, and reports; the
reference sends one ready-made mail again and again, on asyncio's own loop as aiosmtplib's documentation does it, and for
comparison on uvloop, which ours uses. `run(rounds)` returns the figures.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy/local")]

from mailroom_contracts import topics
from support.outgoing import installation, order_of
from support.processes import REPOSITORY, Process, ServiceProcess, free_port, port_open
from support.servers import KafkaServer, ValkeyServer
from support.waiting import wait_until

ABOUT = "orders to mails at smtp-sink through one outbound process, against bare aiosmtplib with as many connections"
TARGET = 0.6
MINUTES = 6.0
SINK = "/usr/sbin/smtp-sink"
SIZE = 2_000
CONNECTIONS = 2
COUNT = 4_000


async def ours(bootstrap: str, redis: str, folder: Path, port: int, count: int, connections: int) -> float:
    """Mails a second, from the first sent to the last, with all orders waiting already."""
    prefix = f"b{secrets.token_hex(4)}"
    text = "This is a line of a mail that somebody wrote.\n" * (SIZE // 46)
    async with installation(bootstrap, redis, prefix, str(folder / prefix), 4) as office:
        office.env |= {
            "MAILROOM_RELAY_URL": f"smtp://127.0.0.1:{port}",
            "MAILROOM_RELAY_CONNECTIONS": str(connections),
            "MAILROOM_LOG_LEVEL": "warning",
        }
        await office.address("support")
        acks = [
            await office.producer.post(
                topics.EMAIL_OUTBOUND, order_of(i, "support", "jo@c.example", kind="auto_reply", text=text)
            )
            for i in range(count)
        ]
        await asyncio.gather(*acks)
        process = ServiceProcess("outbound", office.env, folder / f"{prefix}.log")
        process.launch()
        try:
            return await asyncio.to_thread(_rate, process, count)
        finally:
            process.kill()


def _rate(process: ServiceProcess, count: int) -> float:
    first: tuple[float, float] | None = None
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.running, process.tail()
        sent = _sent(process)
        now = time.monotonic()
        # the first tenth warms up: connections, imports, the joining of consumer groups
        if first is None and sent >= count / 10:
            first = (now, sent)
        if sent >= count and first is not None:
            return (sent - first[1]) / (now - first[0])
        time.sleep(0.25)
    raise TimeoutError(f"{_sent(process)} of {count}: {process.tail()}")


def _sent(process: ServiceProcess) -> float:
    _, body = process.get("/metrics")
    found = re.search(r'^mailroom_outbound_reports_total\{[^}]*state="sent"[^}]*\} ([0-9.e+]+)', body, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def bare(port: int, count: int, connections: int) -> tuple[float, float]:
    """The reference, in a process of its own: with asyncio's loop, with uvloop."""
    command = [
        sys.executable,
        str(REPOSITORY / "tests/bench/bare_aiosmtplib.py"),
        *map(str, (port, count, connections, SIZE)),
    ]
    plain, uv = subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout.split()
    return float(plain), float(uv)


def run(rounds: int) -> dict[str, Any]:
    """Medians of so many rounds."""
    connections = int(os.environ.get("CONNECTIONS") or CONNECTIONS)
    with tempfile.TemporaryDirectory(prefix="outbound-bench-") as name:
        folder = Path(name)
        given = os.environ.get("MAILROOM_TEST_KAFKA")
        kafka = None if given else KafkaServer(folder / "kafka").start()
        valkey = ValkeyServer(folder / "valkey").start()
        port = free_port()
        sink = Process([SINK, "-u", "nobody", f"127.0.0.1:{port}", "1000"], folder / "sink.log")
        sink.launch()
        wait_until(lambda: port_open(port), what="smtp-sink")
        mine: list[float] = []
        theirs: list[tuple[float, float]] = []
        try:
            for _ in range(rounds):
                theirs.append(bare(port, COUNT * 2, connections))
                bootstrap = given or (kafka.bootstrap if kafka else "")
                mine.append(asyncio.run(ours(bootstrap, valkey.url, folder, port, COUNT, connections)))
        finally:
            sink.kill()
            valkey.kill()
            if kafka is not None:
                kafka.kill()
    ratios = [a / plain for a, (plain, _) in zip(mine, theirs, strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "ours": statistics.median(mine),
        "reference": statistics.median(plain for plain, _ in theirs),
        "reference_with_uvloop": statistics.median(uv for _, uv in theirs),
        "unit": "mails/s",
        "connections": connections,
        "command": "PYTHONPATH=tests:deploy/local .venv/bin/python tests/bench/outbound_smtp.py",
    }


if __name__ == "__main__":
    print(run(int(os.environ.get("ROUNDS") or 1)))
