"""A PostgreSQL of the test's own, from Debian's package, on a free port; gone after the test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from support.processes import free_port, port_open
from support.waiting import wait_until


class Postgres:
    """`url(name)` makes a database of that name. Runs as the user postgres when the tests run as root."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        """`tls`: certificate and key; then nobody comes in without TLS."""
        self._tls = tls
        self._bin = newest_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="mailroom-postgres-"))
        self._port = free_port()
        self._as: dict[str, Any] = {"user": "postgres"} if os.getuid() == 0 else {}
        if self._as:
            shutil.chown(self._folder, "postgres")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data = self._folder / "data"
        command = [self._bin / "initdb", "-D", data, "-U", "mailroom", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._as)
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "fsync": "off",
                   "unix_socket_directories": self._folder}  # fmt: skip
        if self._tls is not None:
            options |= {"ssl": "on"} | {
                f"ssl_{name}_file": self._own(file) for name, file in zip(("cert", "key"), self._tls, strict=True)
            }
            (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        command = [self._bin / "postgres", "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as)
        wait_until(lambda: port_open(self._port), 20, what="PostgreSQL's start")

    def _own(self, file: Path) -> Path:
        """A copy that the server's user owns alone, as it demands of its key."""
        copy = self._folder / file.name
        shutil.copy(file, copy)
        copy.chmod(0o600)
        if self._as:
            shutil.chown(copy, "postgres")
        return copy

    def url(self, name: str) -> str:
        command = [self._bin / "createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "mailroom", name]
        wait_until(lambda: subprocess.run(command, check=False, capture_output=True).returncode == 0, 10)
        return f"postgresql+asyncpg://mailroom@127.0.0.1:{self._port}/{name}"

    @property
    def pid(self) -> int:
        """Of the process that all the others are children of."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # fast: does not wait for clients
            self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)


def newest_binaries() -> Path:
    """Where Debian's package postgresql puts them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    assert found, "no PostgreSQL server: install Debian's package `postgresql`"
    return found[-1]
