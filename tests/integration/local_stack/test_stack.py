"""The local stack's own work, with real Kafka, Valkey and mailbox: start, status, restarts, stop, state kept.

Mailroom's services are stood in for by a process that only answers /ready (test e2e runs the real ones), so that what is
tested here is the process management.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from processes import SERVICES
from support.stacks import LOCAL, Stack
from support.waiting import wait_until

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
sys.path[0] = {local!r}
import processes
for name in processes.SERVICES:
    processes.SERVICES[name] = "stand_in_" + name
import stack
stack.main()
"""


class StandIns(Stack):
    """A stack whose services are stand-ins."""

    def __init__(self, folder: Path) -> None:
        (folder / "stack.py").write_text(RUNNER.format(local=str(LOCAL)))
        for name in SERVICES:
            (folder / f"stand_in_{name}.py").write_text(STAND_IN)
        super().__init__(folder, scripts=folder, env={"PYTHONPATH": str(folder)})


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = StandIns(tmp_path)
    yield made
    made.remove()


def test_up_status_restart_and_down(stack: Stack) -> None:
    up = stack.call("up")
    assert up.returncode == 0, up.stdout + up.stderr
    status = stack.status()
    assert {name: part["state"] for name, part in status["services"].items()} == dict.fromkeys(SERVICES, "ready")
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
    process = subprocess.Popen(stack.command("up"), env=stack.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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
