"""A second Kafka broker that joins a first one's cluster, so that a partition can be without a leader while Kafka runs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest
from broker import Broker, ensure_jars

from .processes import free_port
from .servers import KafkaServer
from .waiting import eventually


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
    """A further broker of the cluster whose first is `known`."""

    def __init__(self, known: Broker, folder: Path, node: int = 2) -> None:
        super().__init__(folder)
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


async def leaders(bootstrap: str) -> dict[tuple[str, int], int]:
    """The leader of each partition of the cluster, Kafka's own topics too; -1 where there is none."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return await _leaders(admin)
    finally:
        await admin.close()


async def move_partitions(bootstrap: str, places: Mapping[tuple[str, int], int], timeout: float = 60) -> None:
    """Give each of these partitions to the broker of that number alone, and wait until it leads them."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topics: dict[str, list[tuple[int, list[int], dict[int, bytes]]]] = {}
        for (topic, partition), node in places.items():
            topics.setdefault(topic, []).append((partition, [node], {}))
        wanted = [(name, partitions, {}) for name, partitions in topics.items()]
        # by a broker: the controller of a KRaft cluster is not among them
        request = AlterPartitionReassignmentsRequest(int(timeout * 1000), wanted, {})
        answer = await admin._client.send(admin._client.get_random_node(), request)
        refused = [(name, *each) for name, parts, _ in answer.responses for each in parts if each[1]]
        assert answer.error_code == 0, answer.error_message
        assert not refused, refused[:3]

        async def moved() -> bool:
            now = await _leaders(admin)
            return all(now.get(partition) == node for partition, node in places.items())

        await eventually(moved, timeout, every=0.2, what="the partitions' new leaders")
    finally:
        await admin.close()


async def _leaders(admin: Any) -> dict[tuple[str, int], int]:
    return {
        (topic["topic"], each["partition"]): each["leader"]
        for topic in await admin.describe_topics()
        for each in topic["partitions"]
    }
