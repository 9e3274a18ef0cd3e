"""How fast the intake takes 5 kB mails over 20 kept-open connections, beside an aiosmtpd handler that does nothing.

Each is one process and gets the same mails from the same sender (`smtp_load`), in turns, in one run; the figures are
medians. The reference is aiosmtpd as it comes, on asyncio's loop; `ratio_uvloop` compares with it on uvloop. Ours parses, stores the raw source and attachments on disk, and publishes with acks=all.
Run alone: `PYTHONPATH=tests:deploy/local python -m bench.ingest_smtp [ROUNDS] [MAILS] [MEMORY_MAILS]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import uvloop
from aiokafka import AIOKafkaProducer
from aiosmtpd.smtp import SMTP
from mailroom_contracts import Address, Portal, encode, topics
from support.processes import Process, ServiceProcess, free_port, port_open
from support.servers import kafka_or_given
from support.topics import create_topics, delete_topics, run_apart
from support.waiting import wait_until

TARGET = 0.5
MINUTES = 5.0
ABOUT = "5 kB mails taken in, stored and published, beside an aiosmtpd handler that does nothing"
COMMAND = "make bench ONLY=ingest_smtp"


class Nothing:
    """The reference: says yes and does nothing."""

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        return "250 OK"


async def _serve_nothing(port: int) -> None:
    loop = asyncio.get_running_loop()
    handler = Nothing()
    server = await loop.create_server(lambda: SMTP(handler, hostname="reference", loop=loop), "127.0.0.1", port)
    async with server:
        await asyncio.Event().wait()


async def _configure(kafka: str, prefix: str) -> None:
    await create_topics(kafka, prefix, 8)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    try:
        for topic, row in (
            (topics.PORTALS, Portal(id="p1", name="Acme", domains=["acme.example"])),
            (topics.ADDRESSES, Address(id="a1", portal_id="p1", kind="internal", email="support@acme.example", queue_id="q1")),
        ):  # fmt: skip
            record = encode(topic, row, source="bench")
            await producer.send_and_wait(topic.full_name(prefix), record.value, record.key, headers=record.headers)
    finally:
        await producer.stop()


def send(port: int, count: int, connections: int = 20) -> float:
    """Mails per second. Raises when a single one was refused."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.smtp_load", str(port), str(count), str(connections)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60 + count / 50,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["failed"] or answer["sent"] != count:
        raise RuntimeError(f"the load was not accepted: {answer}")
    return float(answer["per_s"])


def run(rounds: int = 5, mails: int = 3000, memory_mails: int = 100_000) -> dict[str, object]:
    """The figures; `memory_mails` 0 leaves the long memory run out."""
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as name, kafka_or_given(Path(name)) as kafka:
        folder, prefix = Path(name), f"b{secrets.token_hex(4)}"
        run_apart(_configure(kafka, prefix))
        references = {
            name: Process(
                [sys.executable, "-m", "bench.ingest_smtp", "--nothing", loop, str(free_port())],
                folder / f"{name}.log",
                {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
            for name, loop in (("reference", "asyncio"), ("reference_uvloop", "uvloop"))
        }
        ours = ServiceProcess(
            "ingest_smtp",
            {
                "MAILROOM_KAFKA": kafka,
                "MAILROOM_TOPIC_PREFIX": prefix,
                "MAILROOM_DATA": str(folder / "data"),
                "MAILROOM_BLOBS": str(folder / "blobs"),
                "MAILROOM_SMTP_PORT": str(free_port()),
                "MAILROOM_LMTP_PORT": "0",
            },
            folder / "ours.log",
        )
        try:
            for reference in references.values():
                reference.launch()
            wait_until(lambda: all(port_open(_port(reference)) for reference in references.values()), 20)
            ours.start()
            return _measured(ours, references, rounds, mails, memory_mails)
        finally:
            ours.kill()
            for reference in references.values():
                reference.kill()
            run_apart(delete_topics(kafka, prefix))


def _measured(
    ours: ServiceProcess, references: dict[str, Process], rounds: int, mails: int, memory_mails: int
) -> dict[str, object]:
    ports = {name: _port(one) for name, one in references.items()} | {"ours": int(ours.env["MAILROOM_SMTP_PORT"])}
    processes = {name: psutil.Process(one.pid) for name, one in references.items()} | {"ours": psutil.Process(ours.pid)}
    speeds: dict[str, list[float]] = {name: [] for name in ports}
    busy = dict.fromkeys(ports, 0.0)
    for port in ports.values():
        send(port, mails // 2)
    for _ in range(rounds):
        for name, process in processes.items():
            before = _cpu(process)
            speeds[name].append(send(ports[name], mails))
            busy[name] += _cpu(process) - before
    per_s = {name: statistics.median(several) for name, several in speeds.items()}
    figures: dict[str, object] = {
        "ratio": round(per_s["ours"] / per_s["reference"], 3),
        "ratio_uvloop": round(per_s["ours"] / per_s["reference_uvloop"], 3),
        **{name: round(value) for name, value in per_s.items()},
        "unit": "mails/s",
        "command": COMMAND,
        # apart from what else the machine does: the processor time that one mail takes
        **{f"cpu_us_{name}": round(seconds / rounds / mails * 1e6) for name, seconds in busy.items()},
    }
    if memory_mails:
        taken = mails // 2 + rounds * mails
        sizes: list[float] = []
        for goal in (memory_mails // 5, memory_mails):
            if goal > taken:
                send(ports["ours"], goal - taken)
                taken = goal
            sizes.append(processes["ours"].memory_info().rss / 1e6)
            figures[f"memory_mb_at_{goal}"] = round(sizes[-1], 1)
        figures["memory_ratio"] = round(sizes[1] / sizes[0], 3)
    return figures


def _port(reference: Process) -> int:
    return int(reference.command[-1])


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--nothing"]:
        run_loop = uvloop.run if sys.argv[2] == "uvloop" else asyncio.run
        run_loop(_serve_nothing(int(sys.argv[3])))
    else:
        print(json.dumps(run(*[int(argument) for argument in sys.argv[1:]])))
