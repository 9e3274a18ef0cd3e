"""Services begun by forking a process that has imported their modules already: a second of processor time less each.

`Forked` stands for the process as `subprocess.Popen` would: a process of its own with its environment, folder and output,
which ends as one begun by `python -m` does. What a fork cannot show (how long a start takes, how much memory is held,
what an interpreter reads from its environment) needs the real start.

`python -m support.forking MODULE` is the side that forks: one line of JSON asks, one answers. It lives as long as whoever
started it, and what it forked lives no longer than it.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

TESTS = str(Path(__file__).parents[1])
_PR_SET_PDEATHSIG = 1


class Forked:
    """A process that a server forked, with what is used of `subprocess.Popen`."""

    def __init__(self, server: _Server, pid: int, command: Sequence[str]) -> None:
        self._server, self.pid, self._command = server, pid, command
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, minus the signal's number where one ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ask("poll", self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit status. Raises subprocess.TimeoutExpired where it goes on for `timeout` seconds."""
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(list(self._command), timeout)
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        # it is not waited for before poll, so that the number is its own
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    """The side that asks, one for each module."""

    def __init__(self, module: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "support.forking", module], cwd=folder, text=True,
            env={**os.environ, "PYTHONPATH": TESTS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._one_at_a_time = threading.Lock()
        atexit.register(self._end)

    def ask(self, what: str, about: Any) -> Any:
        with self._one_at_a_time:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps([what, about]), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        assert answer, "the process that forks has ended"
        return json.loads(answer)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()


_server = cache(_Server)


def fork(module: str, arguments: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> Forked:
    """Begin `python -m module arguments` in `folder`, its environment `env` and no more, its output added to `log`."""
    return _fork(module, arguments, folder, env, log, log)


def run(
    module: str, arguments: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of `python -m module arguments` in `folder`: what it wrote, and its status, whatever that is.

    Raises subprocess.TimeoutExpired, the process killed, where it goes on for `timeout` seconds.
    """
    command = [module, *arguments]
    with tempfile.TemporaryDirectory() as outputs:
        out, errors = Path(outputs, "out"), Path(outputs, "errors")
        process = _fork(module, arguments, folder, env, out, errors)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise
        return subprocess.CompletedProcess(command, status, out.read_text(), errors.read_text())


def _fork(
    module: str, arguments: Sequence[str], folder: Path, env: Mapping[str, str], out: Path, errors: Path
) -> Forked:
    server = _server(module, folder)
    pid = server.ask("fork", [[*arguments], dict(env), str(out), str(errors)])
    return Forked(server, pid, [module, *arguments])


def serve(module: str, asked: Callable[[], str], answer: Callable[[str], object]) -> list[str] | None:
    """Answer until nobody asks any more: None. In a process that was forked: its arguments."""
    importlib.import_module(f"{module}.__main__")
    del sys.modules[f"{module}.__main__"]  # it is run in each process
    sys.path.remove(TESTS)
    while line := asked():
        what, about = json.loads(line)
        if what == "fork":
            arguments, env, out, errors = about
            pid = os.fork()
            if pid == 0:
                _become(env, out, errors)
                return [str(each) for each in arguments]
            answer(json.dumps(pid))
        else:
            pid, status = os.waitpid(about, os.WNOHANG)
            answer(json.dumps(os.waitstatus_to_exitcode(status) if pid else None))
    return None


def _become(env: dict[str, str], out: str, errors: str) -> None:
    die_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    for path, target in ((out, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC), target)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()


def die_with_parent() -> None:
    """In the child: be killed when the test run dies, however it dies (prctl(2), Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Serve; a process that was forked leaves here and ends as the module does."""
    module = sys.argv[1]
    arguments = serve(module, sys.stdin.readline, lambda text: print(text, flush=True))
    if arguments is not None:
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
