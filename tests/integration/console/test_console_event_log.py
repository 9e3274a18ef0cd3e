"""What was erased leaves the event log, too: console, router and a broker whose disks are looked at afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from mailroom_console.erasing import event_log
from mailroom_contracts import BlobRef, BounceInfo, EmailReceived, RecipientReport, topics
from mailroom_contracts.topics import TOPICS
from mailroom_runtime.blobs.store import BlobStore
from support.processes import ServiceProcess
from support.router_world import mail
from support.servers import ValkeyServer
from support.waiting import eventually

from .conftest import KEY, PARTITIONS, Bus, RunningConsole, Starter
from .test_console_erasing import blobs_with, tables_with

WORD = "xylophone"
KEPT_30_DAYS = {t.name for t in TOPICS if t.retention_ms not in (None, -1)}


@pytest.fixture
def kafka(tidy_kafka: tuple[str, Path]) -> str:
    return tidy_kafka[0]


@pytest.fixture
def disks(tidy_kafka: tuple[str, Path]) -> Path:
    """Where the broker's logs lie."""
    return tidy_kafka[1]


async def hurry(kafka: str, prefix: str) -> None:
    """Days become a second: parts of logs end, and what is compacted goes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    quick = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0"}
    await admin.alter_configs([
        ConfigResource(ConfigResourceType.TOPIC, t.full_name(prefix), configs=t.configs() | (quick if t.compacted else {"segment.ms": "1000"}))
        for t in TOPICS if t.compacted or t is topics.TICKET_EVENTS
    ])  # fmt: skip
    await admin.close()


def topics_with(words: list[str], disks: Path, prefix: str) -> set[str]:
    """The topics that have one of these words anywhere in the broker's files."""
    return {
        file.parent.name.removeprefix(f"{prefix}.").rsplit(".v1", 1)[0]
        for file in disks.rglob("*.log*") if file.parent.name.startswith(prefix)
        if any(word.encode() in _bytes(file) for word in words)
    }  # fmt: skip


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # deleted a moment ago
        return b""


def keys_with(words: list[str], valkey: ValkeyServer) -> list[bytes]:
    """The keys of Valkey that have one of these words in their names or in what they hold."""
    read = {b"string": "GET", b"hash": "HGETALL", b"set": "SMEMBERS", b"zset": "ZRANGE", b"list": "LRANGE"}
    found: list[bytes] = []
    with valkey.client() as client:
        for key in client.scan_iter():
            kind: Any = client.type(key)
            told = repr(client.execute_command(read[kind], key, *([0, -1] if kind in (b"zset", b"list") else [])))
            found += [key] * any(word in f"{key!r} {told}" for word in words)
    return found


class Town:
    """A console with its router, and people who write."""

    def __init__(self, console: RunningConsole, bus: Bus) -> None:
        self.console, self.bus, self.number = console, bus, 0
        self.store = BlobStore(console.settings.blob_url)

    async def writes(
        self, email: str, text: str, portal: RunningConsole | None = None, bounce: BounceInfo | None = None
    ) -> EmailReceived:
        self.number += 1
        more = {"bounce": bounce} if bounce is not None else {}
        to = (portal or self.console).at("support")
        received = mail(self.number, sender=email, to=(to,), portal=(portal or self.console).ids["portal"], text=text,
                        subject=f"{text[:20]} {self.number}", **more)  # fmt: skip
        raw = await self.store.add(received.raw.key, f"From: {email}\n\n{text}".encode())
        received = received.model_copy(update={"raw": BlobRef(**raw.model_dump())})
        await self.bus.send(topics.EMAIL_RECEIVED, received)
        return received

    async def shows(self, number: int, portal: RunningConsole | None = None) -> list[dict[str, Any]]:
        async def there() -> Any:
            items = (await (portal or self.console).get("/tickets", limit=100))["items"]
            return items if len(items) == number else None

        found: list[dict[str, Any]] = await eventually(there, 60, what=f"{number} tickets")
        return found


async def _bounces(console: RunningConsole, number: int) -> bool:
    return len((await console.get("/unmatched-bounces"))["items"]) == number


