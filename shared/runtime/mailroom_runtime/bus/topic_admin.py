"""Creates the topics, says where they drifted, and gives each consumer group its first offsets."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from mailroom_contracts.topics import DEAD_RETENTION_MS, TOPICS, Topic

from mailroom_runtime.process.settings import ServiceSettings

from .cluster import Durability
from .connection import connection
from .groups import GROUPS, offsets_of
from .kafka import partitions_for

MIN_INSYNC = "min.insync.replicas"
BROKERS_TELL_S = 60.0


@dataclass(slots=True)
class Report:
    """What `create` did and found."""

    created: list[str] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    groups_started: list[str] = field(default_factory=list)


def wanted(settings: ServiceSettings, min_insync: int | None = None) -> dict[str, dict[str, str]]:
    """Every topic by full name with its settings; dead letters included."""
    result: dict[str, dict[str, str]] = {}
    for topic in TOPICS:
        result[topic.full_name(settings.topic_prefix)] = topic.configs()
        result[topic.dead_name(settings.topic_prefix)] = {
            "cleanup.policy": "delete",
            "retention.ms": str(DEAD_RETENTION_MS),
        }
    if min_insync is not None:
        for configs in result.values():
            configs[MIN_INSYNC] = str(min_insync)
    return result


async def create(
    settings: ServiceSettings, *, replication: int | None = None, min_insync: int | None = None,
    start_groups: dict[str, str] | None = None,
) -> Report:  # fmt: skip
    """Create what is missing, report drift, start groups on new topics (and those in `start_groups`).

    `replication`, `min_insync`: None: 3 and 2 where three brokers answer, else 1 and 1.
    `start_groups`: group -> "beginning" or "end", for offsets that were lost. Idempotent.
    Raises KafkaError when Kafka does not answer, ValueError for an unknown group and for copies that cannot be.
    """
    unknown = set(start_groups or {}) - set(GROUPS)
    if unknown:
        raise ValueError(f"no consumer group {', '.join(sorted(unknown))}; there are: {', '.join(GROUPS)}")
    report = Report()
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        have = set(await admin.list_topics())
        brokers = len((await admin.describe_cluster())["brokers"])
        durability = Durability.for_brokers(brokers, replication, min_insync)
        plan = wanted(settings, durability.min_insync)
        missing = [name for name in plan if name not in have]
        report.existing = [name for name in plan if name in have]
        if missing:
            answer = await admin.create_topics(
                [
                    NewTopic(name, settings.partitions, durability.replication, topic_configs=dict(plan[name]))
                    for name in missing
                ]
            )
            for name, code, *_ in answer.topic_errors:
                error = for_code(code)
                if error is TopicAlreadyExistsError:
                    report.existing.append(name)
                elif code:
                    raise error(f"cannot create {name}")
                else:
                    report.created.append(name)
        report.drift = await _drift(admin, settings, plan, report.existing, durability)
    finally:
        await admin.close()
    await _start_groups(settings, set(report.created), start_groups or {}, report)
    return report


async def _drift(
    admin: AIOKafkaAdminClient, settings: ServiceSettings, plan: dict[str, dict[str, str]], names: list[str],
    durability: Durability,
) -> list[str]:  # fmt: skip
    found: list[str] = []
    if not names:
        return found
    for topic in await admin.describe_topics(names):
        count = len(topic["partitions"])
        if count != settings.partitions:
            found.append(f"{topic['topic']}: {count} partitions, MAILROOM_PARTITIONS says {settings.partitions}")
        copies = min((len(partition["replicas"]) for partition in topic["partitions"]), default=durability.replication)
        if copies < durability.replication:
            found.append(f"{topic['topic']}: {copies} of {durability.replication} copies")
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for response in await admin.describe_configs(resources):
        for resource in response.resources:
            name, entries = resource[3], resource[4]
            actual = {entry[0]: entry[1] for entry in entries}
            found += [
                f"{name}: {key} is {actual.get(key)}, wanted {value}"
                for key, value in plan[name].items()
                if not _holds(key, actual.get(key), value)
            ]
    return found


def _holds(key: str, actual: str | None, value: str) -> bool:
    """More copies in sync than wanted are as good."""
    if key == MIN_INSYNC and actual is not None and actual.isdigit():
        return int(actual) >= int(value)
    return actual == value


async def _start_groups(settings: ServiceSettings, created: set[str], forced: dict[str, str], report: Report) -> None:
    for group, group_topics in GROUPS.items():
        names = [t.full_name(settings.topic_prefix) for t in group_topics]
        new = [name for name in names if name in created]
        if group in forced:
            new = names
        if not new:
            continue
        async with offsets_of(settings, group) as consumer:
            parts = [TopicPartition(name, p) for name in new for p in await _there(consumer, name)]
            consumer.assign(parts)
            at_end = forced.get(group) == "end"
            offsets = await (consumer.end_offsets(parts) if at_end else consumer.beginning_offsets(parts))
            # never move a group that has an offset, unless a person said so
            kept = set() if group in forced else {tp for tp in parts if await consumer.committed(tp) is not None}
            start = {tp: offset for tp, offset in offsets.items() if tp not in kept}
            if start:
                await consumer.commit(start)
                report.groups_started.append(group)


async def _there(consumer: AIOKafkaConsumer, name: str) -> list[int]:
    """The partitions of a topic that Kafka said it made: its brokers may take seconds to tell of it.

    Raises KafkaError where they do not.
    """
    found = await partitions_for(consumer, name, wait_s=BROKERS_TELL_S)
    if not found:
        raise KafkaError(f"no broker tells of {name} within {BROKERS_TELL_S:g} s; its groups have no offsets: "
                         "see `mailroom topics create --start-group` once it is there")  # fmt: skip
    return found


async def drift(admin: AIOKafkaAdminClient, settings: ServiceSettings, have: set[str]) -> tuple[list[str], list[str]]:
    """Which topics are missing, and in what the others differ from what is wanted."""
    durability = Durability.for_brokers(len((await admin.describe_cluster())["brokers"]))
    plan = wanted(settings, durability.min_insync)
    missing = [name for name in plan if name not in have]
    return missing, await _drift(admin, settings, plan, [name for name in plan if name in have], durability)


def topic_of(full_name: str, settings: ServiceSettings) -> Topic:
    """The topic of a full name. Raises KeyError."""
    for topic in TOPICS:
        if topic.full_name(settings.topic_prefix) == full_name:
            return topic
    raise KeyError(full_name)
