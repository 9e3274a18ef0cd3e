"""Kafka away: no storm of connections, log lines or CPU (DESIGN section 10: 168,000 lines in 8 s without taming)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
from support.servers import KafkaServer
from support.topics import create_topics, run_apart
from support.waiting import wait_until

CLIENT = """
import asyncio, sys
from mailroom_contracts import Portal, topics
from mailroom_runtime.bus.aiokafka_private import tame
from mailroom_runtime.bus.kafka import BusDown, Producer
from mailroom_runtime.process.logs import configure
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.bus.tables import ConfigTables

async def main():
    configure("client")
    tame()
    settings = ServiceSettings(kafka=sys.argv[1], topic_prefix="storm", partitions=2)
    service = Service("client", settings)
    tables = ConfigTables(settings)
    async with Producer(settings, source="test", timeout_s=2) as producer:
        await tables.start(service)
        number = 0
        while True:
            number += 1
            try:
                await producer.send(topics.PORTALS, Portal(id="p1", name="Acme", revision=number))
                print("sent", flush=True)
            except BusDown:
                print("down", flush=True)
            await asyncio.sleep(0.2)

asyncio.run(main())
"""


def test_a_closed_port_costs_neither_log_nor_cpu(kafka_server: KafkaServer, tmp_path: Path) -> None:
    run_apart(create_topics(kafka_server.bootstrap, "storm", 2))
    said, logged = tmp_path / "out", tmp_path / "err"
    with said.open("wb") as out, logged.open("wb") as err:
        client = subprocess.Popen([sys.executable, "-c", CLIENT, kafka_server.bootstrap], stdout=out, stderr=err)
    try:
        wait_until(lambda: said.read_text().count("sent") > 3, 30)
        kafka_server.kill()
        wait_until(lambda: "down" in said.read_text(), 30)
        process = psutil.Process(client.pid)
        lines_before = len(logged.read_bytes().splitlines())
        cpu_before, start = sum(process.cpu_times()[:2]), time.monotonic()
        wait_until(lambda: time.monotonic() - start > 8, 20)
        cpu = sum(process.cpu_times()[:2]) - cpu_before
        lines = len(logged.read_bytes().splitlines()) - lines_before
        assert lines < 100, f"{lines} log lines in 8 s"
        assert cpu < 2.0, f"{cpu:.1f} s of CPU in 8 s"
        kafka_server.start()
        sent = said.read_text().count("sent")
        wait_until(lambda: said.read_text().count("sent") > sent + 3, 60, what="sending again by itself")
    finally:
        client.kill()
        client.wait()
