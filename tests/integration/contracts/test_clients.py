"""The programs of docs/clients.md, each as it stands there, with its own client: subscribers and writers of commands.

A subscriber meets a committed event, one of a transaction that is taken back, and a type that nobody knows. A writer's
command must lie where a reader of its key looks for it, and be read by our models.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from broker import ensure_jars, user_cache
from mailroom_contracts import Actor, AddNote, Assigned, decode, encode
from mailroom_contracts import topics as names
from mailroom_runtime.bus.kafka import read_to_end
from mailroom_runtime.process.settings import ServiceSettings
from support.authorities import as_given
from support.processes import REPOSITORY
from support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PAGE = (REPOSITORY / "docs" / "clients.md").read_text()
FLINK = REPOSITORY / "tests" / "support" / "flink"
TICKETS = [f"ticket-{number}" for number in range(6)]


def programs(heading: str) -> list[str]:
    """The code blocks below a heading."""
    below = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```\w+\n(.*?)```", below, re.DOTALL)


def build(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=as_given(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Client:
    """How a language's programs are made to run: `prepare` gives the command of each program of the page."""

    heading: str
    tools: tuple[str, ...]
    prepare: Callable[[Path, str, int], list[str]]


def _python(folder: Path, program: str, number: int) -> list[str]:
    (folder / f"{number}.py").write_text(program)
    return [sys.executable, f"{number}.py"]


def _confluent(folder: Path, program: str, number: int) -> list[str]:
    uv, venv = shutil.which("uv") or str(Path(sys.executable).parent / "uv"), user_cache() / "confluent-kafka-2.16.1"
    if not (venv / ".complete").exists():
        build([uv, "venv", "-q", "--clear", "--python", sys.executable, str(venv)], folder)
        build([uv, "pip", "install", "-q", "--python", str(venv / "bin" / "python"), "confluent-kafka==2.16.1"], folder)
        (venv / ".complete").touch()
    (folder / f"{number}.py").write_text(program)
    return [str(venv / "bin" / "python"), f"{number}.py"]


def _javascript(folder: Path, program: str, number: int) -> list[str]:
    tools = user_cache() / "kafkajs-2.2.4"
    if not (tools / "node_modules").exists():
        tools.mkdir(parents=True, exist_ok=True)
        build(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tools), "kafkajs@2.2.4"], tools)
    (folder / f"{number}.js").write_text(program)
    return ["env", f"NODE_PATH={tools / 'node_modules'}", "KAFKAJS_NO_PARTITIONER_WARNING=1", "node", f"{number}.js"]


def _go(folder: Path, program: str, number: int) -> list[str]:
    place = folder / f"go{number}"
    place.mkdir()
    (place / "main.go").write_text(program)
    build(["go", "mod", "init", "client"], place)
    build(["go", "get", "github.com/twmb/franz-go/pkg/kgo@v1.22.3"], place)
    build(["go", "build", "-o", "client", "."], place)
    return [str(place / "client")]


def _java(folder: Path, program: str, number: int) -> list[str]:
    name = re.search(r"public class (\w+)", program)
    assert name is not None
    (folder / f"{name[1]}.java").write_text(program)
    classpath = f"{ensure_jars()}/*:{folder}"  # the broker's jars hold kafka-clients and Jackson
    build(["javac", "-cp", classpath, f"{name[1]}.java"], folder)
    return ["java", "-cp", classpath, name[1]]


def _flink(folder: Path, program: str, number: int) -> list[str]:
    jars = user_cache() / f"flink-{hashlib.sha256((FLINK / 'pom.xml').read_bytes()).hexdigest()[:12]}"
    if not (jars / ".complete").exists():
        fetch = ["mvn", "-q", "-B", "-f", str(FLINK / "pom.xml"), "dependency:copy-dependencies"]
        build([*fetch, f"-DoutputDirectory={jars}"], folder)
        (jars / ".complete").touch()
    build(["javac", "-cp", f"{jars}/*", "-d", str(folder), str(FLINK / "SqlScript.java")], folder)
    (folder / f"{number}.sql").write_text(program)
    opened = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "util", "time")]
    return ["java", *opened, "-cp", f"{jars}/*:{folder}", "SqlScript", f"{number}.sql"]


CLIENTS = (
    Client("Python, aiokafka", (), _python),
    Client("Python, confluent-kafka", (), _confluent),
    Client("JavaScript, kafkajs", ("node", "npm"), _javascript),
    Client("Go, franz-go", ("go",), _go),
    Client("Java, kafka-clients", ("java", "javac"), _java),
    Client("SQL, Flink", ("java", "javac", "mvn"), _flink),
)


