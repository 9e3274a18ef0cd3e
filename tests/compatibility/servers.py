"""Real mail servers from Debian's packages, each in a throw-away root (an overlay that ends with its process), on loopback.

A server gets our mails by SMTP and hands everything to one other server, the *world*, which refuses, defers or takes by
the name before the @. Nothing is installed on the machine itself. Needs root (mount namespaces) and apt.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

INSTALL_S = 240.0
_ROOT = r"""
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/up",workdir="$1/work" "$1/root"
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
cd "$1/root"
exec chroot . /bin/sh -e -c "$2"
"""


TRIES = (("unknown",), ("policy",), ("later",), ("fine", "unknown"))  # a mail each; names that tell how it ends


@dataclass(frozen=True, slots=True)
class Server:
    """How to get, configure and run one server, and whom to write to; `{listen}` and `{world}` are ports."""

    name: str
    packages: tuple[str, ...]
    version_of: str
    files: dict[str, str]
    run: str
    tries: tuple[tuple[str, ...], ...] = TRIES
    lmtp: bool = False  # whether it reaches the world by LMTP

    @property
    def tag(self) -> str:
        """Its name as a part of addresses and paths."""
        return self.name.partition("/")[0].lower()


class Running:
    """A server that listens; everything of it is gone afterwards."""

    def __init__(self, server: Server, folder: Path, listen: int, world: int) -> None:
        self._server, self._folder, self._listen = server, folder, listen
        ports = {"listen": str(listen), "world": str(world)}
        self._files = {path: _filled(text, ports) for path, text in server.files.items()}
        self._run = _filled(server.run, ports)
        self.log = folder / f"{server.tag}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = self._folder / self._server.tag
        root.mkdir(parents=True)
        packages = " ".join(self._server.packages)
        steps = [
            # sendmail's own installation waits a minute each time that it cannot find its full name
            "hostname mx.example.net; echo '127.0.0.1 localhost mx.example.net mx' > /etc/hosts",
            "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d",
            "export DEBIAN_FRONTEND=noninteractive",
            f"dpkg -s {packages} >/dev/null 2>&1 || apt-get install -qq -y --no-install-recommends {packages} >/compat.log 2>&1 "
            "|| { cat /compat.log; exit 1; }",
        ]
        for path, text in self._files.items():
            steps.append(f"mkdir -p {os.path.dirname(path)}; cat > {path} <<'COMPAT'\n{text}COMPAT")
        steps.append(self._run)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", _ROOT, "compat", str(root), "\n".join(steps)],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return self

    def listening(self, answers: Callable[[int], bool]) -> bool:
        """Wait until it answers; False when it ended, or did not within the time that installing may take."""
        assert self._process is not None
        end = time.monotonic() + INSTALL_S
        while time.monotonic() < end and self._process.poll() is None:
            if answers(self._listen):
                return True
            time.sleep(0.5)
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def version_of(package: str) -> str:
    """The version that apt would install."""
    said = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False).stdout
    return next((line.split()[-1] for line in said.splitlines() if "Candidate:" in line), "?")
