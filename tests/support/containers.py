"""Kafka and Valkey from containers (testcontainers), for machines where a Docker engine answers."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Self

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from testcontainers.core.container import DockerContainer

from .processes import free_port
from .servers import AsksValkey
from .topics import broker_answers
from .waiting import wait_until

KAFKA_IMAGE = "apache/kafka:4.1.2"
VALKEY_IMAGE = "valkey/valkey:8.1"


@cache
def engine_problem() -> str:
    """Why containers cannot be used here; empty when an engine answers and has, or can get, both images.

    `MAILROOM_TEST_ENGINE=local` says to do without.
    """
    if os.environ.get("MAILROOM_TEST_ENGINE") == "local":
        return "MAILROOM_TEST_ENGINE=local"
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException:
        return "no Docker engine answers"
    for image in (KAFKA_IMAGE, VALKEY_IMAGE):
        try:
            client.images.get(image)
        except ImageNotFound:
            try:
                client.images.pull(*image.split(":"))
            except (APIError, DockerException):
                return f"the Docker engine cannot get {image}"
    # Containers are removed by the fixtures; the reaper image cannot be had everywhere.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
    return ""


class _Container:
    """A container with one port, which stays the same on the host (loopback) over stop and start."""

    def __init__(
        self, image: str, inside: int, environment: dict[str, str], command: str = "", port: int | None = None
    ) -> None:
        self.port = port or free_port()
        self._made: Any = None
        self._definition = DockerContainer(image).with_envs(**environment)
        self._definition.ports[inside] = ("127.0.0.1", self.port)
        if command:
            self._definition.with_command(command)

    def start(self) -> Self:
        if self._made is None:
            self._definition.start()
            self._made = self._definition.get_wrapped_container()
        else:
            self._made.start()
        return self

    def stop(self) -> None:
        self._made.stop(timeout=10)

    def kill(self) -> None:
        self._made.kill()

    def pause(self) -> None:
        self._made.pause()

    def resume(self) -> None:
        self._made.unpause()

    def remove(self) -> None:
        if self._made is not None:
            self._made.remove(force=True, v=True)
            self._made = None

    def output(self) -> str:
        return str(self._made.logs().decode(errors="replace"))


class KafkaContainer(_Container):
    """One broker in KRaft's combined mode, as the local stack runs it."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__(
            KAFKA_IMAGE,
            9092,
            {
                "KAFKA_NODE_ID": "1",
                "KAFKA_PROCESS_ROLES": "broker,controller",
                "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
                "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
                "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
                "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
                "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
                "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
                "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
                "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
                "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            },
            port=port,
        )

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        super().start()
        # Docker's proxy takes connections before the broker does, and not every image logs: only an answer counts.
        wait_until(lambda: broker_answers(self.bootstrap), 90, every=0.3, what="Kafka's start in a container")
        return self


class ValkeyContainer(AsksValkey, _Container):
    """A Valkey with the face of servers.ValkeyServer."""

    def __init__(self) -> None:
        options = "--appendonly yes --appendfsync everysec --maxmemory-policy noeviction"
        super().__init__(
            VALKEY_IMAGE, 6379, {}, f"valkey-server --protected-mode no --bind 0.0.0.0 --save '' {options}"
        )

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, timeout: float = 30.0, *, empty: bool = False) -> Self:
        super().start()
        wait_until(self.answers, timeout, what="Valkey's start")
        if empty:
            self.flush()
        return self
