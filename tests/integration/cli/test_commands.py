"""The `mailroom` command against real Kafka, Valkey and console."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import Actor, AddNote, Address
from mailroom_contracts import topics as names
from mailroom_runtime.bus.dead_letters import bury
from mailroom_runtime.bus.kafka import Producer, read_to_end
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.seals.sealing import Sealer
from support.forking import run
from support.processes import REPOSITORY, free_port
from support.servers import ValkeyServer
from support.waiting import eventually

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


class Cli:
    """Runs `mailroom` with an environment."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = {"PATH": "/usr/bin:/bin", **env}

    def __call__(self, *arguments: str, status: int = 0, **env: str) -> str:
        done = run("mailroom_cli", arguments, REPOSITORY, {**self.env, **env})
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments: str, status: int = 0, **env: str) -> Any:
        return json.loads(self(*arguments, "--json", status=status, **env).splitlines()[0])


@pytest.fixture
def cli(kafka: str, topics: str, valkey: ValkeyServer, tmp_path: Path) -> Cli:
    return Cli(
        {
            "MAILROOM_KAFKA": kafka,
            "MAILROOM_TOPIC_PREFIX": topics,
            "MAILROOM_PARTITIONS": "4",
            "MAILROOM_REDIS": valkey.url,
            "MAILROOM_DATA": str(tmp_path),
            "MAILROOM_SECRET_KEYS": f"k1:{OLD}",
            "MAILROOM_MESSAGE_ID_KEYS": f"k1:{OLD}",
            "MAILROOM_CONSOLE_PORT": str(free_port()),
            "MAILROOM_SEED": "local",
        }
    )


def settings_of(cli: Cli) -> ServiceSettings:
    return ServiceSettings(kafka=cli.env["MAILROOM_KAFKA"], topic_prefix=cli.env["MAILROOM_TOPIC_PREFIX"], partitions=4)


async def test_dead_letters_are_listed_shown_and_replayed_byte_for_byte(cli: Cli) -> None:
    settings = settings_of(cli)
    note = AddNote(id="c1", ticket_id="t1", portal_id="p", actor=Actor(kind="api"), at="2026-11-24T00:00:00Z", text="x")
    value = b' {"odd":  "bytes", "kept": true} '
    async with Producer(settings, source="test") as producer:
        await bury(
            producer, topic=names.TICKET_COMMANDS, prefix=settings.topic_prefix, service="router", key=b"t1", value=value,
            headers=[("ce_id", note.id.encode()), ("traceparent", b"00-1")], partition=1, offset=7, error="no good",
            error_type="Poison",
        )  # fmt: skip
    (row,) = cli.json("dead", "list")
    assert (row["service"], row["error"], row["event_id"]) == ("router", "no good", "c1")
    assert cli.json("dead", "list", "--topic", "email.received") == []
    assert cli.json("dead", "show", row["id"])["headers"]["traceparent"] == "00-1"
    assert cli.json("dead", "replay", row["id"]) == {"replayed": 1}
    assert cli.json("dead", "replay", "--topic", "ticket.commands") == {"replayed": 1}
    name = names.TICKET_COMMANDS.full_name(settings.topic_prefix)
    back = [r async for r in read_to_end(settings, [name])]
    assert [r.value for r in back] == [value, value]
    assert [key for key, _ in back[0].headers] == ["ce_id", "traceparent"]
    assert "no topic 'nonsense'" in cli("dead", "list", "--topic", "nonsense", status=1)
    assert "looks like" in cli("dead", "show", "x", status=1)
    assert "no such dead letter" in cli("dead", "show", row["id"].rsplit("/", 1)[0] + "/99", status=1)


def test_topics_create_starts_a_lost_group_only_when_told(cli: Cli) -> None:
    there = 2 * len(names.TOPICS)  # each with its dead letters
    assert cli.json("topics", "create") == {"created": [], "existing": there, "drift": [], "groups_started": []}
    started = cli.json("topics", "create", "--start-group", "autoreply=end")
    assert started["groups_started"] == ["autoreply"]
    assert "need 3 brokers; 1 answer" in cli("topics", "create", "--replication", "3", status=1)
    assert "between 1 and the 1 copies" in cli("topics", "create", "--min-insync", "2", status=1)
    assert "GROUP=beginning or GROUP=end" in cli("topics", "create", "--start-group", "autoreply", status=1)
    assert "no consumer group nonsense" in cli("topics", "create", "--start-group", "nonsense=end", status=1)
    assert any(
        "partitions" in line for line in cli.json("topics", "create", status=1, MAILROOM_PARTITIONS="5")["drift"]
    )


