"""What the local stack runs, in the order of its start."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keyvalue import KeyValueServer
from layout import Layout

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Part:
    """One process: how it is started, its own environment, and how long it may take to stop (seconds).

    `nice`: how far others come first on a busy machine (0: not at all, 19: it gets what they leave).
    """

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_s: int = 25
    nice: int = 0


# The module of each service; the order is that of the flow.
SERVICES: dict[str, str] = {
    "console": "mailroom_console",
    "ingest_smtp": "mailroom_ingest_smtp",
    "router": "mailroom_router",
    "router_audit": "mailroom_router.audit",
    "autoreply": "mailroom_autoreply",
    "outbound": "mailroom_outbound",
    "ingest_gmail": "mailroom_ingest_gmail",
}
# What was accepted becomes a ticket before more is accepted: senders queue well, and a backlog helps nobody. What
# follows from a ticket catches up.
NICE = {"ingest_smtp": 5, "router_audit": 19, "autoreply": 19, "outbound": 19}


def infrastructure(layout: Layout) -> list[Part]:
    """What the services need: Kafka, Valkey, and the mailbox that stands for the world."""
    ports = layout.ports
    return [
        *_brokers(layout),
        Part("valkey", KeyValueServer(ports["redis"], layout.data / "valkey").command()),
        Part("mailbox", [sys.executable, str(HERE / "postbox.py")], nice=19),
    ]


def infrastructure_names(layout: Layout) -> list[str]:
    """The names of those parts."""
    return [part.name for part in infrastructure(layout)]


def _brokers(layout: Layout) -> list[Part]:
    """One broker, or those of a quorum."""
    all_of_them = layout.brokers()
    quorum = ",".join(str(controller) for _, controller in all_of_them.values())
    parts = []
    for node, (name, ports) in enumerate(all_of_them.items(), 1):
        place = [str(node), quorum] if len(all_of_them) > 1 else []
        command = [sys.executable, str(HERE / "broker.py"), *map(str, ports), str(layout.data / name), *place]
        parts.append(Part(name, command))
    return parts


def services(layout: Layout) -> list[Part]:
    """Mailroom's own processes, each with its health port."""
    return [
        Part(
            name,
            [sys.executable, "-m", module],
            {"MAILROOM_HEALTH_PORT": str(layout.health_port(name))},
            nice=NICE.get(name, 0),
        )
        for name, module in SERVICES.items()
    ]
