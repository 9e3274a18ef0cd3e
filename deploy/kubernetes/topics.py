"""Strimzi KafkaTopic resources from the contracts: `python deploy/kubernetes/topics.py [write|check]`."""

from __future__ import annotations

import sys
from pathlib import Path

from mailroom_contracts.topics import DEAD_RETENTION_MS, DEFAULT_PARTITIONS, TOPICS

TARGET = Path(__file__).parent / "base" / "topics.yaml"
REPLICAS = 3
HEAD = "# Generated from the contracts by deploy/kubernetes/topics.py; do not edit.\n"


def resource(name: str, configs: dict[str, str]) -> str:
    """One KafkaTopic."""
    settings = "".join(f'    {key}: "{value}"\n' for key, value in configs.items())
    return (
        "apiVersion: kafka.strimzi.io/v1beta2\n"
        "kind: KafkaTopic\n"
        "metadata:\n"
        f"  name: {name}\n"
        "  labels: {strimzi.io/cluster: mailroom, app.kubernetes.io/part-of: mailroom}\n"
        "spec:\n"
        f"  topicName: {name}\n"
        f"  partitions: {DEFAULT_PARTITIONS}\n"
        f"  replicas: {REPLICAS}\n"
        "  config:\n"
        '    min.insync.replicas: "2"\n'
        f"{settings}"
    )


def generated() -> str:
    """All topics and their dead letters."""
    dead = {"cleanup.policy": "delete", "retention.ms": str(DEAD_RETENTION_MS)}
    parts = [resource(topic.full_name(), topic.configs()) for topic in TOPICS]
    parts += [resource(topic.dead_name(), dead) for topic in TOPICS]
    return HEAD + "---\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the file, or check that it is current."""
    if arguments == ["write"]:
        TARGET.write_text(generated())
        return 0
    if TARGET.read_text() != generated():
        sys.stderr.write(f"{TARGET}: out of date; run `python deploy/kubernetes/topics.py write`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
