"""The reference of the bench `router`: a bare faust-streaming app with the same two hops and nothing else.

`python tests/bench/bare_faust.py BOOTSTRAP PREFIX [FOLDER]` (or BOOTSTRAP --joining): reads PREFIX.in as JSON, writes it to PREFIX.mid keyed by
ticket; a second agent reads that, counts the ticket's version in a table, and writes one event to PREFIX.out. With
FOLDER the table lies in RocksDB there, as a router that must survive a restart would need it.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import faust
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


def build(bootstrap: str, prefix: str, partitions: int, *, folder: str | None = None) -> Any:
    """The app; start it with `await app.start()`."""
    app = faust.App(
        f"{prefix}.bare",
        broker=f"kafka://{bootstrap}",
        autodiscover=False,
        web_enabled=False,
        datadir=folder or f"/tmp/{prefix}-bare",
        store="memory://" if folder is None else "rocksdb://",
        topic_disable_leader=True,
        topic_partitions=partitions,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        broker_max_poll_records=1_000,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=1.0,
        consumer_auto_offset_reset="earliest",
        producer_linger=0.005,
        worker_redirect_stdouts=False,
        loghandlers=[],
    )
    raw: dict[str, Any] = {
        "key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw",
    }  # fmt: skip
    received = app.topic(f"{prefix}.in", **raw)
    routed = app.topic(f"{prefix}.mid", **raw)
    events = app.topic(f"{prefix}.out", **raw)
    versions = app.Table(f"{prefix}.versions", default=int, partitions=partitions)

    @app.agent(received, name=f"{prefix}.place")
    async def place(stream: Any) -> None:
        async for value in stream:
            mail = orjson.loads(value)
            await routed.send(key=mail["identity"].encode(), value=orjson.dumps({"ticket": mail["identity"], **mail}))

    @app.agent(routed, name=f"{prefix}.tickets")
    async def tickets(stream: Any) -> None:
        async for value in stream:
            mail = orjson.loads(value)
            ticket = mail["ticket"]
            version = versions[ticket] + 1
            versions[ticket] = version
            await events.send(key=ticket.encode(), value=orjson.dumps({"version": version, **mail}))

    return app


async def joining(bootstrap: str, folder: Path, *, joins: int = 4, rate: int = 80) -> dict[str, int]:
    """What the bare app loses and repeats when a second worker joins, is killed -9 and joins again, under load."""
    prefix = f"b{secrets.token_hex(4)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(f"{prefix}.{n}", 4, 1) for n in ("in", "mid", "out")])
    workers: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        where = str(folder / f"worker-{len(workers)}")
        workers.append(subprocess.Popen([sys.executable, __file__, bootstrap, prefix, where]))
        return workers[-1]

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    stop = asyncio.Event()
    sent = 0

    async def load() -> None:
        nonlocal sent
        while not stop.is_set():
            identity = f"id-{sent}"
            await producer.send(f"{prefix}.in", orjson.dumps({"identity": identity}), key=identity.encode())
            sent += 1
            await asyncio.sleep(1 / rate)

    try:
        start()
        await asyncio.sleep(8)
        loading = asyncio.create_task(load())
        for _ in range(joins):
            guest = start()
            await asyncio.sleep(15)
            guest.kill()
            guest.wait()
            await asyncio.sleep(15)
        stop.set()
        await loading
        await producer.flush()
        await asyncio.sleep(25)
        seen: Counter[str] = Counter()
        consumer = AIOKafkaConsumer(f"{prefix}.out", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        while batches := await consumer.getmany(timeout_ms=3_000):
            for records in batches.values():
                seen.update(orjson.loads(r.value)["identity"] for r in records)
        await consumer.stop()
        lost = sum(f"id-{n}" not in seen for n in range(sent))
        return {"sent": sent, "lost": lost, "repeated": sum(n - 1 for n in seen.values())}
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        await producer.stop()
        mine = [name for name in await admin.list_topics() if prefix in name]
        await admin.delete_topics(mine)
        await admin.close()


async def main(bootstrap: str, prefix: str, folder: str | None = None) -> None:
    """Run the app, or with PREFIX `--joining` the measurement of joining workers."""
    if prefix == "--joining":
        with tempfile.TemporaryDirectory() as name:
            print(orjson.dumps(await joining(bootstrap, Path(name))).decode())
        return
    app = build(bootstrap, prefix, 4, folder=folder)
    await app.start()
    await app.wait_until_stopped()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
