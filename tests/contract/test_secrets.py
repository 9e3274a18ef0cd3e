"""Each service gets the secrets that it needs, and no others: in Kubernetes as rendered, and in Compose."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mailroom_console.settings import ConsoleSettings
from mailroom_gmail import GoogleSettings
from mailroom_ingest_gmail.settings import IngestGmailSettings
from mailroom_ingest_smtp.settings import IngestSmtpSettings
from mailroom_oauth.settings import OAuthSettings
from mailroom_outbound.settings import OutboundSettings
from pydantic import SecretStr

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SETTINGS = (ConsoleSettings, GoogleSettings, IngestGmailSettings, IngestSmtpSettings, OAuthSettings, OutboundSettings)

SEALS, SIGNATURES = {"MAILROOM_SECRET_KEYS"}, {"MAILROOM_MESSAGE_ID_KEYS"}
GOOGLE = {"MAILROOM_GOOGLE_CLIENT_ID", "MAILROOM_GOOGLE_CLIENT_SECRET"}
MICROSOFT = {"MAILROOM_MICROSOFT_CLIENT_ID", "MAILROOM_MICROSOFT_CLIENT_SECRET"}
REDIS, DATABASE = {"MAILROOM_REDIS"}, {"MAILROOM_DATABASE"}
NEEDS: dict[str, set[str]] = {
    "topics": set(),
    "ingest_smtp": set(),
    "ingest_gmail": SEALS | SIGNATURES | GOOGLE,
    "router": REDIS | SIGNATURES,
    "router_audit": set(),
    "autoreply": REDIS,
    "outbound": REDIS | SEALS | GOOGLE | MICROSOFT | {"MAILROOM_RELAY_URL"},
    "console": REDIS | DATABASE | SEALS | SIGNATURES | GOOGLE | MICROSOFT | {"MAILROOM_PLATFORM_TOKEN"},
}
KAFKA = {"MAILROOM_KAFKA_PASSWORD", "MAILROOM_KAFKA_CLIENT_SECRET"}  # each service's own, where Kafka is secured


def secret_settings() -> set[str]:
    """Every variable that may hold a secret: by its type, or since a password may stand in its URL."""
    found = REDIS | DATABASE | {"MAILROOM_GOOGLE_CLIENT_ID", "MAILROOM_MICROSOFT_CLIENT_ID"}
    for settings in SETTINGS:
        for name, field in settings.model_fields.items():
            if field.annotation is SecretStr:
                found.add(f"MAILROOM_{name.upper()}")
    return found


def manifests() -> dict[str, list[dict[str, Any]]]:
    """The base as it stands, and what `kubectl kustomize` makes of each overlay where it is here."""
    kustomization = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())
    base = [
        document
        for name in kustomization["resources"]
        for document in yaml.load_all((KUBERNETES / "base" / name).read_text(), yaml.CSafeLoader)
        if document
    ]
    found = {"base": base}
    if shutil.which("kubectl"):
        for overlay in sorted((KUBERNETES / "overlays").iterdir()):
            done = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True)
            found[overlay.name] = list(yaml.load_all(done.stdout, yaml.CSafeLoader))
    return found


RENDERED = manifests()


def containers(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in RENDERED[name]:
        if resource["kind"] in ("Deployment", "StatefulSet", "Job"):
            for container in resource["spec"]["template"]["spec"]["containers"]:
                yield resource["metadata"]["name"].replace("-", "_"), container


@pytest.mark.parametrize("overlay", RENDERED)
def test_kubernetes_hands_each_service_its_own_secrets_by_name(overlay: str) -> None:
    seen = set()
    for service, container in containers(overlay):
        seen.add(service)
        assert all("secretRef" not in source for source in container.get("envFrom", ())), f"{service}: a whole Secret"
        given = {entry["name"] for entry in container.get("env", ()) if entry["name"] in secret_settings()}
        assert given <= NEEDS[service] | KAFKA, service
        assert NEEDS[service] <= given, service
        for entry in container.get("env", ()):
            if entry["name"] in secret_settings() and overlay != "small":
                assert "value" not in entry, f"{service}: {entry['name']} stands in the manifest"
    assert seen == set(NEEDS)


@pytest.mark.parametrize("overlay", RENDERED)
def test_what_all_services_share_holds_no_secret(overlay: str) -> None:
    for resource in RENDERED[overlay]:
        if resource["kind"] == "ConfigMap":
            shared = resource["data"]
            assert set(shared) & secret_settings() <= {"MAILROOM_RELAY_URL"}
            assert "@" not in shared.get("MAILROOM_RELAY_URL", "")


def test_compose_hands_each_service_its_own_secrets() -> None:
    for service, needs in NEEDS.items():
        given = COMPOSE["services"][service]
        files = {f"{name}".upper() for name in given.get("secrets", ())}
        variables = {name for name in given["environment"] if name in secret_settings()}
        assert files | variables <= needs | KAFKA, service
        # what is not handed on has a default that is right there: SQLite, and the token in the console's volume
        assert needs - files - variables <= DATABASE | {"MAILROOM_PLATFORM_TOKEN"}, service


def test_compose_lets_nobody_reach_private_networks_unless_told() -> None:
    for name, service in COMPOSE["services"].items():
        value = service.get("environment", {}).get("MAILROOM_ALLOW_PRIVATE_HOSTS")
        assert value == ("${MAILROOM_ALLOW_PRIVATE_HOSTS:-false}" if name in ("outbound", "console") else None), name


def test_small_keeps_its_data_and_runs_one_console() -> None:
    overlay = KUBERNETES / "overlays" / "small"
    claims = [d for d in yaml.safe_load_all((overlay / "console-disk.yaml").read_text()) if d]
    assert [c["kind"] for c in claims] == ["PersistentVolumeClaim"]
    for resource in RENDERED.get("small", ()):
        if resource["kind"] != "Deployment" or resource["metadata"]["name"] != "console":
            continue
        spec = resource["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
        (data,) = [v for v in spec["template"]["spec"]["volumes"] if v["name"] == "data"]
        assert data == {"name": "data", "persistentVolumeClaim": {"claimName": claims[0]["metadata"]["name"]}}
        (container,) = spec["template"]["spec"]["containers"]
        (database,) = [e for e in container["env"] if e["name"] == "MAILROOM_DATABASE"]
        assert database["value"].startswith("sqlite+aiosqlite:////data/")


@pytest.mark.parametrize("overlay", RENDERED)
def test_several_consoles_have_postgresql_or_do_not_start(overlay: str) -> None:
    for resource in RENDERED[overlay]:
        if resource["kind"] == "Deployment" and resource["metadata"]["name"] == "console":
            (container,) = resource["spec"]["template"]["spec"]["containers"]
            (database,) = [e for e in container["env"] if e["name"] == "MAILROOM_DATABASE"]
            if resource["spec"]["replicas"] > 1:
                assert "optional" not in database["valueFrom"]["secretKeyRef"]
