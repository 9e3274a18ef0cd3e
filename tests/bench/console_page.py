"""Bench `console_page`: lists, search and a ticket with 1,000,000 tickets in one portal, against an empty portal.

The whole server side without the network: routing, token, queries, JSON, in this process on SQLite. Each page is asked
for turn about in both portals; said are the slowest page's median and the ratio of the medians. TICKETS=50000 is quick;
DATABASE=postgresql takes a PostgreSQL of its own in place of SQLite.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy/local")]

import httpx
from bench import postgresql_rows
from bench.postgresql_rows import ADDRESS, STATUS, TAGS
from integration.console.postgres import Postgres
from mailroom_console.access import passwords
from mailroom_console.api import build_api
from mailroom_console.context import Console
from mailroom_console.live.changes import Changes
from mailroom_console.live.live import Live
from mailroom_console.read_model.model import ReadModel
from mailroom_console.read_model.words import scope
from mailroom_console.settings import ConsoleSettings
from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import Notifications
from sqlalchemy import create_engine, text

ABOUT = "any list, search or ticket with 1,000,000 tickets, against the same on an empty portal (lower is better: ms)"
TICKETS = int(os.environ.get("TICKETS", "1000000"))
POSTGRESQL = os.environ.get("DATABASE", "") == "postgresql"
QUEUES = 8
LIMIT_MS = 100.0
MINUTES = 6.0
_SERIES = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "


def fill(url: str, tickets: int) -> None:
    """Two portals, one of them with `tickets` tickets of two messages; a token of each."""
    if POSTGRESQL:
        postgresql_rows.fill(url, tickets, QUEUES)
        return
    engine = create_engine(url.replace("+aiosqlite", ""))
    with engine.begin() as c:
        c.exec_driver_sql("PRAGMA synchronous=OFF")
        for portal in ("big", "empty"):
            c.execute(text("INSERT INTO portals (id, name, active, dkim, follow_up_after_days, revision, created_at, "
                           "updated_at) VALUES (:p, :p, 1, '[]', 14, 1, 0, 0)"), {"p": portal})  # fmt: skip
            c.execute(text("INSERT INTO api_tokens (id, portal_id, name, digest, hint, scopes, created_at, created_by, "
                           "used_at) VALUES (:p, :p, 'bench', :d, '', '[\"read\"]', 0, '', 9000000000000000)"),
                      {"p": portal, "d": passwords.digest(f"mr_{portal}")})  # fmt: skip
            for queue in range(QUEUES):
                c.execute(text("INSERT INTO queues (id, portal_id, name, revision, created_at, updated_at) "
                               "VALUES (:id, :p, :id, 1, 0, 0)"), {"id": f"{portal}{queue}", "p": portal})  # fmt: skip
        numbers = {"count": tickets}
        c.execute(
            text(
                _SERIES
                + f"""INSERT INTO rm0_tickets (seq, id, number, portal_id, queue_id, address_id, status, place,
            assignee_id, subject, customer_email, customer_key, customer_name, created_at, updated_at, version, message_count,
            last_text, customer_at, answered_at, waiting, failed)
            SELECT i, printf('%032x', i), printf('MR-%08d', i), 'big', 'big' || (i % {QUEUES}), {ADDRESS}, {STATUS}, {STATUS},
            CASE WHEN i % 3 = 0 THEN NULL ELSE 'agent' || (i % 40) END, 'Order ' || i || ' has not arrived',
            'jo' || i || '@customer.example', 'jo' || i || '@customer.example', 'Jo', 1700000000000000 + i, 1700000000000000 + (i * 7919) % :count, 4, 2,
            'Where is it?', 1700000000000000 + i, NULL, i % 10 >= 8 AND i % 2 = 0, i % 500 = 0 FROM n"""
            ),
            numbers,
        )
        c.execute(text(_SERIES + """INSERT INTO rm0_messages (id, ticket_id, portal_id, direction, kind, at, version,
            new_sender, document) SELECT printf('m%031x', i), printf('%032x', i / 2 + i % 2), 'big', 'in', 'mail',
            1700000000000000 + i, 2, 0, '{"text": "Where is my order ' || i || '?", "subject": "Order"}' FROM n"""),
            {"count": tickets * 2})  # fmt: skip
        for tag, each in TAGS.items():
            c.execute(text(_SERIES + f"INSERT INTO rm0_tags (ticket_id, tag, portal_id, name, seq, place, updated_at) "
                           f"SELECT printf('%032x', i), '{tag}', 'big', '{tag}', i, {STATUS}, 1700000000000000 + (i * 7919) % :count "
                           f"FROM n WHERE i % {each} = 7"), numbers)  # fmt: skip
        o = scope("big")
        c.execute(
            text(
                _SERIES
                + f"""INSERT INTO rm0_search (rowid, words) SELECT i,
            '{o}order {o}' || i || ' {o}has {o}not {o}arrived {o}jo' || i || ' {o}customer {o}example {o}where {o}is {o}my {o}parcel {o}'
            || CASE WHEN i % 100000 = 7 THEN 'rhubarb' ELSE 'please' END FROM n"""
            ),
            numbers,
        )
        c.exec_driver_sql("ANALYZE")
    engine.dispose()


def pages(tickets: int) -> dict[str, str]:
    """What is asked for; PORTAL stands for the portal."""
    middle = f"{tickets // 2:032x}"
    return {
        "all": "/tickets", "queue": "/tickets?queue_id=PORTAL3", "open": "/tickets?status=open",
        "queue, open": "/tickets?queue_id=PORTAL3&status=open", "unassigned": "/tickets?view=unassigned",
        "waiting": "/tickets?view=waiting", "failed": "/tickets?view=failed", "an agent's": "/tickets?assignee_id=agent7",
        "unassigned, any": "/tickets?unassigned=true", "search, all match": "/tickets?q=order",
        "search, two words": "/tickets?q=parcel+arrived", "search, rare": "/tickets?q=rhubarb",
        "search, open": "/tickets?q=order&status=open", "search, none": "/tickets?q=absent", "search, prefix": "/tickets?q=or",
        "search, beginning": "/tickets?q=parc", "search, address": "/tickets?q=jo4711@customer.example", "search, phrase": '/tickets?q="where is my"',
        "search, agent's": "/tickets?q=order&assignee_id=agent7", "search, rare tag": "/tickets?q=order&tag=lost",
        "oldest": "/tickets?sort=oldest", "since": "/tickets?since=2023-11-14T22:13:20Z", "address": "/tickets?address_id=ad7",
        "address, rare": "/tickets?address_id=ad-rare", "address, none": "/tickets?address_id=ad-none", "tag": "/tickets?tag=vip",
        "tag, rare": "/tickets?tag=lost", "tag, none": "/tickets?tag=absent", "tag, open": "/tickets?tag=vip&status=open",
        "tag, queue": "/tickets?tag=lost&queue_id=PORTAL3", "customer": "/tickets?customer=jo4711@customer.example",
        "customer, queue": "/tickets?customer=jo4711@customer.example&queue_id=PORTAL3",
        "a ticket": f"/tickets/{middle}", "queues with counts": "/queues",
    }  # fmt: skip


async def measure(rounds: int, tickets: int) -> dict[str, Any]:
    """Medians in milliseconds of each page in both portals."""
    with _database() as url:
        settings = ConsoleSettings(database=url, services={})
        database = Database(settings.database_url)
        await database.migrate()
        began = time.monotonic()
        await asyncio.to_thread(fill, settings.database_url, tickets)  # with a loop of its own, where it needs one
        filled = time.monotonic() - began
        notifications = Notifications(database)
        changes = Changes(notifications)
        nothing = cast(Any, None)
        read = ReadModel(settings, database, nothing, changes, notifications)
        await read.start()
        console = Console(
            settings=settings, database=database, notifications=notifications, producer=nothing, presence=nothing, here=nothing,
            blobs=nothing, sealer=nothing, read=read, live=Live(settings, changes), http=nothing, providers=nothing, keeper=nothing,
        )  # fmt: skip
        times: dict[str, dict[str, list[float]]] = {}
        transport = httpx.ASGITransport(app=build_api(console))
        async with httpx.AsyncClient(transport=transport, base_url="http://console", timeout=120) as client:
            asked = pages(tickets)
            # where page 500 begins
            first = (await client.get("/tickets?limit=200", headers=_as("big"))).json()
            asked["page by key"] = f"/tickets?next={first['next']}"
            for _ in range(max(5, rounds)):
                for name, path in asked.items():
                    for portal in ("big", "empty"):
                        started = time.perf_counter()
                        answer = await client.get(path.replace("PORTAL", portal), headers=_as(portal))
                        spent = (time.perf_counter() - started) * 1000
                        assert answer.status_code in (200, 404), answer.text
                        times.setdefault(name, {}).setdefault(portal, []).append(spent)
        await database.close()
    medians = {name: {p: statistics.median(v) for p, v in found.items()} for name, found in times.items()}
    slowest = max(medians, key=lambda n: medians[n]["big"])
    return {
        "ratio": round(medians[slowest]["big"] / medians[slowest]["empty"], 2),
        "ours": round(medians[slowest]["big"], 1), "reference": round(medians[slowest]["empty"], 1), "unit": "ms",
        "command": f"{'DATABASE=postgresql ' if POSTGRESQL else ''}TICKETS={tickets} .venv/bin/python tests/bench/console_page.py", "slowest": slowest,
        "limit_ms": LIMIT_MS, "tickets": tickets, "filled_s": round(filled, 1),
        # the least of a page is what it takes where other work takes no processor away
        "pages_ms": {n: [round(m["big"], 1), round(m["empty"], 1), round(min(times[n]["big"]), 1)] for n, m in medians.items()},
    }  # fmt: skip


@contextmanager
def _database() -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mailroom-bench-") as folder:
        if not POSTGRESQL:
            yield f"sqlite+aiosqlite:///{folder}/console.db"
            return
        server = Postgres()
        try:
            server.start()
            yield server.url("bench")
        finally:
            server.stop()


def _as(portal: str) -> dict[str, str]:
    return {"Authorization": f"Bearer mr_{portal}"}


def run(rounds: int) -> dict[str, Any]:
    """For `make bench`."""
    return asyncio.run(measure(rounds, TICKETS))


if __name__ == "__main__":
    figures = run(int(os.environ.get("ROUNDS", "5")))
    for page, (big, empty, least) in figures.pop("pages_ms").items():
        print(f"{page:22} {big:8.1f} ms   empty {empty:6.1f} ms   least {least:6.1f} ms")
    print(figures)
