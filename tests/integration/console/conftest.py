"""A whole console in this process: real Kafka, real Valkey, its own database; and a hand that writes what a router would."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from argon2 import PasswordHasher
from broker import LIGHT, Broker
from mailroom_console.access import passwords
from mailroom_console.app import app
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.schema import addresses
from mailroom_contracts import (
    Message,
    TicketCommand,
    TicketEvent,
    Topic,
    decode,
    ids,
    topics,
)
from mailroom_runtime.bus.kafka import Producer, read_to_end
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.tasks import end
from sqlalchemy import create_engine, insert
from support.console_story import Story
from support.processes import ServiceProcess, free_port
from support.servers import KafkaServer, ValkeyServer
from support.sharing import shared_by_workers
from support.topics import create_topics, delete_topics, run_apart
from support.waiting import eventually

from .postgres import Postgres

KEY = base64.b64encode(b"k" * 32).decode()
PARTITIONS = 2


@dataclass
class RunningConsole:
    """A console and one portal of it; `api` carries that portal's token, `root` the first one, which may make portals."""

    api: httpx.AsyncClient
    settings: ConsoleSettings
    root: httpx.AsyncClient
    service: Service[ConsoleSettings] | None = None
    task: asyncio.Task[None] | None = None
    ids: dict[str, str] = field(default_factory=dict)
    domain: str = "acme.example"

    def at(self, local: str) -> str:
        """An address of the portal."""
        return f"{local}@{self.domain}"

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.api.get(path, params=params)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def learn_ids(self) -> None:
        for kind in ("portals", "addresses", "queues"):
            items = (await self.get(f"/{kind}"))["items"]
            if items:
                self.ids["address" if kind == "addresses" else kind[:-1]] = items[0]["id"]
        agents = (await self.get("/agents"))["items"]
        self.ids["ana"] = next((a["id"] for a in agents if a["email"] == self.at("ana")), "")

    def put_address(self, kind: str, email: str, **columns: Any) -> str:
        """An address of the portal, stored as if its account had been checked or connected; its id."""
        row: dict[str, Any] = {
            "id": ids.derive("address", self.ids["portal"], email), "portal_id": self.ids["portal"], "kind": kind,
            "email": email, "full_name": "Sales", "queue_id": self.ids["queue"], "prefer_online": False, "active": True,
            "auto_reply": {}, "forwarders": [], "revision": 1, "created_at": 0, "updated_at": 0, **columns,
        }  # fmt: skip
        engine = create_engine(f"sqlite:///{self.settings.data / 'console.db'}")
        with engine.begin() as connection:
            connection.execute(insert(addresses).values(**row))
        engine.dispose()
        return str(row["id"])

    async def stop(self) -> None:
        assert self.service is not None
        assert self.task is not None
        self.service.stopping.set()
        await asyncio.wait_for(self.task, 20)
        await end(*self.service._tasks)
        await self.api.aclose()


Starter = Callable[..., Awaitable[RunningConsole]]


def console_settings(kafka: str, prefix: str, folder: Path, redis: str, **more: Any) -> ConsoleSettings:
    port = free_port()
    values: dict[str, Any] = {
        "kafka": kafka, "topic_prefix": prefix, "partitions": PARTITIONS, "redis": redis, "data": folder, "seed": "local",
        "console_port": port, "url": f"http://127.0.0.1:{port}", "secret_keys": f"k1:{KEY}",
        "message_id_keys": f"k1:{KEY}", "services": {}, "allow_private_hosts": True,
    }  # fmt: skip
    return ConsoleSettings(**(values | more))


def _client(settings: ConsoleSettings, token: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=f"{settings.url}/api/v1", headers=headers, timeout=20, trust_env=False)


