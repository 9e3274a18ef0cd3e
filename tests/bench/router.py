"""Bench `router`: mails a second through the real router (mail to committed ticket event), against a bare faust app.

The same mails, the same broker, the same two hops, partitions and machine, turn about; only the ratio means much.
The router decides, threads, chooses agents, writes states, events and an index, in transactions; the bare app does
JSON in, a count, JSON out. `run(rounds)` returns the figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy/local")]

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from mailroom_contracts import header, topics
from support.processes import REPOSITORY, Process, ServiceProcess
from support.router_world import World, mail
from support.servers import KafkaServer, ValkeyServer
from support.topics import delete_topics

ABOUT = "mail to ticket events through the real router, against a bare faust app with the same two hops"
TARGET = 0.6
MINUTES = 6.0
TEXT = "Where is my order? I have waited for it since Monday, and nobody answers the telephone. " * 25


async def _count(bootstrap: str, name: str, wanted: int, *, kind: str | None = None, timeout: float = 180) -> float:
    """Seconds until `wanted` committed records (of that ce_type) lie on the topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed", max_partition_fetch_bytes=8 << 20,
    )  # fmt: skip
    await consumer.start()
    started = time.monotonic()
    seen = 0
    try:
        while not (parts := (await consumer._client.fetch_all_metadata()).partitions_for_topic(name)):
            await asyncio.sleep(0.1)
        tps = [TopicPartition(name, p) for p in parts]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        while seen < wanted:
            if time.monotonic() - started > timeout:
                raise TimeoutError(f"{seen} of {wanted} on {name} after {timeout} s")
            for records in (await consumer.getmany(timeout_ms=200)).values():
                seen += sum(1 for r in records if kind is None or header(r.headers, "ce_type") == kind)
    finally:
        await consumer.stop()
    return time.monotonic() - started


async def router_rate(bootstrap: str, redis: str, folder: Path, count: int, *, partitions: int = 4) -> dict[str, float]:
    """Mails a second with everything waiting already, then the latency at 100 mails a second."""
    prefix = f"b{secrets.token_hex(4)}"
    world = await World(bootstrap, redis, prefix, folder, partitions).begin()
    process = ServiceProcess("router", world.env(), folder / "router.log")
    try:
        mails = [mail(i, sender=f"c{i}@customer.example", text=TEXT) for i in range(count)]
        warm = [mail(f"w{i}", sender=f"w{i}@customer.example", text=TEXT) for i in range(200)]
        events = topics.TICKET_EVENTS.full_name(prefix)
        process.launch()
        await asyncio.to_thread(process.wait_ready, 60)
        await world.put(*warm)
        await _count(bootstrap, events, len(warm), kind="ticket.created")
        # the clock runs from the first mail put to the last event committed, with the producing in it
        started = time.monotonic()
        await world.put(*mails)
        await _count(bootstrap, events, len(warm) + count, kind="ticket.created")
        rate = count / (time.monotonic() - started)
        return {"rate": rate, **await _latency(world, events)}
    finally:
        process.kill()
        await world.end()
        await delete_topics(bootstrap, prefix)


async def _latency(world: World, events: str, seconds: float = 5.0, rate: int = 100) -> dict[str, float]:
    """From the put of a mail to its committed ticket.created, at a steady rate."""
    put: dict[str, float] = {}
    took: list[float] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=world.settings.kafka, enable_auto_commit=False, isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )  # fmt: skip
    await consumer.start()
    tps = [TopicPartition(events, p) for p in range(world.settings.partitions)]
    consumer.assign(tps)
    await consumer.seek_to_end(*tps)
    count = int(seconds * rate)

    async def send() -> None:
        begun = time.monotonic()
        for i in range(count):
            received = mail(f"l{i}", sender=f"l{i}@customer.example", text=TEXT)
            put[received.id] = time.monotonic()
            await world.producer.post(topics.EMAIL_RECEIVED, received)
            await asyncio.sleep(max(0.0, begun + (i + 1) / rate - time.monotonic()))

    sending = asyncio.create_task(send())
    end = time.monotonic() + seconds + 30
    try:
        while len(took) < count and time.monotonic() < end:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now = time.monotonic()
                for record in records:
                    if header(record.headers, "ce_type") == "ticket.created":
                        cause = header(record.headers, "ce_causationid") or ""
                        took.append(now - put[cause])
    finally:
        await sending
        await consumer.stop()
    ordered = sorted(took)
    return {"p50_ms": statistics.median(ordered) * 1000, "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000}


async def faust_rate(bootstrap: str, folder: Path, count: int, *, partitions: int = 4) -> float:
    """The bare app's mails a second, measured the same way."""
    prefix = f"b{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(f"{prefix}.{n}", partitions, 1) for n in ("in", "mid", "out")])
    await admin.close()
    process = Process(
        [sys.executable, str(REPOSITORY / "tests/bench/bare_faust.py"), bootstrap, prefix], folder / "faust.log"
    )
    from mailroom_runtime.bus.kafka import Producer
    from mailroom_runtime.process.settings import ServiceSettings

    producer = Producer(ServiceSettings(kafka=bootstrap, topic_prefix=prefix), source="bench")
    await producer.start()

    async def put(name: str, number: int) -> None:
        acks = []
        for i in range(number):
            received = mail(f"{name}{i}", sender=f"{name}{i}@customer.example", text=TEXT)
            value = received.model_dump_json(by_alias=True, exclude_none=True).encode()
            acks.append(
                await producer.post_raw(f"{prefix}.in", key=received.record_key.encode(), value=value, headers=[])
            )
        await asyncio.gather(*acks)

    try:
        process.launch()
        await put("w", 200)
        await _count(bootstrap, f"{prefix}.out", 200)
        started = time.monotonic()
        await put("m", count)
        await _count(bootstrap, f"{prefix}.out", 200 + count)
        return count / (time.monotonic() - started)
    finally:
        process.kill()
        await producer.close()
        await delete_topics(bootstrap, prefix)


def run(rounds: int = 3, count: int = 4_000) -> dict[str, Any]:
    """Both, turn about; the ratio of the medians is what counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = os.environ.get("MAILROOM_TEST_KAFKA")
        broker = None if given else KafkaServer(folder / "kafka", heap_mb=640).start()
        valkey = ValkeyServer(folder / "valkey").start()
        bootstrap = given or (broker.bootstrap if broker else "")
        ours: list[dict[str, float]] = []
        bare: list[float] = []
        try:
            for number in range(rounds):
                bare.append(asyncio.run(faust_rate(bootstrap, folder, count)))
                ours.append(asyncio.run(router_rate(bootstrap, valkey.url, folder / str(number), count)))
        finally:
            valkey.kill()
            if broker is not None:
                broker.kill()
    rate, reference = statistics.median(r["rate"] for r in ours), statistics.median(bare)
    return {
        "unit": "mails/s",
        "ours": round(rate, 1),
        "reference": round(reference, 1),
        "ratio": round(rate / reference, 3),
        "command": "PYTHONPATH=tests:deploy/local .venv/bin/python tests/bench/router.py 3 4000",
        "p50_ms": round(statistics.median(r["p50_ms"] for r in ours), 1),
        "p99_ms": round(statistics.median(r["p99_ms"] for r in ours), 1),
        "rounds": {"router": [round(r["rate"], 1) for r in ours], "bare_faust": [round(b, 1) for b in bare]},
    }


if __name__ == "__main__":
    print(
        json.dumps(
            run(int(sys.argv[1]) if len(sys.argv) > 1 else 1, int(sys.argv[2]) if len(sys.argv) > 2 else 4000), indent=1
        )
    )