async def erased(api: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    async def done() -> Any:
        items = [e for e in (await api.get("/erasures")).json()["items"] if e["kind"] == kind]
        return items[0] if items and items[0]["state"] == "done" else None

    found: dict[str, Any] = await eventually(done, 60, what="the erasure being done")
    return found


async def renewed(api: httpx.AsyncClient) -> None:
    asked = await api.post("/event-log/renew", json={})
    assert asked.status_code == 202, asked.text
    assert {row["state"] for row in asked.json()["partitions"]} == {"asked"}

    async def idle() -> Any:
        rows = (await api.get("/event-log")).json()["partitions"]
        assert not [row for row in rows if row["problem"]], rows
        return len(rows) == PARTITIONS and all(row["state"] == "idle" for row in rows)

    await eventually(idle, 90, what="the event log being renewed")


async def listed(console: RunningConsole) -> dict[str, Any]:
    """What is shown of every ticket, but for what counts from now."""
    items = (await console.get("/tickets", limit=100))["items"]
    return {item["id"]: await console.get(f"/tickets/{item['id']}") for item in items}


def routing(start_service: Any, kafka: str, topics: str, folder: Path, valkey: ValkeyServer) -> ServiceProcess:
    """A real router, its tables below the folder."""
    settings = {"KAFKA": kafka, "REDIS": valkey.url, "TOPIC_PREFIX": topics, "PARTITIONS": str(PARTITIONS), "DATA": str(folder / "data"),
                "MESSAGE_ID_KEYS": f"k1:{KEY}"}  # fmt: skip
    router: ServiceProcess = start_service("router", {f"MAILROOM_{k}": v for k, v in settings.items()})
    return router


async def nowhere_but_in_tables(
    words: list[str], console: RunningConsole, topics: str, disks: Path, folder: Path, valkey: ValkeyServer
) -> None:
    """The words are on no broker's disk but in what ends in 30 days, in no blob, in none of the router's tables, and in no key."""

    async def gone() -> bool:
        left = topics_with(words, disks, topics)
        assert left <= KEPT_30_DAYS, f"still in {left - KEPT_30_DAYS}"
        return True

    await eventually(gone, 60, every=0.5, what="the brokers' disks")
    for word in words:
        assert blobs_with(word, Path(console.settings.blob_url)) == [], word
        assert blobs_with(word, folder / "data" / "router") == [], word
    assert keys_with(words, valkey) == []


async def rebuilt_the_same(console: RunningConsole) -> None:
    """Who begins at the beginning now sees what everybody sees."""
    before = await listed(console)
    assert (await console.api.post("/rebuild")).status_code in (200, 202)

    async def rebuilt() -> bool:
        return not (await console.get("/rebuild"))["rebuilding"]

    await eventually(rebuilt, 60, what="the rebuild")
    assert await listed(console) == before


@pytest.mark.timeout(400)
async def test_nothing_of_a_person_or_a_portal_is_left_but_what_ends_in_thirty_days(
    start_console: Starter, bus: Bus, kafka: str, topics: str, disks: Path, tmp_path: Path,
    valkey: ValkeyServer, start_service: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(event_log, "FINISHED", 0)  # segments end after a second here
    await hurry(kafka, topics)
    console = await start_console()
    router = routing(start_service, kafka, topics, tmp_path, valkey)
    town = Town(console, bus)
    await town.writes("jo@marked.example", f"{WORD}: where is it?")
    await town.writes("jo@marked.example", f"another {WORD}")
    for number in range(8):
        await town.writes(f"kim{number}@customer.example", "My order")
    lost = BounceInfo(formal=True, recipients=[RecipientReport(recipient="jo@marked.example", state="failed")])
    await town.writes("mailer-daemon@elsewhere.example", f"no such user jo@marked.example, {WORD}", bounce=lost)
    shown = await town.shows(10)
    await eventually(lambda: _bounces(console, 1), 30)
    for item in shown:
        answer = await console.api.post(f"/tickets/{item['id']}/notes", json={"text": "It left today."},
                                        headers={"Idempotency-Key": item["id"]})  # fmt: skip
        assert answer.status_code in (200, 201, 202), answer.text
    words = [WORD, "jo@marked.example", "Jo <", '"Jo"']
    assert "ticket.events" in topics_with(words, disks, topics)

    # a person
    assert (await console.api.post("/people/erase", json={"email": "jo@marked.example"})).status_code == 202
    erasure = await erased(console.api, "person")
    assert erasure["event_log"]["state"] == "kept"
    await town.shows(8)
    before = await listed(console)
    await renewed(console.api)
    assert (await erased(console.api, "person"))["event_log"]["state"] == "gone"
    assert await listed(console) == before

    # a portal
    made = (await console.api.post("/portals", json={"name": "Zebra Ltd", "domains": ["zebra.example"]})).json()
    headers = {"Authorization": f"Bearer {made['api_token']}"}
    async with httpx.AsyncClient(base_url=f"{console.settings.url}/api/v1", headers=headers, timeout=20) as api:
        zebra = RunningConsole(api, console.settings, console.api, domain="zebra.example")
        queue = (await api.post("/queues", json={"name": "Zebra queue"})).json()
        made_address = await api.post("/addresses", json={"kind": "internal", "local_part": "support", "full_name": "Zebra",
                                                          "queue_id": queue["id"]})  # fmt: skip
        assert made_address.status_code == 201
        zebra.ids = {"portal": made["id"], "queue": queue["id"]}
        for number in range(4):
            await town.writes(f"m{number}@zebra-customer.example", "striped", zebra)
        await town.shows(4, zebra)
    assert (await console.api.post(f"/portals/{made['id']}/delete", json={"name": "Zebra Ltd"})).status_code == 202
    await erased(console.api, "portal")
    await renewed(console.api)

    words += ["zebra", "Zebra", "striped"]

    await nowhere_but_in_tables(words, console, topics, disks, tmp_path, valkey)
    for word in words:
        found = [t for t in tables_with(word, console.settings.data / "console.db") if t not in ("erasures", "audit")]
        assert found == [], word
    await rebuilt_the_same(console)
    assert router.running