@dataclass(frozen=True, slots=True)
class TidyBroker(Broker):
    """One that deletes what is due at once, instead of within minutes."""

    def properties(self) -> str:
        return Broker.properties(self) + (
            "log.retention.check.interval.ms=500\nlog.initial.task.delay.ms=100\nlog.cleaner.backoff.ms=200\n"
            "log.segment.delete.delay.ms=100\n"
        )


@pytest.fixture(scope="session")
def tidy_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Bootstrap address of a broker of this machine that deletes at once, and where its logs lie. Shared, as `kafka` is."""

    @contextlib.contextmanager
    def made(folder: Path) -> Iterator[str]:
        server = KafkaServer(folder)
        server.broker = TidyBroker(free_port(), free_port(), folder, 384, (LIGHT,))
        server.start()
        try:
            yield f"{server.bootstrap} {folder}"
        finally:
            server.kill()

    with shared_by_workers(tmp_path_factory.getbasetemp(), "tidy-kafka", made) as given:
        bootstrap, _, folder = given.partition(" ")
        yield bootstrap, Path(folder) / "log"


@pytest.fixture
def partitions() -> int:
    return PARTITIONS


@pytest.fixture(autouse=True)
def light_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashed in this process as elsewhere, but at once: a console begins with several, and a stack's pay in full."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
async def start_console(kafka: str, topics: str, tmp_path: Path, valkey: ValkeyServer) -> AsyncIterator[Starter]:
    """start_console(**settings): a console of this test's own, in this process; the data folder stays over restarts."""
    running: list[RunningConsole] = []

    async def start(**more: Any) -> RunningConsole:
        settings = console_settings(kafka, topics, tmp_path / "data", valkey.url, **more)
        service: Service[ConsoleSettings] = Service("console", settings)
        task = asyncio.create_task(app(service))

        def up() -> bool:
            if task.done():
                task.result()
            return service.health.ready

        await eventually(up, 30, what="the console being ready")
        token = settings.platform_token.get_secret_value()
        api = _client(settings, token or (tmp_path / "data" / "api-token").read_text().strip())
        console = RunningConsole(api, settings, api, service, task)
        running.append(console)
        await console.learn_ids()
        return console

    yield start
    for console in running:
        if console.task is not None and not console.task.done():
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await console.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this file's tests."""
    server = Postgres()
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def console_process(kafka: str, folder: Path, **more: Any) -> Iterator[tuple[ConsoleSettings, str]]:
    """A console in a process of its own, with topics and Valkey: its settings and first token."""
    prefix = f"t{secrets.token_hex(5)}"
    valkey = ValkeyServer(folder / "valkey")
    valkey.start()
    run_apart(create_topics(kafka, prefix, PARTITIONS))
    settings = console_settings(kafka, prefix, folder / "data", valkey.url, **more)
    names = ("kafka", "redis", "topic_prefix", "data", "seed", "console_port", "url", "allow_private_hosts", *more)
    env = {f"MAILROOM_{name.upper()}": str(getattr(settings, name)) for name in names}
    env |= {"MAILROOM_SECRET_KEYS": f"k1:{KEY}", "MAILROOM_MESSAGE_ID_KEYS": f"k1:{KEY}", "MAILROOM_SERVICES": "{}"}
    process = ServiceProcess("console", env, folder / "console.log", forked=True)
    try:
        process.start()
        yield settings, (folder / "data" / "api-token").read_text().strip()
    finally:
        process.kill()
        valkey.kill()
        run_apart(delete_topics(kafka, prefix))


