"""Where the local stack lives: its folder, its ports, and the environment that its services get.

Every port has a default and a setting (INTERFACES.md); `MAILROOM_PORT_OFFSET=N` moves all defaults by N, so that two
stacks can run side by side (give the second one a `MAILROOM_DATA` of its own, too).
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parents[2]
LOOPBACK = ("127.0.0.1", "localhost", "::1")

# name: (default, setting, what it is)
PORTS: dict[str, tuple[int, str, str]] = {
    "kafka": (19092, "MAILROOM_KAFKA", "Kafka"),
    "kafka_controller": (19093, "MAILROOM_KAFKA_CONTROLLER_PORT", "Kafka's controller"),
    "redis": (16379, "MAILROOM_REDIS", "Valkey"),
    "mailbox_smtp": (2526, "MAILROOM_RELAY_URL", "the local mailbox (SMTP)"),
    "mailbox": (8026, "MAILROOM_MAILBOX_PORT", "the local mailbox (pages)"),
    "smtp": (2525, "MAILROOM_SMTP_PORT", "SMTP intake"),
    "lmtp": (2424, "MAILROOM_LMTP_PORT", "LMTP intake"),
    "console": (8080, "MAILROOM_CONSOLE_PORT", "the console"),
    "health": (9101, "MAILROOM_HEALTH_PORT", "health and metrics (the first of 7 ports)"),
}
FURTHER_BROKERS = 19090  # and twice their number: 19094 and 19095 are the second's
HEALTH_ORDER = ("ingest_smtp", "ingest_gmail", "router", "autoreply", "outbound", "console", "router_audit")


class WrongSetting(ValueError):
    """A setting that the local stack cannot use; the text names it."""


@dataclass(frozen=True)
class Layout:
    """One local stack: folder and ports."""

    data: Path
    ports: Mapping[str, int]

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Layout:
        """From the environment. Raises WrongSetting."""
        data = Path(env.get("MAILROOM_DATA") or ".data")
        return cls(data if data.is_absolute() else REPOSITORY / data, _ports(env))

    @classmethod
    def running_or(cls, env: Mapping[str, str]) -> Layout:
        """The layout that the stack in this folder was started with; else as the environment says."""
        wanted = cls.read(env)
        try:
            return cls(wanted.data, json.loads(wanted.saved.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return wanted

    def save(self) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        self.saved.write_text(json.dumps(dict(self.ports)))

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def saved(self) -> Path:
        return self.run / "ports.json"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def token_file(self) -> Path:
        return self.data / "api-token"

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port, _ in self.brokers().values())

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.ports['redis']}/0"

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['console']}"

    @property
    def mailbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['mailbox']}"

    def health_port(self, service: str) -> int:
        return self.ports["health"] + HEALTH_ORDER.index(service)

    def health_url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.health_port(service)}"

    def brokers(self) -> dict[str, tuple[int, int]]:
        """Each broker by its name, with its port and its controller's; the first is `kafka`."""
        names = [name for name in self.ports if re.fullmatch(r"kafka(_\d)?", name)]
        return {name: (self.ports[name], self.ports[f"{name}_controller"]) for name in names}

    def listening(self) -> list[tuple[int, str, str]]:
        """Every port that must be free: (port, setting, what it is)."""
        fixed = [(port, *_told(name)) for name, port in self.ports.items() if name != "health"]
        health = [(self.health_port(s), PORTS["health"][1], f"health of {s}") for s in HEALTH_ORDER]
        return fixed + health

    def addresses(self, env: Mapping[str, str]) -> dict[str, str]:
        """Where everything of this stack is, as settings."""
        services = {service: self.health_url(service) for service in HEALTH_ORDER}
        return {
            "MAILROOM_DATA": str(self.data),
            "MAILROOM_KAFKA": self.bootstrap,
            "MAILROOM_REDIS": self.redis_url,
            "MAILROOM_SMTP_PORT": str(self.ports["smtp"]),
            "MAILROOM_LMTP_PORT": str(self.ports["lmtp"]),
            "MAILROOM_CONSOLE_PORT": str(self.ports["console"]),
            "MAILROOM_URL": env.get("MAILROOM_URL") or self.console_url,
            "MAILROOM_RELAY_URL": env.get("MAILROOM_RELAY_URL") or f"smtp://127.0.0.1:{self.ports['mailbox_smtp']}",
            "MAILROOM_SERVICES": env.get("MAILROOM_SERVICES") or json.dumps(services),
        }

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """What every process of the stack gets; what the user has set beyond the ports passes through."""
        mine = {
            **self.addresses(env),
            "MAILROOM_STACK": str(self.data),
            "MAILROOM_ALLOW_PRIVATE_HOSTS": env.get("MAILROOM_ALLOW_PRIVATE_HOSTS") or "true",
            "MAILROOM_SEED": env.get("MAILROOM_SEED") or "local",
            "MAILBOX_SMTP_PORT": str(self.ports["mailbox_smtp"]),
            "MAILBOX_HTTP_PORT": str(self.ports["mailbox"]),
            "MAILBOX_DATA": str(self.data / "mailbox"),
            "PYTHONUNBUFFERED": "1",
            **self.secrets(),
        }
        # make's own variables would confuse a make started by a service's child; the port offset is already in.
        kept = {k: v for k, v in env.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAILROOM_PORT_OFFSET")}
        return {**kept, **mine, **{name: env[name] for name in self.secrets() if env.get(name)}}

    def secrets(self) -> dict[str, str]:
        """The stack's own keys, made once and kept in a file that only its owner can read."""
        file = self.data / "secrets.env"
        if not file.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            lines = [
                f"{name}=k1:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"
                for name in ("MAILROOM_SECRET_KEYS", "MAILROOM_MESSAGE_ID_KEYS")
            ]
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.writelines(lines)
        return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def _ports(env: Mapping[str, str]) -> dict[str, int]:
    offset = _number(env, "MAILROOM_PORT_OFFSET", 0)
    ports = {name: _port(env, name, default + offset) for name, (default, _, _) in PORTS.items()}
    if "MAILROOM_KAFKA_CONTROLLER_PORT" not in env:
        ports["kafka_controller"] = ports["kafka"] + 1
    ports.update(_further_brokers(env, offset))
    taken: dict[int, str] = {}
    for name, port in ports.items():
        if port in taken:
            raise WrongSetting(f"{_told(name)[0]} and {_told(taken[port])[0]} both say port {port}")
        taken[port] = name
    return ports


def _further_brokers(env: Mapping[str, str], offset: int) -> dict[str, int]:
    """The ports of the second and third broker, where the stack has three (which is for trying what happens then)."""
    setting = "MAILROOM_LOCAL_BROKERS"
    brokers = _number(env, setting, 1)
    if brokers not in (1, 3):
        raise WrongSetting(f"{setting}={brokers}: there can be 1 broker, or 3")
    ports: dict[str, int] = {}
    for node in range(2, brokers + 1):
        ports |= {f"kafka_{node}": FURTHER_BROKERS + offset + 2 * node,
                  f"kafka_{node}_controller": FURTHER_BROKERS + offset + 2 * node + 1}  # fmt: skip
    return ports


def _told(name: str) -> tuple[str, str]:
    """Which setting says a port, and what it is."""
    return PORTS[name][1:] if name in PORTS else ("MAILROOM_PORT_OFFSET", "a further Kafka broker")


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    """A port from its setting, which is a number, host:port or a URL."""
    setting = PORTS[name][1]
    value = env.get(setting, "")
    if not value:
        return default
    if value.isdecimal() or setting.endswith("_PORT"):
        return _number(env, setting, default)
    try:
        parts = urlsplit(value if "//" in value else f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise WrongSetting(f"{setting}: {error}") from None
    if name == "mailbox_smtp" and host not in LOOPBACK:
        return default  # a real relay elsewhere; the mailbox stays where it is
    if host not in LOOPBACK or port is None:
        raise WrongSetting(f"{setting}={value}: the local stack runs its own on 127.0.0.1; give 127.0.0.1 and a port")
    return port


def _number(env: Mapping[str, str], setting: str, default: int) -> int:
    value = env.get(setting, "")
    if value and (not value.isdecimal() or int(value) > 65535):
        raise WrongSetting(f"{setting}={value}: not a number from 0 to 65535")
    return int(value) if value else default
