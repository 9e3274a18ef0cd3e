"""The compose file has every service, in flow order, with limits and without privileges."""

from __future__ import annotations

from pathlib import Path

import yaml
from mailroom_runtime.launch import FORCED_S
from mailroom_runtime.process.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
FLOW = ["kafka", "valkey", "topics", "ingest_smtp", "ingest_gmail", "router", "router_audit", "autoreply", "outbound",
        "console", "mailbox"]  # fmt: skip
COMPOSE = yaml.load((ROOT / "docker-compose.yml").read_text(), yaml.CSafeLoader)


def test_services_stand_in_flow_order() -> None:
    assert list(COMPOSE["services"]) == FLOW


def test_our_services_have_limits_secrets_as_files_and_a_read_only_root() -> None:
    for name in FLOW[3:-1]:
        service = COMPOSE["services"][name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert set(service.get("secrets", ())) <= {"mailroom_secret_keys", "mailroom_message_id_keys"}, name
        assert not any("KEYS" in key for key in service["environment"]), name


def test_our_services_get_the_time_that_a_stop_takes_at_most() -> None:
    longest = ServiceSettings.model_fields["drain_s"].default + FORCED_S
    for name in FLOW[3:-1]:
        assert float(COMPOSE["services"][name]["stop_grace_period"].removesuffix("s")) > longest, name
    for file in (ROOT / "deploy" / "kubernetes" / "base").glob("*.yaml"):
        for document in yaml.safe_load_all(file.read_text()):
            if document["kind"] == "Deployment":
                assert document["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > longest, file.name


def test_every_port_is_on_loopback() -> None:
    for name, service in COMPOSE["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"


def test_each_image_is_built_from_pins_with_hashes() -> None:
    for name in (
        "ingest_smtp",
        "ingest_gmail",
        "router",
        "autoreply",
        "outbound",
        "console",
        "cli",
        "build",
        "mailbox",
    ):
        pins = (ROOT / "deploy" / "requirements" / f"{name}.lock").read_text()
        assert "--hash=sha256:" in pins
        assert "://" not in pins, "no address of a registry may be committed"
