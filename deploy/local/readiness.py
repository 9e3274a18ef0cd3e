"""Waiting for the local stack: free ports before the start, and each part's own word that it is ready after it."""

from __future__ import annotations

import errno
import json
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
from layout import Layout
from processes import SERVICES, infrastructure_names
from rich.console import Console
from supervision import Supervision

INFRASTRUCTURE_S = 120.0
SERVICES_S = 180.0
WRONG_SETTINGS = 2  # the exit status of a service whose settings are wrong


class NotReady(RuntimeError):
    """A part of the stack could not be started; the text says which, why and where to look."""


def free_ports(layout: Layout) -> None:
    """Raise NotReady with one line when a port of the stack is taken."""
    for port, setting, what in layout.listening():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise NotReady(f"port {port} ({what}) needs root: choose another with {setting}") from None
                holder = _holder(port)
                raise NotReady(
                    f"port {port} ({what}) is taken{holder}: stop that, or choose another with {setting} "
                    "(MAILROOM_PORT_OFFSET=N moves all of them)"
                ) from None


def settle_infrastructure(layout: Layout, supervision: Supervision, console: Console) -> None:
    """Wait until Kafka, Valkey and the mailbox answer."""
    checks: dict[str, Callable[[], bool]] = {
        **{name: partial(broker_answers, port) for name, (port, _) in layout.brokers().items()},
        "valkey": lambda: port_open(layout.ports["redis"]),
        "mailbox": lambda: ready_report(layout.mailbox_url)[0],
    }
    names = infrastructure_names(layout)
    _settle({name: checks[name] for name in names}, INFRASTRUCTURE_S, layout, supervision, console)


def settle_services(layout: Layout, supervision: Supervision, console: Console) -> None:
    """Wait until every service says it is ready."""

    def check(name: str) -> Callable[[], bool]:
        return lambda: ready_report(layout.health_url(name))[0]

    _settle({name: check(name) for name in SERVICES}, SERVICES_S, layout, supervision, console)


def port_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def broker_answers(port: int) -> bool:
    """Whether a Kafka broker answers an ApiVersions request (version 0); its port opens seconds before it can."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(8)
    except OSError:
        return False
    return answer[4:8] == struct.pack(">i", 1)


def ready_report(base_url: str) -> tuple[bool, str]:
    """What a service's /ready says: whether it is, and if not, why (empty when nobody answers)."""
    try:
        with urllib.request.urlopen(f"{base_url}/ready", timeout=2) as answer:
            return answer.status == 200, ""
    except urllib.error.HTTPError as error:
        return False, _reason(error.read())
    except (OSError, ValueError):
        return False, ""


def log_end(log: Path, lines: int = 12) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def _settle(
    checks: dict[str, Callable[[], bool]], limit_s: float, layout: Layout, supervision: Supervision, console: Console
) -> None:
    began = time.monotonic()
    manager = layout.logs / "supervisord.log"
    seen = manager.stat().st_size if manager.exists() else 0
    waiting = dict(checks)
    while waiting:
        for name in [name for name, check in waiting.items() if check()]:
            del waiting[name]
            console.print(f"[green]✓[/] {name} [dim]{time.monotonic() - began:.1f} s[/]")
        states = {info["name"]: info["statename"] for info in supervision.all()}
        # supervisord forgets the exit status of a process that ended at once, but it logs it.
        with manager.open(errors="replace") as log:
            log.seek(seen)
            ends = log.read()
        for name in waiting:
            wrong = f"exited: {name} (exit status {WRONG_SETTINGS};" in ends
            if wrong or states.get(name) in ("FATAL", "EXITED"):
                raise NotReady(f"{name} does not start; {_where(layout, name)}")
        if waiting and time.monotonic() - began > limit_s:
            name = next(iter(waiting))
            why = ready_report(layout.health_url(name))[1] if name in SERVICES else ""
            raise NotReady(
                f"{name} is not ready after {limit_s:g} s{': ' + why if why else ''}; {_where(layout, name)}"
            )
        time.sleep(0.1)


def _where(layout: Layout, name: str) -> str:
    log = layout.logs / f"{name}.log"
    return f"the end of {log}:\n{log_end(log)}"


def _reason(body: bytes) -> str:
    """The conditions that do not hold, from a /ready answer."""
    try:
        conditions = json.loads(body).get("conditions", {})
    except (ValueError, AttributeError):
        return ""
    return ", ".join(f"{name} ({c.get('reason', '')})" for name, c in conditions.items() if not c.get("ok"))


def _holder(port: int) -> str:
    """ " by NAME (process ID)" when the system lets us see who listens on a port."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        return ""
    return ""