def test_without_kafka_and_console_the_words_say_what_to_do(cli: Cli) -> None:
    port = free_port()
    assert "does not answer" in cli("topics", "create", status=1, MAILROOM_KAFKA=f"127.0.0.1:{port}")
    assert "does not answer" in cli(
        "address", "list", status=1, MAILROOM_TOKEN="x", MAILROOM_URL=f"http://127.0.0.1:{port}"
    )
    assert "MAILROOM_TOKEN" in cli("address", "list", status=1)


@pytest.mark.timeout(240)
async def test_doctor_configuration_and_key_rotation(
    cli: Cli, start_service: Callable[..., Any], valkey: ValkeyServer
) -> None:
    looked = cli.json("doctor", status=1)
    said = {check["check"]: check for check in looked["checks"]}
    assert said["kafka"]["ok"]
    assert said["topics"]["ok"]
    assert said["offsets"]["ok"]
    assert said["brokers"]["ok"], said["brokers"]
    assert said["valkey"]["ok"]
    assert not said["console"]["ok"]
    assert said["console"]["advice"]

    console = start_service("console", cli.env)
    cli.env["MAILROOM_URL"] = f"http://127.0.0.1:{cli.env['MAILROOM_CONSOLE_PORT']}"
    said = {check["check"]: check for check in cli.json("doctor", status=1)["checks"]}
    assert said["console"]["ok"]
    assert said["addresses"]["ok"]
    assert not said["services"]["ok"], "only the console runs here"

    assert cli.json("address", "list")[0]["email"] == "support@acme.example"
    assert cli.json("queue", "add", "Sales")["name"] == "Sales"
    added = cli.json("address", "add", "sales", "--queue", "Sales", "--prefer-online")
    assert (added["email"], added["prefer_online"]) == ("sales@acme.example", True)
    assert cli.json("address", "update", "sales@acme.example", "--full-name", "Sales team")["full_name"] == "Sales team"
    assert not cli.json("address", "disable", "sales@acme.example")["active"]
    assert "no queue Nope" in cli("address", "update", "sales@acme.example", "--queue", "Nope", status=1)
    cli.json("agent", "online", "ana@acme.example")
    assert next(a for a in cli.json("agent", "list") if a["email"] == "ana@acme.example")["presence"] == "online"
    valkey.stop()
    assert "valkey" in {c["check"] for c in cli.json("doctor", status=1)["checks"] if not c["ok"]}
    valkey.start()

    # a secret sealed with the old key, as it lies in the database of an installation of last year
    address_id = _give_smtp_account(Path(cli.env["MAILROOM_DATA"]) / "console.db", Sealer({"k1": bytes([1]) * 32}))
    console.terminate()
    cli.env["MAILROOM_SECRET_KEYS"] = f"k2:{NEW},k1:{OLD}"
    start_service("console", cli.env)
    rotated = cli.json("keys", "rotate")
    assert (rotated["rotated"], rotated["broken"]) == (1, [])
    assert cli.json("keys", "rotate")["rotated"] == 0
    settings = settings_of(cli)
    only_new = Sealer({"k2": bytes([2]) * 32})

    async def published() -> bool:
        name = names.ADDRESSES.full_name(settings.topic_prefix)
        latest = [r async for r in read_to_end(settings, [name]) if r.key == address_id.encode() and r.value]
        account = Address.model_validate_json(latest[-1].value).smtp
        assert account is not None
        assert account.secret is not None
        return (
            not only_new.needs_rotation(account.secret)
            and only_new.open(account.secret, bound_to=address_id) == "hunter2"
        )

    await eventually(published, 30)


def _give_smtp_account(database: Path, sealer: Sealer) -> str:
    with sqlite3.connect(database, timeout=20) as connection:
        (address_id,) = connection.execute("SELECT id FROM addresses WHERE email = 'sales@acme.example'").fetchone()
        account = {"host": "smtp.x.example", "port": 587, "tls": "starttls", "username": "u",
                   "secret": sealer.seal("hunter2", bound_to=address_id), "secret_revision": 1}  # fmt: skip
        connection.execute(
            "UPDATE addresses SET kind = 'smtp', smtp = ? WHERE id = ?", (json.dumps(account), address_id)
        )
    return str(address_id)


def test_a_new_key_is_one_that_the_settings_take(cli: Cli) -> None:
    made = cli("keys", "new", "k9").strip()
    assert made.startswith("k9:")
    assert len(ServiceSettings(secret_keys=made).secret_ring()["k9"]) == 32
