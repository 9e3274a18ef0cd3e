"""What Kafka itself must hold to, for nothing to be lost: copies of topics, how long offsets stay, what a record may weigh.

`look` asks the cluster; `Cluster.problems` decides. Who may not ask for something (a managed Kafka, rights) is told what
a person must see to instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from mailroom_contracts.topics import DEAD_RETENTION_MS, TOPICS

from mailroom_runtime.process.settings import ServiceSettings

OFFSETS_MINUTES = 144_000
"""How long Kafka must keep the offset of a group that stands still: longer than any topic keeps its records."""
LONGEST_KEPT_MS = max(DEAD_RETENTION_MS, *(topic.retention_ms or 0 for topic in TOPICS))
INTERNAL = ("__consumer_offsets", "__transaction_state")
_BATCH_ROOM = 100_000  # bytes that headers and Kafka's own framing take beside a value


@dataclass(frozen=True, slots=True)
class Durability:
    """How many copies a partition has, and how many must have a record before it counts as written."""

    replication: int
    min_insync: int

    @classmethod
    def for_brokers(cls, brokers: int, replication: int | None = None, min_insync: int | None = None) -> Durability:
        """3 and 2 where three brokers answer, else as many as there are, and 1. Raises ValueError for what cannot be."""
        copies = replication if replication is not None else (3 if brokers >= 3 else 1)
        needed = min_insync if min_insync is not None else (2 if copies >= 3 else 1)
        if copies > brokers:
            raise ValueError(f"{copies} copies of each partition need {copies} brokers; {brokers} answer")
        if not 1 <= needed <= copies:
            raise ValueError(f"min.insync.replicas {needed} is not between 1 and the {copies} copies")
        return cls(copies, needed)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster as it was found. `settings` by broker id; None: we may not ask."""

    brokers: int
    settings: Mapping[int, Mapping[str, str]] | None
    copies: Mapping[str, int] = field(default_factory=dict)

    def problems(self, inline_limit_bytes: int) -> list[str]:
        """What a person must change at the brokers."""
        found: list[str] = []
        wanted = Durability.for_brokers(self.brokers).replication
        for name, copies in self.copies.items():
            if copies < wanted:
                found.append(f"{name} has {copies} of {wanted} copies: offsets and transactions are lost with a broker")
        for broker, settings in sorted((self.settings or {}).items()):
            found += [f"broker {broker}: {said}" for said in _of_broker(settings, inline_limit_bytes)]
        return found

    def unseen(self) -> str | None:
        """What a person must see to, since it may not be asked for."""
        if self.settings is not None:
            return None
        return f"brokers' settings may not be read; see that offsets.retention.minutes is {OFFSETS_MINUTES} or more"


def _of_broker(settings: Mapping[str, str], inline_limit_bytes: int) -> list[str]:
    found: list[str] = []
    minutes = _number(settings.get("offsets.retention.minutes"))
    if minutes is not None and minutes < OFFSETS_MINUTES:
        found.append(f"offsets.retention.minutes is {minutes}, wanted {OFFSETS_MINUTES} or more")
    largest, wanted = _number(settings.get("message.max.bytes")), inline_limit_bytes + _BATCH_ROOM
    if largest is not None and largest < wanted:
        found.append(f"message.max.bytes is {largest}, wanted {wanted} or more")
    if settings.get("auto.create.topics.enable") == "true":
        found.append("auto.create.topics.enable is true: a mistyped name becomes a topic with the wrong settings")
    if settings.get("unclean.leader.election.enable") == "true":
        found.append("unclean.leader.election.enable is true: what was acknowledged may be lost")
    return found


async def look(admin: AIOKafkaAdminClient, settings: ServiceSettings) -> Cluster:
    """Ask the cluster. Raises KafkaError when it does not answer."""
    described: Mapping[str, Any] = await admin.describe_cluster()
    ids = [int(broker["node_id"]) for broker in described["brokers"]]
    copies: dict[str, int] = {}
    there = set(await admin.list_topics())  # one that is not there is not asked for: asking may make it
    if internal := [name for name in INTERNAL if name in there]:
        for topic in await admin.describe_topics(internal):
            copies[topic["topic"]] = min(len(partition["replicas"]) for partition in topic["partitions"])
    return Cluster(len(ids), await _settings(admin, ids), copies)


async def _settings(admin: AIOKafkaAdminClient, ids: list[int]) -> dict[int, dict[str, str]] | None:
    resources = [ConfigResource(ConfigResourceType.BROKER, str(broker)) for broker in ids]
    found: dict[int, dict[str, str]] = {}
    try:
        for response in await admin.describe_configs(resources):
            for error_code, _, _, name, entries in response.resources:
                if error_code:
                    return None
                found[int(name)] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    except KafkaError:
        return None
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None
