"""The whole local stack for a test: `stack.py` and `demo.py` as `make` calls them, on ports and in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from .processes import REPOSITORY, WORKER, can_listen

LOCAL = REPOSITORY / "deploy" / "local"
DEFAULT_PORTS = (2424, 2525, 2526, 8026, 8080, 16379, *range(19092, 19098), *range(9101, 9108))


class Stack:
    """One stack. `scripts` is the folder of stack.py and demo.py; `env` is added to what its commands get."""

    def __init__(self, folder: Path, *, scripts: Path = LOCAL, env: Mapping[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.scripts = scripts
        self.offset = free_offset()
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("MAILROOM_")},
            "MAILROOM_DATA": str(self.data),
            "MAILROOM_PORT_OFFSET": str(self.offset),
            **(env or {}),
        }

    def port(self, default: int) -> int:
        """Where this stack has what stands at `default` in INTERFACES.md."""
        return default + self.offset

    @property
    def token(self) -> str:
        return (self.data / "api-token").read_text().strip()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port(8080)}/api/v1"

    def command(self, *arguments: str, script: str = "stack.py") -> list[str]:
        return [sys.executable, str(self.scripts / script), *arguments]

    def call(
        self, *arguments: str, script: str = "stack.py", timeout: float = 280, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, script=script),
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.call("status", JSON="1").stdout.splitlines()[-1]))

    def processes(self) -> list[psutil.Process]:
        """What of this stack runs: known by its folder in command line, environment or working folder."""
        mark = str(self.data)
        found = []
        for process in psutil.process_iter():
            try:
                text = [*process.cmdline(), process.environ().get("MAILROOM_STACK", ""), process.cwd()]
                if any(part.startswith(mark) for part in text):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def remove(self) -> None:
        """Stop everything and forget it; what does not stop is killed."""
        self.call("clean")
        for process in self.processes():
            process.kill()


def free_offset() -> int:
    """A port offset at which every port of a stack is free. Each worker of a test run begins with offsets of its own."""
    # Below 32768, where the system takes the ports of outgoing connections from, and beside those of `free_port`.
    offsets = range(3_000, 6_000, 250)
    first = WORKER * 3 % len(offsets)
    for offset in (*offsets[first:], *offsets[:first]):
        if all(can_listen(port + offset) for port in DEFAULT_PORTS):
            return offset
    raise AssertionError("no free ports")
