"""`make chaos SEED=… DURATION=… BROKERS=…`: a stack of its own under load, faults done to it, and the books compared.

JSON=1 makes the last line one object: accepted, lost, doubled, stuck, faults, and a row per fault.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import redis
from layout import Layout
from mailroom_cli.load.plan import LoadPlan
from mailroom_cli.load.senders import Refused, SmtpSender
from mailroom_runtime.process.settings import ServiceSettings
from readiness import broker_answers
from rich.console import Console
from rich.table import Table
from support.stacks import Stack

from .books import Books, settle
from .faults import BROKERS, Fault, Hands, no_disk, schedule, small_disk

RATE = 8.0
RATE_OF_BROKERS = 30.0  # where it is brokers that end, one of three after the other
LONGEST_WAIT_S = 30.0  # and then no accepted mail waits longer for its ticket
SETTLE_S = 150.0
STUCK_S = 30.0  # each part is ready again so soon after a fault's end
STEADY_S = 2.0
SOON_S = 2.5  # a short run does not wait so long: the next fault comes when it comes, and nothing is said to be stuck


async def storm(
    stack: Stack, seed: int, duration_s: float, console: Console, wait_s: float = SOON_S, brokers: int = 1
) -> dict[str, Any]:
    """Load and faults for `duration_s` seconds on a running stack; the compared books with a row per fault."""
    ports = json.loads((stack.data / "run" / "ports.json").read_text())
    settings = ServiceSettings(kafka=Layout.running_or(stack.env).bootstrap, data=stack.data)
    api = httpx.Client(base_url=stack.api_url, headers={"Authorization": f"Bearer {stack.token}"}, timeout=30)
    books = Books()
    rate = float(os.environ.get("RATE") or (RATE_OF_BROKERS if brokers > 1 else RATE))
    plan = LoadPlan(
        run=f"chaos{seed}-{os.getpid()}",
        rate=rate,
        count=int(rate * duration_s),
        size=3000,
        recipients=["support@acme.example"],
    )
    start = time.monotonic()
    rows: list[dict[str, Any]] = []
    loading = asyncio.create_task(_load(plan, ports["smtp"], books, start))
    hands = Hands(stack, api)
    try:
        for fault in schedule(seed, duration_s, brokers):
            await asyncio.sleep(max(0.0, fault.at_s - (time.monotonic() - start)))
            if time.monotonic() - start > duration_s:  # no mail comes any more that it could do anything to
                break
            console.print(f"[dim]{time.monotonic() - start:6.1f} s[/] {fault.target} {fault.kind}"
                          + (f" for {fault.hold_s:g} s" if fault.hold_s else ""))  # fmt: skip
            rows.append(await _one(hands, fault, stack, start, wait_s))
        await loading
    finally:
        hands.close()
    for (
        refusal
    ) in hands.database.refusals:  # what the database refused went aside, was put back, and is no less in the books
        books.accepted |= {refusal.marked, refusal.behind}
    result = await settle(settings, api, f"http://127.0.0.1:{ports['mailbox']}", books, SETTLE_S)
    if not _ready(stack):
        result["not_ready_at_the_end"] = True
    result["refused_wrong"] = [f"{each.marked}: {wrong}" for each in hands.database.refusals for wrong in each.wrong]
    stuck = sum(row["ready_after_s"] is None for row in rows) if wait_s >= STUCK_S else 0
    return {**result, "brokers": brokers, "rate": rate, "faults": len(rows), "stuck": stuck, "rows": rows, "seed": seed, "duration_s": duration_s,
            "refused": len([m for m in plan.mails() if m.message_id not in books.accepted])}  # fmt: skip


async def _load(plan: LoadPlan, port: int, books: Books, start: float) -> None:
    sender = SmtpSender("127.0.0.1", port, connections=8, give_up_s=120)

    async def one(mail: Any) -> None:
        books.due[mail.message_id] = time.time()
        try:
            await sender.send(mail, plan.content(mail))
            books.accepted.add(mail.message_id)
            books.taken[mail.message_id] = time.time()
        except Refused:
            pass  # never accepted, so nothing is owed

    tasks = []
    for mail in plan.mails():
        await asyncio.sleep(max(0.0, mail.due_s - (time.monotonic() - start)))
        tasks.append(asyncio.create_task(one(mail)))
    await asyncio.gather(*tasks)
    await sender.close()


async def _one(hands: Hands, fault: Fault, stack: Stack, start: float, wait_s: float) -> dict[str, Any]:
    end = await asyncio.to_thread(hands.begin, fault)
    await asyncio.sleep(fault.hold_s)
    await asyncio.to_thread(end)
    ended = time.monotonic()
    # The next fault waits so long at most until all parts said ready again, and went on to say so: what a part needs may
    # be gone for a moment before it notices.
    ready_s: float | None = None
    while (since := time.monotonic() - ended) < wait_s + STEADY_S:
        if not await asyncio.to_thread(_ready, stack):
            ready_s = None
        elif ready_s is None:
            ready_s = round(since, 1)
        if ready_s is not None and time.monotonic() - ended - ready_s > STEADY_S:
            break
        await asyncio.sleep(0.3)
    if ready_s is not None and ready_s > wait_s:
        ready_s = None
    await asyncio.to_thread(hands.undo)
    return {"fault": fault.kind, "target": fault.target, "at_s": round(ended - start - fault.hold_s, 1),
            "held_s": fault.hold_s, "ready_after_s": ready_s}  # fmt: skip


def _ready(stack: Stack) -> bool:
    """Whether each part is: the services say so, brokers and Valkey answer."""
    base, ports = stack.port(9101), json.loads((stack.data / "run" / "ports.json").read_text())
    try:
        with redis.Redis(port=ports["redis"], socket_timeout=2) as client:
            client.ping()
        return all(broker_answers(ports[name]) for name in BROKERS if name in ports) and all(
            httpx.get(f"http://127.0.0.1:{base + i}/ready", timeout=2).status_code == 200 for i in range(7)
        )
    except (httpx.HTTPError, redis.RedisError):
        return False


def run(seed: int, duration_s: float, console: Console, wait_s: float = SOON_S, brokers: int = 1) -> dict[str, Any]:
    """The whole: start a stack in a folder of its own, storm, compare, remove."""
    with tempfile.TemporaryDirectory(prefix="mailroom-chaos-") as folder:
        stack = Stack(Path(folder), env={"MAILROOM_RETRY_FIRST_S": "2", "MAILROOM_LANE_RETRY_FIRST_S": "2",
                                         "MAILROOM_LOCAL_BROKERS": str(brokers)})  # fmt: skip
        disk = small_disk(stack.data / "blobs")
        console.print(f"seed {seed}, {duration_s:g} s; starting a stack of its own"
                      + ("" if disk else " (no mount allowed: a full disk is played by a file in its place)"))  # fmt: skip
        try:
            up = stack.call("up")
            if up.returncode != 0:
                raise RuntimeError(up.stdout[-2000:] + up.stderr[-2000:])
            return asyncio.run(storm(stack, seed, duration_s, console, wait_s, brokers))
        finally:
            keep = os.environ.get("CHAOS_KEEP_LOGS")
            if keep:
                Path(keep).mkdir(parents=True, exist_ok=True)
                for log in (stack.data / "logs").glob("*"):
                    (Path(keep) / log.name).write_bytes(log.read_bytes())
            stack.call("down")
            no_disk(stack.data / "blobs")
            stack.remove()


# SMTP has one window that nobody can close: between the server's answer and our record of it. These faults fall into
# it, each with at most the few mails that are on the wire at that moment; the second copy has the same Message-ID.
WINDOW = {("kill -9", "outbound"), ("paused", "outbound"), ("hangs", "relay"), ("slow after the dot", "relay")}
ON_THE_WIRE = 4
COLUMNS = ("at_s", "target", "fault", "held_s", "ready_after_s")


def good(result: dict[str, Any]) -> bool:
    """Whether nothing was lost or doubled, but for what SMTP's own window allows."""
    bad = ("lost", "doubled", "stuck", "not_shown", "replies_lost", "two_replies_on_a_ticket", "refused_wrong")
    windows = sum((row["fault"], row["target"]) in WINDOW for row in result["rows"])
    within = result["replies_doubled"] <= windows * ON_THE_WIRE
    if result["brokers"] > 1:
        within &= result["longest_wait_s"] <= LONGEST_WAIT_S
    return (
        result["accepted"] > 0 and not any(result[n] for n in bad) and within and "not_ready_at_the_end" not in result
    )


def main() -> int:
    """Read SEED and DURATION, run, tell."""
    seed = int(os.environ.get("SEED") or time.time())
    duration = float(os.environ.get("DURATION") or 120)
    console = Console(stderr=bool(os.environ.get("JSON")))
    result = run(seed, duration, console, wait_s=STUCK_S, brokers=int(os.environ.get("BROKERS") or 1))
    table = Table(title="Faults survived" if good(result) else "NOT GOOD", title_justify="left")
    for name in COLUMNS:
        table.add_column(name)
    for row in result["rows"]:
        table.add_row(*(str(row[name]) for name in COLUMNS))
    console.print(table)
    console.print({k: v for k, v in result.items() if k != "rows"})
    if os.environ.get("JSON"):
        print(json.dumps(result), flush=True)
    return 0 if good(result) else 1


if __name__ == "__main__":
    sys.exit(main())
