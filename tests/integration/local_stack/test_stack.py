"""The local stack's own work, with real Kafka, Valkey and mailbox: start, status, restarts, stop, state kept.

Mailroom's services are stood in for by a process that only answers /ready (test e2e runs the real ones), so that what is
tested here is the process management.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from support.waiting import wait_until

LOCAL = Path(__file__).resolve().parents[3] / "deploy" / "local"

STAND_IN = """
import http.server, os, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *arguments):
        pass
if os.environ.get("STAND_IN_WRONG") == sys.argv[0].rsplit("/", 1)[-1]:
    print("wrong setting MAILROOM_SAMPLE", flush=True)
    sys.exit(2)
http.server.HTTPServer(("127.0.0.1", int(os.environ["MAILROOM_HEALTH_PORT"])), Ready).serve_forever()
"""

RUNNER = """
import sys
sys.path.insert(0, {local!r})
import processes
for name in processes.SERVICES:
    processes.SERVICES[name] = "stand_in_" + name
import stack
stack.main()
"""


class Stack:
    """`stack.py` as `make` calls it, on ports and in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.runner = folder / "runner.py"
        self.runner.write_text(RUNNER.format(local=str(LOCAL)))
        for name in ("console", "ingest_smtp", "router", "router_audit", "autoreply", "outbound", "ingest_gmail"):
            (folder / f"stand_in_{name}.py").write_text(STAND_IN)
        self.offset = _free_offset()
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MAILROOM_")},
            "MAILROOM_DATA": str(self.data),
            "MAILROOM_PORT_OFFSET": str(self.offset),
            "PYTHONPATH": str(folder),
        }

    def call(self, command: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(self.runner), command],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.call("status", JSON="1").stdout.splitlines()[-1]))

    def processes(self) -> list[psutil.Process]:
        """Everything of this stack that runs, found by its folder or its Valkey port."""
        found = []
        for process in psutil.process_iter():
            try:
                text = " ".join(process.cmdline())
                if str(self.data) in text or f":{16379 + self.offset}" in text or "stand_in_" in text:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.call("clean")
    for process in made.processes():
        process.kill()


def _free_offset() -> int:
    """An offset at which a few of the stack's ports are free; the rest is checked by the stack itself."""
    for offset in range(20_000, 40_000, 500):
        try:
            for port in (2424, 2525, 2526, 8026, 8080, 9101, 16379, 19092, 19093):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise AssertionError("no free ports")


def test_up_status_restart_and_down(stack: Stack) -> None:
    up = stack.call("up")
    assert up.returncode == 0, up.stdout + up.stderr
    status = stack.status()
    assert {name: part["state"] for name, part in status["services"].items()} == dict.fromkeys(
        ("console", "ingest_smtp", "router", "router_audit", "autoreply", "outbound", "ingest_gmail"), "ready"
    )
    assert {part["state"] for part in status["parts"].values()} == {"ready"}
    assert status["smtp"] == f"127.0.0.1:{2525 + stack.offset}"

    # A service that dies comes back by itself, as another process.
    pid = status["services"]["router"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.status()["services"]["router"].get("pid", pid) != pid, 20, every=0.3)

    # A second stack on the same ports is told who is there, in one line.
    clash = stack.call("up", MAILROOM_DATA=str(stack.data) + "-2")
    assert clash.returncode == 1
    assert len(clash.stderr.strip().splitlines()) == 1
    assert f"port {19092 + stack.offset} (Kafka) is taken by java" in clash.stderr
    assert "MAILROOM_KAFKA" in clash.stderr

    # What is stored survives down and up; nothing runs in between.
    store = redis.Redis.from_url(status["redis"])
    store.set("kept", "yes")
    assert stack.call("down").returncode == 0
    assert stack.processes() == []
    assert stack.status()["services"]["router"]["state"] == "stopped"
    assert stack.call("up").returncode == 0
    assert store.get("kept") == b"yes"

    # Even with its process manager killed, `down` leaves nothing behind.
    os.kill(int((stack.data / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    stack.call("down")
    assert stack.processes() == []
    assert "Removed" in stack.call("clean").stdout
    assert not stack.data.exists()


def test_an_interrupted_up_leaves_nothing_running(stack: Stack) -> None:
    process = subprocess.Popen(
        [sys.executable, str(stack.runner), "up"], env=stack.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until(lambda: (stack.data / "kafka" / "log").exists(), 30)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert stack.processes() == []


def test_wrong_settings_of_a_service_stop_the_start_and_are_shown(stack: Stack) -> None:
    up = stack.call("up", STAND_IN_WRONG="stand_in_outbound.py")
    assert up.returncode == 1
    assert "outbound does not start" in up.stderr
    assert "wrong setting MAILROOM_SAMPLE" in up.stderr
    assert stack.processes() == []
    assert stack.call("up", MAILROOM_CONSOLE_PORT="many").stderr == (
        "MAILROOM_CONSOLE_PORT=many: not a number from 0 to 65535\n"
    )


def test_clean_removes_only_a_folder_that_the_stack_made(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    refused = stack.call("clean", MAILROOM_DATA=str(tmp_path / "mine"))
    assert refused.returncode == 1
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