@pytest.fixture(params=CLIENTS, ids=lambda client: client.heading)
def client(request: pytest.FixtureRequest) -> Client:
    made: Client = request.param
    if lacking := [tool for tool in made.tools if shutil.which(tool) is None]:
        pytest.skip(f"{made.heading} needs {', '.join(lacking)}, not found on this machine")
    return made


def test_the_programs_are_short() -> None:
    for heading in (client.heading for client in CLIENTS):
        for program in programs(heading):
            closing = re.compile(r"\s*[)}\]]*;?\)?(\(\))?;?\s*$")
            lines = [x for x in program.splitlines() if not closing.match(x) and not re.match(r"\s*(import|from)\b", x)]
            assert len(lines) <= 25, heading


async def test_a_subscriber_reads_what_was_committed_and_passes_over_the_rest(
    client: Client, kafka: str, topics: str, tmp_path: Path
) -> None:
    if client.heading == "Python, aiokafka":
        pytest.skip("that one is the subscriber of docs/subscribing.md, which test_subscribing.py runs")
    command = client.prepare(tmp_path, programs(client.heading)[0], 0)
    name = names.TICKET_EVENTS.full_name(topics)

    def event(ticket: str, version: int) -> tuple[bytes, list[tuple[str, bytes]]]:
        record = encode(
            names.TICKET_EVENTS,
            Assigned(id=f"e{version}", ticket_id=ticket, portal_id="p1", version=version, at=datetime.now(UTC),
                     causation_id="c1", actor=Actor(kind="router"), assignee_id="a1"),
            source="test",
        )  # fmt: skip
        assert record.value is not None
        return record.value, record.headers

    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topics}.test") as producer:
        for version, kept in ((2, True), (3, False), (4, True)):
            await producer.begin_transaction()
            for ticket in TICKETS:
                value, headers = event(ticket, version)
                await producer.send_and_wait(name, value, key=ticket.encode(), headers=headers)
                danced = [("ce_type", b"ticket.danced")]
                await producer.send_and_wait(name, b'{"type": "ticket.danced"}', key=ticket.encode(), headers=danced)
            await (producer.commit_transaction() if kept else producer.abort_transaction())
    said = tmp_path / "said"
    with said.open("wb") as out:
        running = subprocess.Popen(command, cwd=tmp_path, env=_environment(kafka, topics), stdout=out,
                                   stderr=subprocess.STDOUT)  # fmt: skip
    try:
        wanted = sorted(f"{ticket} {version} ticket.assigned" for ticket in TICKETS for version in (2, 4))

        def told() -> list[str]:
            return [line for line in said.read_text().splitlines() if line.startswith("ticket-")]

        await eventually(lambda: len(told()) >= len(wanted), 90, what=client.heading)
        lines = told()
        assert sorted(lines) == wanted, said.read_text()
        for ticket in TICKETS:
            assert [line.split()[1] for line in lines if line.startswith(f"{ticket} ")] == ["2", "4"], "in order"
    finally:
        running.kill()
        running.wait()


async def test_a_writers_commands_are_read_and_lie_where_their_key_says(
    client: Client, kafka: str, topics: str, tmp_path: Path
) -> None:
    command = client.prepare(tmp_path, programs(client.heading)[-1], 1)
    for ticket in TICKETS:
        subprocess.run(
            [*command, ticket, "p1", "called back"], cwd=tmp_path, env=_environment(kafka, topics), check=True
        )
    settings = ServiceSettings(kafka=kafka, topic_prefix=topics)
    found = [r async for r in read_to_end(settings, [names.TICKET_COMMANDS.full_name(topics)])]
    where = DefaultPartitioner()
    assert len(found) == len(TICKETS)
    for record in found:
        note = decode(names.TICKET_COMMANDS, record.value, record.headers)
        assert isinstance(note, AddNote)
        assert (note.ticket_id, note.portal_id, note.text) == (record.key.decode(), "p1", "called back")
        assert record.partition == where(record.key, list(range(4)), list(range(4))), "murmur2"
    assert len({decode(names.TICKET_COMMANDS, r.value).id for r in found}) == len(TICKETS)  # type: ignore[union-attr]


def _environment(kafka: str, prefix: str) -> dict[str, str]:
    return {**os.environ, "MAILROOM_KAFKA": kafka, "MAILROOM_TOPIC_PREFIX": prefix}
