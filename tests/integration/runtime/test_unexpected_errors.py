"""Every lasting task of every service meets an error that nobody thought of: it begins anew, or the process ends and says which.

The tasks are not listed here: whatever runs for a while and is of our code is found in the running process.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import GmailAccount
from support.outgoing import Installation, installation
from support.processes import ServiceProcess, free_port
from support.servers import ValkeyServer
from support.waiting import wait_until

START = Callable[..., ServiceProcess]
KEYS = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LASTS_S = 1.2  # what is there for so long is no request, mail or look


@pytest.fixture
async def office(kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation with one address of each kind, whose relay and Google are away, and a mail that waits."""
    async with installation(kafka, valkey.url, topic_prefix, str(tmp_path / "data")) as office:
        nowhere = f"http://127.0.0.1:{free_port()}"
        office.env |= {
            "MAILROOM_RELAY_URL": f"smtp://127.0.0.1:{free_port()}", "MAILROOM_MESSAGE_ID_KEYS": KEYS,
            "MAILROOM_SMTP_PORT": str(free_port()), "MAILROOM_LMTP_PORT": "0", "MAILROOM_CONSOLE_PORT": str(free_port()),
            "MAILROOM_SERVICES": "{}", "MAILROOM_SEED": "local", "MAILROOM_VERDICTS": "false",
            "MAILROOM_GOOGLE_API_URL": nowhere, "MAILROOM_GOOGLE_TOKEN_URL": f"{nowhere}/token",
            "MAILROOM_GOOGLE_CLIENT_ID": "x", "MAILROOM_GOOGLE_CLIENT_SECRET": "x", "MAILROOM_GOOGLE_TIMEOUT_S": "2",
            "MAILROOM_ROUTER_SESSION_TIMEOUT_S": "6", "MAILROOM_DRAIN_S": "3", "MAILROOM_LOG_FORMAT": "json",
        }  # fmt: skip
        await office.address("support")
        secret = office.sealer.seal(json.dumps({"refresh_token": "x"}), bound_to="shop")
        await office.address("shop", kind="gmail", email="shop@gmail.example",
                             gmail=GmailAccount(secret=secret, secret_revision=1, start_history_id="1"))  # fmt: skip
        await office.send(1, "support", "jo@c.example", kind="auto_reply")
        yield office


class Watched:
    """A service with a door to its tasks."""

    def __init__(self, start: START, name: str, env: dict[str, str]) -> None:
        self.port = free_port()
        self.process = start(name, env | {"PYTHONPATH": "tests"}, module="support.task_killer", ready=False,
                             extra=(str(self.port), f"mailroom_{name}"))  # fmt: skip
        self.process.wait_ready(60)

    def tasks(self) -> dict[int, str]:
        """Those of our code, by name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
            return {row["id"]: self._name(row) for row in json.loads(answer.read())}

    @staticmethod
    def _name(row: dict[str, Any]) -> str:
        return str(row["function"] if row["name"].startswith("Task-") else row["name"])

    def lasting(self) -> dict[str, int]:
        """Those that are there now and a while later."""
        before, since = self.tasks(), time.monotonic()
        wait_until(lambda: time.monotonic() - since > LASTS_S, 10, what="a while")
        now = self.tasks()
        return {name: number for number, name in now.items() if before.get(number) == name and name not in ROOTS}

    def fail(self, number: int) -> None:
        """It meets the unexpected."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{number}", method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [
            json.loads(line)
            for line in self.process.output().splitlines()
            if line.startswith("{") and line.endswith("}")
        ]

    def outcome(self, task: str, number: int, said: int) -> str:
        """What became of a task since so many lines were logged; "" while that is open."""
        if not self.process.running:
            return ENDED
        since = self.lines()[said:]
        try:
            tasks = self.tasks()
        except OSError:
            return ""
        if any(line["event"] == "task.begins_anew" and line.get("task") == task for line in since):
            return "began anew" if task in tasks.values() else ""
        ending = any(line["event"] in ("task.died", "service.stopping", "service.failed") for line in since)
        told = any("nobody thought of this" in json.dumps(line) for line in since)
        return "went on, and said so" if told and not ending and tasks.get(number) == task else ""


ENDED = "ended the process"
ROOTS = {"run.<locals>.main"}  # the process itself


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ingest_smtp", "ingest_gmail", "router", "autoreply", "outbound", "console"])
def test_every_lasting_task_begins_anew_or_ends_the_process(
    name: str, office: Installation, start_service: START
) -> None:
    one = Watched(start_service, name, office.env)
    left = dict.fromkeys(one.lasting())
    assert len(left) > 2, left
    found: dict[str, str] = {}
    for task in left:
        if not one.process.running:
            one = Watched(start_service, name, office.env)
        number = one.lasting().get(task)
        if number is None:  # it is one of a time that has passed
            continue
        said = len(one.lines())
        one.fail(number)
        wait_until(lambda: one.outcome(task, number, said), 25, every=0.2, what=f"what becomes of {task}")  # noqa: B023
        found[task] = one.outcome(task, number, said)
        if found[task] == ENDED:
            last = one.lines()[-1]
            assert one.process.returncode == 1, (task, one.process.tail())
            assert last.get("event") == "service.failed", (task, one.process.tail())
            assert "nobody thought of this" in last["reason"] or last.get("task"), last
        else:
            wait_until(lambda: one.process.ready, 20, what="the service being ready again")  # noqa: B023
    print(name, found)
