"""docker-compose.yml: builds, starts, and plays the whole story, as `make demo STACK=compose` does.

Needs a Docker engine with compose; where images cannot be downloaded, `../shared/tools/docker-here compose` makes one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from support.processes import REPOSITORY
from support.stacks import free_offset

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1500)]


def compose(*arguments: str, env: dict[str, str], check: bool = True) -> str:
    done = subprocess.run(
        ["docker", "compose", *arguments], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Ports of its own and a project of its own, so that a running compose stack is left alone."""
    offset = free_offset()
    ports = {
        "MAILROOM_CONSOLE_PORT": 8080,
        "MAILROOM_SMTP_PORT": 2525,
        "MAILROOM_LMTP_PORT": 2424,
        "MAILROOM_MAILBOX_SMTP_PORT": 2526,
        "MAILROOM_MAILBOX_PORT": 8026,
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAILROOM_")}
    env = clean | {name: str(port + offset) for name, port in ports.items()}
    env |= {"COMPOSE_PROJECT_NAME": f"mailroomtest{offset}", "STACK": "compose"}
    yield env | {"MAILROOM_URL": f"http://127.0.0.1:{8080 + offset}"}
    compose("down", "-v", "--remove-orphans", env=env, check=False)


def test_the_story_on_compose(environment: dict[str, str]) -> None:
    told = subprocess.run(
        ["make", "demo"],
        cwd=REPOSITORY,
        env=environment | {"JSON": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    logs = compose("logs", "--tail", "20", env=environment, check=False)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:] + logs
    facts = json.loads(told.stdout.splitlines()[-1])
    assert facts["second_message_ticket_id"] == facts["ticket"]["id"]
    assert facts["auto_reply"]["auto_submitted"] == "auto-replied"
    assert facts["refused"] == {"status": 409, "code": "receive_only"}

    running = [json.loads(line) for line in compose("ps", "--format", "json", env=environment).splitlines()]
    assert {c["Service"] for c in running} >= {
        "ingest_smtp",
        "router",
        "router_audit",
        "autoreply",
        "outbound",
        "console",
    }
    for container in running:
        if container["Service"] not in ("kafka", "valkey"):
            user = compose("exec", "-T", container["Service"], "id", "-u", env=environment).strip()
            assert user == "10001", container["Service"]
            refused = compose("exec", "-T", container["Service"], "sh", "-c", "touch /x 2>&1 || true", env=environment)
            assert "Read-only" in refused, container["Service"]

    compose("restart", "router", env=environment)
    compose("up", "-d", "--wait", env=environment)
