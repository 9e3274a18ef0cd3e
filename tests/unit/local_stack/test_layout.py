"""The local stack's ports, folder and environment."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from broker import Broker
from layout import HEALTH_ORDER, PORTS, REPOSITORY, Layout, WrongSetting
from processes import SERVICES, infrastructure


def test_defaults_are_those_of_the_interface() -> None:
    layout = Layout.read({})
    assert layout.data == REPOSITORY / ".data"
    assert layout.bootstrap == "127.0.0.1:19092"
    assert layout.redis_url == "redis://127.0.0.1:16379/0"
    assert (layout.ports["smtp"], layout.ports["lmtp"], layout.ports["console"]) == (2525, 2424, 8080)
    assert (layout.ports["mailbox_smtp"], layout.ports["mailbox"]) == (2526, 8026)
    health = {name: layout.health_port(name) for name in HEALTH_ORDER}
    assert health == {
        "ingest_smtp": 9101,
        "ingest_gmail": 9102,
        "router": 9103,
        "autoreply": 9104,
        "outbound": 9105,
        "console": 9106,
        "router_audit": 9107,
    }
    assert set(health) == set(SERVICES)


def test_an_offset_moves_every_default_but_nothing_that_was_set() -> None:
    layout = Layout.read(
        {"MAILROOM_PORT_OFFSET": "100", "MAILROOM_SMTP_PORT": "2600", "MAILROOM_KAFKA": "localhost:5000"}
    )
    assert layout.ports["smtp"] == 2600
    assert layout.ports["kafka"] == 5000
    assert layout.ports["kafka_controller"] == 5001
    for name in ("redis", "mailbox_smtp", "mailbox", "lmtp", "console", "health"):
        assert layout.ports[name] == PORTS[name][0] + 100


def test_ports_come_from_urls_too_and_a_relay_elsewhere_leaves_the_mailbox_where_it_is() -> None:
    assert Layout.read({"MAILROOM_REDIS": "redis://127.0.0.1:7000/1"}).ports["redis"] == 7000
    assert Layout.read({"MAILROOM_RELAY_URL": "smtp://127.0.0.1:7025"}).ports["mailbox_smtp"] == 7025
    elsewhere = {"MAILROOM_RELAY_URL": "smtp://relay.acme.example:25"}
    assert Layout.read(elsewhere).ports["mailbox_smtp"] == 2526


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"MAILROOM_SMTP_PORT": "smtp"}, "MAILROOM_SMTP_PORT"),
        ({"MAILROOM_CONSOLE_PORT": "70000"}, "MAILROOM_CONSOLE_PORT"),
        ({"MAILROOM_KAFKA": "kafka.acme.example:9092"}, "MAILROOM_KAFKA"),
        ({"MAILROOM_REDIS": "redis://127.0.0.1:x"}, "MAILROOM_REDIS"),
        ({"MAILROOM_SMTP_PORT": "2526"}, "MAILROOM_SMTP_PORT"),
        ({"MAILROOM_PORT_OFFSET": "-3"}, "MAILROOM_PORT_OFFSET"),
    ],
)
def test_a_wrong_setting_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(WrongSetting, match=named):
        Layout.read(env)


def test_secrets_are_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    layout = Layout.read({"MAILROOM_DATA": str(tmp_path)})
    first = layout.environment({})
    assert layout.environment({}) == first
    key_id, _, key = first["MAILROOM_SECRET_KEYS"].partition(":")
    assert (key_id, len(base64.b64decode(key))) == ("k1", 32)
    assert first["MAILROOM_MESSAGE_ID_KEYS"] != first["MAILROOM_SECRET_KEYS"]
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_what_the_user_sets_passes_through_and_makes_own_variables_do_not(tmp_path: Path) -> None:
    given = {
        "MAILROOM_DATA": str(tmp_path),
        "MAILROOM_LOG_LEVEL": "debug",
        "MAILROOM_SECRET_KEYS": "mine:abc",
        "MAILROOM_PORT_OFFSET": "10",
        "MAKEFLAGS": "s",
    }
    environment = Layout.read(given).environment(given)
    assert environment["MAILROOM_LOG_LEVEL"] == "debug"
    assert environment["MAILROOM_SECRET_KEYS"] == "mine:abc"
    assert environment["MAILROOM_KAFKA"] == "127.0.0.1:19102"
    assert environment["MAILROOM_URL"] == "http://127.0.0.1:8090"
    assert "MAKEFLAGS" not in environment
    assert "MAILROOM_PORT_OFFSET" not in environment


def test_a_running_stack_is_found_by_its_folder_whatever_the_ports_say_now(tmp_path: Path) -> None:
    started = Layout.read({"MAILROOM_DATA": str(tmp_path), "MAILROOM_PORT_OFFSET": "300"})
    started.save()
    assert Layout.running_or({"MAILROOM_DATA": str(tmp_path)}) == started
    assert Layout.running_or({"MAILROOM_DATA": str(tmp_path / "other")}).ports["smtp"] == 2525


def test_three_brokers_are_one_cluster_with_ports_of_their_own() -> None:
    layout = Layout.read({"MAILROOM_LOCAL_BROKERS": "3", "MAILROOM_PORT_OFFSET": "100"})
    assert layout.bootstrap == "127.0.0.1:19192,127.0.0.1:19194,127.0.0.1:19196"
    parts = {part.name: part.command for part in infrastructure(layout)}
    assert list(parts)[:3] == ["kafka", "kafka_2", "kafka_3"]
    assert [command[-2:] for name, command in parts.items() if name in layout.brokers()] == [
        [node, "19193,19195,19197"] for node in "123"
    ]
    properties = Broker(19194, 19195, Path("b"), node=2, quorum=(19193, 19195, 19197)).properties()
    assert "controller.quorum.voters=1@127.0.0.1:19193,2@127.0.0.1:19195,3@127.0.0.1:19197\n" in properties
    assert "transaction.state.log.min.isr=2\n" in properties
    assert len({port for port, _, _ in layout.listening()}) == len(layout.listening())
    with pytest.raises(WrongSetting, match="MAILROOM_LOCAL_BROKERS"):
        Layout.read({"MAILROOM_LOCAL_BROKERS": "2"})
