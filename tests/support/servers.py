"""Real Kafka and Valkey for tests, as local processes that can be stopped, paused and started again on their port."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import redis
from broker import LIGHT, Broker
from keyvalue import KeyValueServer

from .processes import Process, free_port, port_open
from .waiting import wait_until


class KafkaServer(Process):
    """A broker of its own on free ports. `bootstrap` stays the same over stop and start."""

    def __init__(self, folder: Path, *, port: int | None = None, heap_mb: int = 384) -> None:
        self.broker = Broker(port or free_port(), free_port(), folder, heap_mb, (LIGHT,))
        super().__init__([], folder / "broker.log")

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    def start(self, timeout: float = 180.0) -> Self:
        self.broker.prepare()
        self.command = self.broker.command()
        starts = self.output().count("Kafka Server started")
        self.launch()

        def up() -> bool:
            assert self.running, f"Kafka ended with {self.returncode}:\n{self.tail()}"
            return self.output().count("Kafka Server started") > starts and port_open(self.broker.port)

        wait_until(up, timeout, every=0.1, what="Kafka's start")
        return self

    def stop(self, timeout: float = 30.0) -> None:
        """Orderly stop; killed when it does not go."""
        if self.running:
            try:
                self.terminate(timeout)
            except subprocess.TimeoutExpired:
                return


@contextmanager
def kafka_or_given(folder: Path, heap_mb: int = 640) -> Iterator[str]:
    """The bootstrap address of the Kafka that `MAILROOM_TEST_KAFKA` names, or of one made for this."""
    given = os.environ.get("MAILROOM_TEST_KAFKA")
    if given:
        yield given
        return
    server = KafkaServer(folder / "kafka", heap_mb=heap_mb)
    server.start()
    try:
        yield server.bootstrap
    finally:
        server.kill()


class AsksValkey:
    """What tests do with a Valkey, wherever it runs."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()


class ValkeyServer(AsksValkey, Process):
    """A Valkey of its own on a free port. `url` stays the same over stop and start; data too, unless `empty` is given."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.server = KeyValueServer(port or free_port(), folder)
        super().__init__([], folder / "valkey.log")

    @property
    def url(self) -> str:
        return self.server.url

    def start(self, timeout: float = 15.0, *, empty: bool = False) -> Self:
        """Start it; `empty` throws the data away first, as a replaced machine would."""
        if empty:
            for file in self.server.data.glob("appendonlydir/*"):
                file.unlink()
        self.command = self.server.command()
        self.launch()

        def up() -> bool:
            assert self.running, f"Valkey ended with {self.returncode}:\n{self.tail()}"
            return self.answers()

        wait_until(up, timeout, what="Valkey's start")
        return self

    def stop(self) -> None:
        if self.running:
            self.terminate(10)
