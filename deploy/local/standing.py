"""How the local stack stands, as data: what `make status` shows and prints as JSON."""

from __future__ import annotations

from typing import Any

from layout import Layout
from processes import SERVICES, infrastructure_names
from readiness import broker_answers, port_open, ready_report
from supervision import Supervision

# supervisord's words for a process, in ours
STATES = {
    "STOPPED": "stopped",
    "STARTING": "starting",
    "RUNNING": "waiting",
    "BACKOFF": "restarting",
    "STOPPING": "stopping",
    "EXITED": "failed",
    "FATAL": "failed",
    "UNKNOWN": "failed",
}


def standing(layout: Layout, supervision: Supervision) -> dict[str, Any]:
    """`services {name: {state, url, pid, reason}}`, `parts` (the same for what they need), and every address.

    `state`: ready, starting, waiting (it runs, and `reason` says for what it waits), restarting, stopping, stopped,
    failed.
    """
    infos = {info["name"]: info for info in supervision.all()}
    where = {"valkey": layout.redis_url, "mailbox": layout.mailbox_url}
    where |= {name: f"127.0.0.1:{port}" for name, (port, _) in layout.brokers().items()}
    answers = {
        **{name: broker_answers(port) for name, (port, _) in layout.brokers().items()},
        "valkey": port_open(layout.ports["redis"]),
        "mailbox": port_open(layout.ports["mailbox"]),
    }
    parts = {name: _part(infos.get(name), where[name], answers[name], "") for name in infrastructure_names(layout)}
    services = {}
    for name in SERVICES:
        url = layout.health_url(name)
        ready, reason = ready_report(url) if name in infos else (False, "")
        services[name] = _part(infos.get(name), url, ready, reason)
    return {
        "services": services,
        "parts": parts,
        "kafka": layout.bootstrap,
        "redis": layout.redis_url,
        "smtp": f"127.0.0.1:{layout.ports['smtp']}",
        "lmtp": f"127.0.0.1:{layout.ports['lmtp']}",
        "console": layout.console_url,
        "mailbox": layout.mailbox_url,
        "data": str(layout.data),
    }


def _part(info: dict[str, Any] | None, url: str, ready: bool, reason: str) -> dict[str, Any]:
    state = STATES.get(info["statename"], "failed") if info else "stopped"
    if ready and state in ("waiting", "starting"):
        state = "ready"
    answer: dict[str, Any] = {"state": state, "url": url}
    if info and info["pid"]:
        answer["pid"] = info["pid"]
        answer["since"] = f"{max(0, info['now'] - info['start'])} s"
    if reason and state != "ready":
        answer["reason"] = reason
    return answer
