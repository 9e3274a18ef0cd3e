"""A second Kafka broker that joins a first one's cluster, so that a partition can be without a leader while Kafka runs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from broker import Broker, ensure_jars

from .processes import free_port
from .servers import KafkaServer


@dataclass(frozen=True)
class JoiningBroker(Broker):
    """A broker only: the first one is the controller of all."""

    cluster: Path = Path()

    def properties(self) -> str:
        kept = [
            line
            for line in super().properties().splitlines()
            if line.partition("=")[0] not in ("process.roles", "listeners")
        ]
        own = ("process.roles=broker", f"listeners=PLAINTEXT://127.0.0.1:{self.port}")
        return "\n".join((*kept, *own, ""))

    def prepare(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.properties_file.write_text(self.properties())
        if (self.data / "log" / "meta.properties").exists():
            return
        marks = dict(line.split("=", 1) for line in self.cluster.read_text().splitlines() if "=" in line)
        command = self._java(
            ensure_jars(),
            "kafka.tools.StorageTool",
            *("format", f"--cluster-id={marks['cluster.id']}", "-c", str(self.properties_file)),
            heap_mb=128,
        )
        subprocess.run(command, check=True, capture_output=True)


class SecondBroker(KafkaServer):
    """A further broker of `first`'s cluster."""

    def __init__(self, first: KafkaServer, folder: Path, node: int = 2) -> None:
        super().__init__(folder)
        known = first.broker
        self.broker = JoiningBroker(
            free_port(),
            known.controller_port,
            folder,
            256,
            known.java_options,
            cluster=known.data / "log" / "meta.properties",
            node=node,
        )


async def split_topic(bootstrap: str, name: str) -> None:
    """A topic whose partition 0 lies on the first broker and 1 on the second, each there alone."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topic = NewTopic(name, num_partitions=-1, replication_factor=-1, replica_assignments={0: [1], 1: [2]})
        response = await admin.create_topics([topic])
        assert all(code == 0 for _, code, *_ in response.topic_errors), response
    finally:
        await admin.close()
