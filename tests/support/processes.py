"""Processes that a test starts, watches, pauses and kills. None outlives the test run."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from .forking import Forked, die_with_parent, fork
from .waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


# Processes of one test run (pytest-xdist) are told apart by this; 0 where there is only one.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Below 32768, where the system takes the ports of outgoing connections from: a server that is stopped and started again
# must find its port free. Above what `stacks` uses, and for each worker a part of its own.
_PORTS_FROM, _PORTS_PER_WORKER, _WORKERS = 25_200, 1_500, 5
_next_port = itertools.count(random.randrange(_PORTS_PER_WORKER))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, and that this process has not given before for long."""
    for _ in range(_PORTS_PER_WORKER):
        port = _PORTS_FROM + WORKER % _WORKERS * _PORTS_PER_WORKER + next(_next_port) % _PORTS_PER_WORKER
        if can_listen(port):
            return port
    raise AssertionError("no free ports")


def can_listen(port: int) -> bool:
    """Whether a server could take this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def port_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """One process with its output in a file; can be started again after it ended."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.command = list(command)
        self.log = log
        self.env = dict(env or {})
        self._process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def launch(self) -> None:
        """Start the process; says nothing about readiness."""
        assert not self.running, f"{self.command} runs already"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = self._begin({**os.environ, "PYTHONUNBUFFERED": "1", **self.env})

    def _begin(self, env: dict[str, str]) -> subprocess.Popen[bytes] | Forked:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "not started"
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP: it hangs, as a machine without CPU or a partitioned one would."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def terminate(self, timeout: float = 20.0) -> int:
        """SIGTERM and wait; the exit status. One that does not go tells what it waits for, is killed, and fails the test."""
        assert self._process is not None, "not started"
        if self.running:
            self.resume()
            self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._tell()
            self.kill()
            raise AssertionError(
                f"{self.command} did not stop in {timeout:g} s; its log ends:\n{self.tail()}"
            ) from None

    def _tell(self) -> None:
        """What it waits for, into its log: see `mailroom_runtime.process.service.show_tasks`."""
        said = self.output()
        self.signal(signal.SIGUSR1)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.output() != said, 10, every=0.1)

    def wait(self, timeout: float) -> int:
        """The exit status, once it ended by itself."""
        assert self._process is not None, "not started"
        return self._process.wait(timeout)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.output().splitlines()[-lines:])


class ServiceProcess(Process):
    """`python -m mailroom_NAME` with its health port; `extra` adds arguments, e.g. a submodule is "router.audit".

    `forked`: begun by `forking`, where nothing depends on how an interpreter starts.
    """

    def __init__(
        self, name: str, env: Mapping[str, str], log: Path, *, extra: Sequence[str] = (), module: str | None = None,
        forked: bool = False,
    ) -> None:  # fmt: skip
        self._forked = (module or f"mailroom_{name}", extra) if forked else None
        self.name = name
        self.health_port = int(env.get("MAILROOM_HEALTH_PORT") or free_port())
        super().__init__(
            [sys.executable, "-m", module or f"mailroom_{name}", *extra],
            log,
            {**env, "MAILROOM_HEALTH_PORT": str(self.health_port)},
        )

    def _begin(self, env: dict[str, str]) -> subprocess.Popen[bytes] | Forked:
        if self._forked is None:
            return super()._begin(env)
        return fork(*self._forked, REPOSITORY, env, self.log)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.health_port}{path}"

    def get(self, path: str) -> tuple[int, str]:
        """GET on the health port: status and body; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.url(path), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> str:
        status, body = self.get("/metrics")
        assert status == 200, f"{self.name} /metrics: {status}"
        return body

    @property
    def ready(self) -> bool:
        return self.get("/ready")[0] == 200

    def wait_ready(self, timeout: float = 120.0) -> Self:
        """Wait for /ready; fails at once, with the log's end, when the process ended."""
        deadline = time.monotonic() + timeout

        def settled() -> bool:
            return self.ready or not self.running or time.monotonic() > deadline

        wait_until(settled, timeout + 10, every=0.1)
        if not self.ready:
            state = "not ready" if self.running else f"ended with {self.returncode}"
            if self.running:
                self._tell()
            raise AssertionError(f"{self.name}: {state} after {timeout:g} s; its log ends:\n{self.tail()}")
        return self

    def start(self, timeout: float = 120.0) -> Self:
        self.launch()
        return self.wait_ready(timeout)