@pytest.fixture(scope="session")
def shared(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleSettings, str]]:
    """One console for all tests that get along with a portal of their own: its settings and first token."""
    with console_process(kafka, tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture
async def console(shared: tuple[ConsoleSettings, str]) -> AsyncIterator[RunningConsole]:
    """A fresh portal like Acme (queue Support, support@, ana@) on the shared console."""
    settings, token = shared
    domain = f"acme{secrets.token_hex(4)}.example"
    async with _client(settings, token) as root:
        made = await root.post("/portals", json={"name": domain, "domains": [domain]})
        assert made.status_code == 201, made.text
        async with _client(settings, made.json()["api_token"]) as api:
            console = RunningConsole(api, settings, root, domain=domain)
            queue = (await api.post("/queues", json={"name": "Support"})).json()
            body = {"email": console.at("ana"), "name": "Ana", "queue_ids": [queue["id"]]}
            assert (await api.post("/agents", json=body)).status_code == 201
            await api.post(
                "/addresses",
                json={"kind": "internal", "local_part": "support", "full_name": "Acme Support", "queue_id": queue["id"],
                      "prefer_online": True, "auto_reply": {"enabled": True, "subject": "", "content": "Hello"}},
            )  # fmt: skip
            await console.learn_ids()
            yield console


@pytest.fixture
async def bus(request: pytest.FixtureRequest, kafka: str, tmp_path: Path) -> AsyncIterator[Bus]:
    """The topics of the test's console: the shared one's, unless the test starts its own."""
    own = "start_console" in request.fixturenames
    prefix = request.getfixturevalue("topics") if own else request.getfixturevalue("shared")[0].topic_prefix
    settings = console_settings(kafka, prefix, tmp_path / "bus", "redis://127.0.0.1:1/0")
    async with Producer(settings, source="router") as producer:
        yield Bus(settings, producer)


class Bus:
    """Reads and writes topics as another service would."""

    def __init__(self, settings: ConsoleSettings, producer: Producer) -> None:
        self.settings, self.producer = settings, producer

    async def send(self, topic: Topic, *messages: Message, partition: int | None = None) -> None:
        for message in messages:
            await self.producer.send(topic, message, partition=partition)

    async def events(self, *events: TicketEvent) -> None:
        futures = [
            await self.producer.post(topics.TICKET_EVENTS, e, causation_id=e.causation_id) for e in events
        ]  # fmt: skip
        await asyncio.gather(*futures)

    async def all(self, topic: Topic) -> list[tuple[str, Message | None]]:
        name = topic.full_name(self.settings.topic_prefix)
        return [
            (record.key.decode(), decode(topic, record.value, record.headers))
            async for record in read_to_end(self.settings, [name])
        ]

    async def latest(self, topic: Topic) -> dict[str, Message]:
        """A compacted topic as a reader sees it."""
        rows: dict[str, Message] = {}
        for key, message in await self.all(topic):
            if message is None:
                rows.pop(key, None)
            else:
                rows[key] = message
        return rows

    @contextlib.asynccontextmanager
    async def answering(
        self, console: RunningConsole, answer: Callable[[TicketCommand], list[TicketEvent]]
    ) -> AsyncIterator[list[TicketCommand]]:
        """Beside the test: answer each command of the portal with events. The commands that came are in the list."""
        seen: list[TicketCommand] = []
        consumer = AIOKafkaConsumer(
            topics.TICKET_COMMANDS.full_name(self.settings.topic_prefix), bootstrap_servers=self.settings.kafka,
            auto_offset_reset="earliest", enable_auto_commit=False,
        )  # fmt: skip
        await consumer.start()

        async def serve() -> None:
            async for record in consumer:
                command = decode(topics.TICKET_COMMANDS, record.value, record.headers)
                assert isinstance(command, TicketCommand)
                if command.portal_id != console.ids["portal"]:
                    continue
                seen.append(command)
                await self.events(*answer(command))

        task = asyncio.create_task(serve())
        try:
            yield seen
        finally:
            await end(task)
            await consumer.stop()


@pytest.fixture
def story(console: RunningConsole) -> Callable[..., Story]:
    """story(7): events of ticket 7 in Acme's first queue."""

    def make(number: int = 1, **more: Any) -> Story:
        values = {"portal": console.ids["portal"], "queue": console.ids["queue"], "address": console.ids["address"]}
        return Story(number, **(values | more))

    return make
