"""What goes on: mail waiting to be sent, health of the services, consumer lag, throughput."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts.topics import TOPICS
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.groups import GROUPS, group_name
from mailroom_runtime.bus.kafka import partitions_for
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import READ, Principal
from mailroom_console.problems import Problem
from mailroom_console.storage.paging import Page

_METRIC = re.compile(r"^(mailroom_[a-z_]+_total)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


async def outbound_waiting(
    console: Console, principal: Principal, *, limit: int = 200, after: str | None = None
) -> Page:
    """Outgoing mail that is queued, being tried, waiting for its next try, or parked; longest waiting first.

    Agents see that of the tickets they see.
    """
    principal.require(READ)
    rows = console.live.lanes(principal.portal_id)
    if principal.queue_ids is not None:
        shown = await console.read.seen_by(principal, {str(row["ticket_id"]) for row in rows if row["ticket_id"]})
        rows = [row for row in rows if row["ticket_id"] in shown]
    start = 0
    if after:
        start = next((n + 1 for n, row in enumerate(rows) if row["outbound_id"] == after), 0)
    page = rows[start : start + limit]
    return Page(page, page[-1]["outbound_id"] if len(rows) > start + limit else None)


async def health(console: Console, principal: Principal) -> dict[str, Any]:
    """Each service's state, the database's, and how far the read model is."""
    principal.require(READ)
    services, database = await asyncio.gather(_services(console), _database(console))
    return {"services": services, "database": database, "read_model": console.read.progress}


async def lag(console: Console, principal: Principal) -> Page:
    """How far each consumer group is behind, per topic. Raises `Problem` 503 without Kafka."""
    principal.require(READ)
    try:
        async with asyncio.timeout(15):
            return Page(await _lags(console))
    except (KafkaError, TimeoutError):
        raise Problem(503, "bus_unavailable", say("Kafka does not answer.")) from None


async def ends(console: Console) -> dict[str, int]:
    """Records ever written to each topic; the difference over time is the throughput."""
    consumer = AIOKafkaConsumer(**connection(console.settings), enable_auto_commit=False)
    await consumer.start()
    try:
        found: dict[str, int] = {}
        for topic in TOPICS:
            name = topic.full_name(console.settings.topic_prefix)
            parts = [TopicPartition(name, p) for p in await partitions_for(consumer, name)]
            found[topic.name] = sum((await consumer.end_offsets(parts)).values()) if parts else 0
        return found
    finally:
        await consumer.stop()


async def _services(console: Console) -> dict[str, dict[str, Any]]:
    async def one(name: str, url: str) -> tuple[str, dict[str, Any]]:
        try:
            answer = await console.http.get(f"{url.rstrip('/')}/health", timeout=2.0)
            report = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return name, {
                "state": "down",
                "url": url,
                "reason": say("does not answer ({error})", error=type(error).__name__),
            }
        conditions = report.get("conditions", {})
        reasons = [f"{n}: {c.get('reason', 'not ready')}" for n, c in conditions.items() if not c.get("ok")]
        found = {"state": report.get("state", "unknown"), "url": url, "uptime_s": report.get("uptime_s"),
                 "reason": "; ".join(reasons) or None}  # fmt: skip
        try:
            metrics = (await console.http.get(f"{url.rstrip('/')}/metrics", timeout=2.0)).text
        except httpx.HTTPError:
            metrics = ""
        totals: dict[str, float] = {}
        for metric, value in _METRIC.findall(metrics):
            totals[metric] = totals.get(metric, 0.0) + float(value)
        return name, found | {"totals": totals}

    own = {"console": f"http://{console.settings.health_host}:{console.settings.health_port}"}
    asked = {**console.settings.services, **(own if console.settings.health_port else {})}
    return dict(await asyncio.gather(*(one(name, url) for name, url in asked.items())))


async def _database(console: Console) -> dict[str, Any]:
    try:
        async with console.database.read() as connection:
            await connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        return {"ok": False, "says": say("does not answer ({error})", error=type(error).__name__)}
    return {"ok": True, "says": "SQLite" if console.database.sqlite else "PostgreSQL"}


async def _lags(console: Console) -> list[dict[str, Any]]:
    settings = console.settings
    rows: list[dict[str, Any]] = []
    for group, topics in GROUPS.items():
        consumer = AIOKafkaConsumer(
            **connection(settings), group_id=group_name(settings.topic_prefix, group),
            enable_auto_commit=False,
        )  # fmt: skip
        await consumer.start()
        try:
            for topic in topics:
                name = topic.full_name(settings.topic_prefix)
                parts = [TopicPartition(name, p) for p in await partitions_for(consumer, name)]
                if not parts:
                    continue
                consumer.assign(parts)
                last = await consumer.end_offsets(parts)
                committed = [(tp, await consumer.committed(tp)) for tp in parts]
                known = [max(0, last[tp] - offset) for tp, offset in committed if offset is not None]
                rows.append({"group": group, "topic": topic.name, "lag": sum(known) if known else None,
                             "lost": len(known) < len(parts)})  # fmt: skip
        finally:
            await consumer.stop()
    rows.append({"group": "console", "topic": "ticket.events", "lag": console.read.progress["lag"], "lost": False})
    return rows
