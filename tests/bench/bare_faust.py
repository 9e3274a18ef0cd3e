"""The reference of the bench `router`: a bare faust-streaming app with the same two hops and nothing else.

`python tests/bench/bare_faust.py BOOTSTRAP PREFIX [FOLDER]`: reads PREFIX.in as JSON, writes it to PREFIX.mid keyed by
ticket; a second agent reads that, counts the ticket's version in a table, and writes one event to PREFIX.out. With
FOLDER the table lies in RocksDB there, as a router that must survive a restart would need it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faust
import orjson


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


async def main(bootstrap: str, prefix: str, folder: str | None = None) -> None:
    app = build(bootstrap, prefix, 4, folder=folder)
    await app.start()
    await app.wait_until_stopped()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
