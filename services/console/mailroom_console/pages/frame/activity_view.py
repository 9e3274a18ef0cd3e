"""Activity as people read it: services, how far behind they are, how much they do a minute. Pure, but for the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailroom_console.activity import overview as activity
from mailroom_console.context import Console
from mailroom_console.languages import mark, say
from mailroom_console.principals import Principal
from mailroom_console.problems import Problem

_KEEP_S = 10.0
_SERVICES: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    # name: title, what it does, groups that read for it, the counter that says how much it does
    "ingest_smtp": (mark("Mail intake"), mark("Takes mail by SMTP"), (), "mailroom_mail_accepted_total"),
    "ingest_gmail": (mark("Gmail"), mark("Reads the connected Gmail inboxes"), (), "mailroom_mail_accepted_total"),
    "router": (
        mark("Router"),
        mark("Decides tickets, keeps them, assigns agents"),
        ("router.place", "router.tickets"),
        "mailroom_ticket_events_total",
    ),
    "router_audit": (mark("Auditor"), mark("Looks that nothing was left out"), ("router.audit",), ""),
    "autoreply": (
        mark("Automatic replies"),
        mark("Decides who gets one"),
        ("autoreply",),
        "mailroom_autoreply_decisions_total",
    ),
    "outbound": (
        mark("Sending"),
        mark("Sends replies through their accounts"),
        ("outbound.orders", "outbound.lanes"),
        "mailroom_outbound_reports_total",
    ),
    "console": (mark("Console"), mark("These pages and the API"), ("console",), "mailroom_console_events_total"),
}
_STATES = {"ready": ("good", mark("Ready")), "ok": ("good", mark("Ready")), "down": ("bad", mark("Does not answer")),
           "stopping": ("warn", mark("Stopping"))}  # fmt: skip


@dataclass(slots=True)
class Watch:
    """Asks the services and Kafka at most every 10 seconds, however many pages are open."""

    asked_at: float = -1e9
    _health: Mapping[str, Any] = field(default_factory=dict)
    _lags: Sequence[Mapping[str, Any]] | None = None
    _readings: dict[str, tuple[tuple[float, float] | None, tuple[float, float]]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, console: Console, principal: Principal, clock: float) -> None:
        """Look again, when what is known is old. `clock`: seconds that only grow."""
        async with self._lock:
            if clock - self.asked_at < _KEEP_S:
                return
            health, lags = await asyncio.gather(activity.health(console, principal), _lags(console, principal))
            readings = {}
            for name, found in health["services"].items():
                total = (found.get("totals") or {}).get(_SERVICES.get(name, ("", "", (), ""))[3])
                if total is not None:
                    before = self._readings.get(name)
                    readings[name] = (before[1] if before else None, (clock, total))
            self._health, self._lags, self._readings = health, lags, readings
            self.asked_at = clock

    def services(self, partitions: int) -> list[dict[str, Any]]:
        """The services as rows, in the language of whoever looks now."""
        return [
            service(
                name, found, self._lags, rate(*self._readings[name]) if name in self._readings else None, partitions
            )
            for name, found in self._health["services"].items()
        ]

    @property
    def read_model(self) -> str:
        """How the ticket tables stand."""
        return progress(self._health["read_model"], self._health["database"])


async def _lags(console: Console, principal: Principal) -> Sequence[Mapping[str, Any]] | None:
    try:
        async with asyncio.timeout(6):
            return (await activity.lag(console, principal)).items
    except (Problem, TimeoutError):
        return None  # shown as unknown; the services' own state says that Kafka is away


def rate(before: tuple[float, float] | None, now: tuple[float, float]) -> str | None:
    """How much a minute, from two readings (seconds, total) of a counter; None while there is only one."""
    if before is None or now[0] <= before[0] or now[1] < before[1]:
        return None
    minute = (now[1] - before[1]) / (now[0] - before[0]) * 60
    return say("{minute:,.0f} a minute", minute=minute) if minute >= 1 or minute == 0 else say("less than 1 a minute")


def service(
    name: str,
    found: Mapping[str, Any],
    lags: Sequence[Mapping[str, Any]] | None,
    per_minute: str | None,
    partitions: int,
) -> dict[str, Any]:
    """A service as a row."""
    title, about, groups, _ = _SERVICES.get(name, (name, "", (), ""))
    state = str(found.get("state", "unknown"))
    tone, words = _STATES.get(state, ("bad" if found.get("reason") else "warn", mark("Not ready")))
    own = [row for row in lags or [] if row["group"] in groups]
    known = [int(row["lag"]) for row in own if row["lag"] is not None]
    problems = [part for part in str(found.get("reason") or "").split("; ") if part]
    lost = [
        say("{topic}: some of its offsets are gone", topic=row["topic"]) for row in own if row.get("lost") and known
    ]
    return {"name": name, "title": say(title), "about": say(about), "tone": tone, "words": say(words), "problems": problems + lost,
            "lag": behind(max(known), partitions) if known else None, "rate": per_minute}  # fmt: skip


def behind(lag: int, partitions: int) -> str:
    """How far a reader is behind. Kafka counts the mark that ends a transaction as a record that nobody reads, so one
    for each partition means nothing."""
    return say("up to date") if lag <= partitions else say("{lag:,} records", lag=lag)


def progress(read: Mapping[str, Any], database: Mapping[str, Any]) -> str:
    """How the ticket tables stand."""
    if not database.get("ok", True):
        return say("The database {state}.", state=database.get("says", say("does not answer")))
    if read["rebuilding"]:
        return say("They are being rebuilt beside the present ones; {behind:,} events to go.", behind=read["behind"])
    told = say("{lag:,} events behind", lag=read["lag"]) if read["lag"] else say("Up to date")
    return say("{told}, kept in {database}.", told=told, database=database.get("says", say("the database")))
