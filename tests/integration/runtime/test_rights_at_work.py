"""Every service, each as a user of its own with the least rights, on a Kafka that knows no others: the whole way of a mail."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mailroom_runtime.bus.rights import SERVICES, user_name
from support.certificates import Authority
from support.kafka_acls import allow
from support.processes import ServiceProcess, free_port
from support.secured_broker import PASSWORD, SecuredKafka
from support.servers import ValkeyServer
from support.sinks import Sink
from support.waiting import eventually

PREFIX = "atwork"
KEYS = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
RUNNING = ("console", "ingest_smtp", "ingest_gmail", "router", "router_audit", "autoreply", "outbound")
MAIL = "From: Jo <jo@customer.example>\r\nTo: support@acme.example\r\nSubject: My order\r\nMessage-ID: <1@c.example>\r\n\r\nWhere?\r\n"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_mail_goes_all_the_way_and_its_automatic_reply_goes_out(
    valkey: ValkeyServer, tmp_path: Path, start_service: Callable[..., ServiceProcess]
) -> None:
    authority = Authority(tmp_path / "authority")
    server = SecuredKafka(tmp_path / "kafka", authority, *map(user_name, SERVICES))
    server.start(120)
    with Sink() as relay:
        try:
            for service, rights in SERVICES.items():
                await allow(server.bootstrap, f"User:{user_name(service)}", *rights.listed(PREFIX))
            env = _environment(server, authority, valkey, tmp_path, relay.port)

            def ask(service: str, *arguments: str) -> Any:
                done = subprocess.run(
                    [sys.executable, "-m", "mailroom_cli", *arguments, "--json"], env={**os.environ, **env(service)},
                    capture_output=True, text=True, timeout=120, check=False,
                )  # fmt: skip
                return json.loads(done.stdout.splitlines()[0]) if done.stdout else done.stderr

            created = ask("topics", "topics", "create")
            assert created["drift"] == [], created
            assert created["groups_started"]
            started = {
                name: start_service(
                    name, env(name), ready=False, module="mailroom_router.audit" if name == "router_audit" else None
                )
                for name in RUNNING
            }
            for process in started.values():
                process.wait_ready(120)
            with smtplib.SMTP("127.0.0.1", int(env("ingest_smtp")["MAILROOM_SMTP_PORT"]), timeout=30) as client:
                client.sendmail("jo@customer.example", ["support@acme.example"], MAIL)
            await eventually(lambda: sum(relay.taken.values()) == 1, 90, what="the automatic reply at the relay")

            token = (tmp_path / "api-token").read_text().strip()
            url = f"http://127.0.0.1:{env('console')['MAILROOM_CONSOLE_PORT']}/api/v1"

            def sent() -> bool:
                headers = {"Authorization": f"Bearer {token}"}
                (ticket,) = httpx.get(f"{url}/tickets", headers=headers).json()["items"]
                whole = httpx.get(f"{url}/tickets/{ticket['id']}", headers=headers).json()
                states = [(m.get("delivery") or {}).get("state") for m in whole["messages"] if m["direction"] == "out"]
                return states == ["sent"]

            await eventually(sent, 30, what="the reply shown as sent")
            said = {check["check"]: check for check in ask("operator", "doctor")["checks"]}
            for check in ("kafka", "topics", "brokers", "offsets", "lag", "records"):
                assert said[check]["ok"], said[check]
            for name, process in started.items():
                assert process.ready, name
                refused = [line for line in process.output().splitlines() if "uthoriz" in line]
                assert not refused, (name, refused[:3])
        finally:
            server.kill()


def _environment(
    server: SecuredKafka, authority: Authority, valkey: ValkeyServer, folder: Path, relay: int
) -> Callable[[str], dict[str, str]]:
    ports = {name: str(free_port()) for name in ("smtp", "lmtp", "console")}

    def of(service: str) -> dict[str, str]:
        return {
            "MAILROOM_KAFKA": server.sasl, "MAILROOM_KAFKA_SECURITY": "SASL_SSL",
            "MAILROOM_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "MAILROOM_KAFKA_USERNAME": user_name(service),
            "MAILROOM_KAFKA_PASSWORD": PASSWORD, "MAILROOM_KAFKA_CA_FILE": str(authority.ca_file),
            "MAILROOM_TOPIC_PREFIX": PREFIX, "MAILROOM_PARTITIONS": "2", "MAILROOM_REDIS": valkey.url,
            "MAILROOM_DATA": str(folder), "MAILROOM_SECRET_KEYS": KEYS, "MAILROOM_MESSAGE_ID_KEYS": KEYS,
            "MAILROOM_SEED": "local", "MAILROOM_VERDICTS": "false", "MAILROOM_RELAY_URL": f"smtp://127.0.0.1:{relay}",
            "MAILROOM_SMTP_PORT": ports["smtp"], "MAILROOM_LMTP_PORT": ports["lmtp"], "MAILROOM_SERVICES": "{}",
            "MAILROOM_CONSOLE_PORT": ports["console"], "MAILROOM_URL": f"http://127.0.0.1:{ports['console']}",
        }  # fmt: skip

    return of
