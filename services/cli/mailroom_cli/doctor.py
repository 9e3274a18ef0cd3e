"""`mailroom doctor`: looks at everything the installation stands on, and says what to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mailroom_contracts.topics import TICKET_EVENTS
from mailroom_runtime.bus import cluster
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.groups import GROUPS, offsets_of
from mailroom_runtime.bus.kafka import partitions_for
from mailroom_runtime.bus.topic_admin import drift
from mailroom_runtime.process.settings import ServiceSettings, load
from mailroom_runtime.redis.valkey import REDIS_DOWN, connect

from .client import DEFAULT_URL, Api
from .output import AsJson, Failure, console, show
from .records import unreadable_ahead

LAG_WORRY = 1000
CLOCK_WORRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says what to do when it is not ok."""

    check: str
    ok: bool
    says: str
    advice: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check Kafka, topics, lag, Valkey, the console and its database, keys, addresses and the clock."""
    settings = load(ServiceSettings)
    findings = asyncio.run(_look(settings))
    if as_json:
        show({"ok": all(f.ok for f in findings), "checks": [asdict(f) for f in findings]}, True)
    else:
        for finding in findings:
            console.print(
                f"{'[green]ok  [/]' if finding.ok else '[red]BAD [/]'} [bold]{finding.check}[/] {finding.says}"
            )
            if not finding.ok:
                console.print(f"     [yellow]→ {finding.advice}[/]")
    if not all(f.ok for f in findings):
        raise SystemExit(1)


async def _look(settings: ServiceSettings) -> list[Finding]:
    checks: list[Callable[[ServiceSettings], Awaitable[list[Finding]]]] = [_kafka, _valkey, _keys, _console]
    found: list[Finding] = []
    for check in checks:
        found += await check(settings)
    return found


async def _kafka(settings: ServiceSettings) -> list[Finding]:
    advice = "start Kafka, or set MAILROOM_KAFKA to where it is"
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=5000)
    try:
        await admin.start()
        try:
            have = set(await admin.list_topics())
            missing, drifted = await drift(admin, settings, have)
            brokers = await cluster.look(admin, settings)
        finally:
            await admin.close()
        lags = await _lags(settings) if not missing else {}
    except (KafkaError, OSError) as error:
        return [Finding("kafka", False, f"{settings.kafka} does not answer ({type(error).__name__})", advice)]
    found = [Finding("kafka", True, f"{settings.kafka} answers")]
    problems = [f"missing: {name}" for name in missing] + drifted
    found.append(
        Finding("topics", not problems, "; ".join(problems) or "all there, settings as wanted",
                "run `mailroom topics create`; what still drifts is changed with Kafka's own tools")
    )  # fmt: skip
    wrong, unseen = brokers.problems(settings.inline_limit_bytes), brokers.unseen()
    found.append(
        Finding("brokers", not wrong, "; ".join(wrong) or unseen or f"{brokers.brokers}, settings as wanted",
                "who runs Kafka changes it there (docs/operations.md, Install)")
    )  # fmt: skip
    lost = [group for group, lag in lags.items() if lag is None]
    if not missing:
        found.append(
            Finding("offsets", not lost, "lost: " + ", ".join(lost) if lost else "every group has its offsets",
                    "see `mailroom topics create --help`, --start-group")
        )  # fmt: skip
        worst = {group: lag for group, lag in lags.items() if lag is not None and lag > LAG_WORRY}
        said = ", ".join(f"{group} {lag}" for group, lag in lags.items() if lag is not None)
        found.append(Finding("lag", not worst, said, "start more copies of the service, or see its log"))
        found.append(Finding("event log", True, await _event_log(settings)))
        unreadable = [str(what) for what in await unreadable_ahead(settings)]
        found.append(
            Finding("records", not unreadable, "; ".join(unreadable) or "what comes next can be read",
                    "mend the client that wrote it; `mailroom records skip TOPIC PARTITION OFFSET` gives it up")
        )  # fmt: skip
    return found


async def _event_log(settings: ServiceSettings) -> str:
    """Where the partitions of ticket.events begin: later than 0 once one was renewed."""
    name = TICKET_EVENTS.full_name(settings.topic_prefix)
    async with AIOKafkaConsumer(**connection(settings), enable_auto_commit=False) as consumer:
        parts = [TopicPartition(name, partition) for partition in await partitions_for(consumer, name)]
        begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
    later = ", ".join(f"partition {tp.partition} at {begins[tp]}" for tp in parts if begins[tp])
    size = f"{sum(ends[tp] - begins[tp] for tp in parts)} records"
    return f"{size}, renewed: {later}" if later else f"{size}, never renewed"


async def _lags(settings: ServiceSettings) -> dict[str, int | None]:
    lags: dict[str, int | None] = {}
    for group, topics in GROUPS.items():
        async with offsets_of(settings, group) as consumer:
            parts = [
                TopicPartition(name, partition)
                for name in (t.full_name(settings.topic_prefix) for t in topics)
                for partition in await partitions_for(consumer, name)
            ]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            committed = [(tp, await consumer.committed(tp)) for tp in parts]
        known = [max(0, ends[tp] - offset) for tp, offset in committed if offset is not None]
        lags[group] = sum(known) if len(known) == len(committed) else None
    return lags


async def _valkey(settings: ServiceSettings) -> list[Finding]:
    client = connect(settings.redis)
    try:
        policy = (await client.config_get("maxmemory-policy")).get("maxmemory-policy")
        aof = (await client.config_get("appendonly")).get("appendonly")
    except REDIS_DOWN as error:
        return [Finding("valkey", False, f"does not answer ({type(error).__name__})",
                        "start Valkey, or set MAILROOM_REDIS; mail is still taken in meanwhile")]  # fmt: skip
    finally:
        await client.aclose()
    wrong = [] if policy == "noeviction" else [f"maxmemory-policy is {policy}, wanted noeviction"]
    wrong += [] if aof == "yes" else ["appendonly is off"]
    return [Finding("valkey", not wrong, "; ".join(wrong) or "answers, settings as wanted",
                    "set maxmemory-policy noeviction and appendonly yes")]  # fmt: skip


async def _keys(settings: ServiceSettings) -> list[Finding]:
    found = []
    for name, ring in (
        ("MAILROOM_SECRET_KEYS", settings.secret_ring()),
        ("MAILROOM_MESSAGE_ID_KEYS", settings.message_id_ring()),
    ):
        says = f"{name}: {', '.join(ring)}" if ring else f"{name} is empty here"
        found.append(
            Finding("keys", bool(ring), says,
                    f"set it as the services have it (local stack: .data/secrets.env); `mailroom keys new k1` makes one")  # noqa: F541
        )  # fmt: skip
    return found


async def _console(settings: ServiceSettings) -> list[Finding]:
    url = (os.environ.get("MAILROOM_URL") or DEFAULT_URL).rstrip("/")
    advice = "start the console, or set MAILROOM_URL; see its log"
    try:
        answer = await asyncio.to_thread(httpx.get, f"{url}/api/v1/openapi.json", timeout=5.0)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        return [Finding("console", False, f"{url} does not answer ({type(error).__name__})", advice)]
    found = [Finding("console", True, f"{url} answers")]
    if "date" in answer.headers:
        off = abs((parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)).total_seconds())
        found.append(Finding("clock", off < CLOCK_WORRY_S, f"{off:.0f} s from the console's",
                             "set the clocks by NTP: signatures and due times depend on them"))  # fmt: skip
    try:
        api = Api()
        health: dict[str, Any] = await asyncio.to_thread(api.get, "/health")
        rows = [a async for a in _addresses(api)]
    except Failure as failure:
        return [*found, Finding("api", False, str(failure), "set MAILROOM_TOKEN to a token of this portal")]
    waiting = [
        f"{name}: {service.get('state')}" + (f" ({service['reason']})" if service.get("reason") else "")
        for name, service in health.get("services", {}).items()
        if service.get("state") != "ready"
    ]  # fmt: skip
    found.append(Finding("services", not waiting, "; ".join(waiting) or "all ready", "see `make logs ONLY=name`"))
    database = health.get("database", {})
    found.append(Finding("database", bool(database.get("ok", True)), str(database.get("says", "answers")), advice))
    needing = [f"{a['email']}: {a.get('state_reason') or a['state']}" for a in rows if a["state"] == "needs_attention"]
    found.append(Finding("addresses", not needing, "; ".join(needing) or "none needs attention",
                         "open the address in the console: Update or Reconnect"))  # fmt: skip
    return found


async def _addresses(api: Api) -> Any:
    for row in await asyncio.to_thread(lambda: list(api.pages("/addresses"))):
        yield row
