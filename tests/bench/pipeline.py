"""Bench `pipeline`: SMTP in to ticket event through the whole local stack, against django-helpdesk on the same mails.

Load generator, DNS, Kafka and all services share this machine. Mails of 5 kB with DKIM signatures, a fifth of them
replies; SPF, DKIM and DMARC are checked, the console follows, new customers get their automatic reply. The clock runs
from the first MAIL to the last mail's committed ticket event; `with_all_replies_per_s` counts until the last automatic
reply was sent and recorded. What each process used of the processor is counted too, since that is what tells where time
goes on a machine that others use at the same time. The automatic replies go to Postfix's smtp-sink where there is one:
the local mailbox keeps, decodes and shows what it gets, and is no part of what is measured.

django-helpdesk is slower the more it has, since nothing that it looks for has an index. It takes the first half of the
mails once, untimed, and each round's 600 then come into a copy of that database: what a mail costs it in the middle of so
many.

Settings: PIPELINE_MAILS=20000, PIPELINE_HELPDESK=600 (mails that django-helpdesk is timed with, of the same set),
PIPELINE_HELPDESK_HAS (mails that it has before, half of PIPELINE_MAILS).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy/local")]

from bench.outbound_smtp import SINK
from bench.signed_mails import SignedMail, Signer, fill_zone, signed_mails
from bench.ticket_watch import TicketWatch
from layout import Layout
from supervision import Supervision
from support.dns_server import DnsServer
from support.processes import REPOSITORY, Process
from support.stacks import Stack

ABOUT = "SMTP in to ticket event through all services, against django-helpdesk's get_email on the same mails"
TARGET = 10.0
MINUTES = 75.0
HELPDESK = REPOSITORY / ".cache" / "django-helpdesk"
CONNECTIONS = 60  # enough that a wait for the disk or for the scheduler leaves work for the others
WARM = 400


def helpdesk_python() -> Path:
    """The interpreter of django-helpdesk's own virtualenv, which is made when it is not there."""
    python = HELPDESK / "bin" / "python"
    if not (HELPDESK / ".complete").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--clear", "-q", str(HELPDESK)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), "django-helpdesk"], check=True)
        (HELPDESK / ".complete").touch()
    return python


def helpdesk_rate(mails: list[SignedMail], database: Path, *, keep: bool = False) -> dict[str, float]:
    """Mails a second that django-helpdesk makes tickets of, beside what `database` holds; `keep` puts them there."""
    with tempfile.TemporaryDirectory(prefix="mailroom-helpdesk-") as name:
        (Path(name) / "mails").mkdir()
        if database.exists():
            shutil.copy(database, Path(name) / database.name)
        for number, mail in enumerate(mails):
            (Path(name) / "mails" / f"{number:06d}").write_bytes(mail.raw)
        done = subprocess.run(
            [str(helpdesk_python()), str(Path(__file__).with_name("helpdesk_app.py")), name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"django-helpdesk failed: {done.stderr[-1000:]}")
        if keep:
            shutil.copy(Path(name) / database.name, database)
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["left"] or answer["followups"] != len(mails):
        raise RuntimeError(f"django-helpdesk did not take all {len(mails)} mails: {answer}")
    return {"rate": len(mails) / answer["seconds"], "cpu_ms": answer["cpu_s"] * 1000 / len(mails)}


def write_mails(file: Path, mails: list[SignedMail]) -> None:
    """As `smtp_file` reads them."""
    file.write_text("".join(json.dumps([m.sender, base64.b64encode(m.raw).decode()]) + "\n" for m in mails))


async def deliver(port: int, file: Path, rate: float = 0.0, connections: int = CONNECTIONS) -> dict[str, Any]:
    """Send a file of mails to a port with a process of its own; what that said."""
    arguments = ("-m", "bench.smtp_file", str(port), str(file), str(connections), str(rate))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    )
    out, _ = await process.communicate()
    answer: dict[str, Any] = json.loads(out)
    if answer["failed"]:
        raise RuntimeError(f"mails were refused: {answer['failed']}")
    return answer


def used(stack: Stack) -> dict[str, float]:
    """Processor seconds of each part of the stack."""
    seconds: dict[str, float] = {}
    for process in stack.processes():
        try:
            words, times = process.cmdline(), process.cpu_times()
        except psutil.Error:
            continue
        name = "kafka" if "kafka.Kafka" in words else "supervisor"
        if "-m" in words:
            name = words[words.index("-m") + 1].removeprefix("mailroom_")
        elif any("postbox" in word for word in words):
            name = "mailbox"
        elif "valkey" in " ".join(words):
            name = "valkey"
        seconds[name] = seconds.get(name, 0.0) + times.user + times.system
    return seconds


async def one_round(stack: Stack, signer: Signer, folder: Path, count: int, run: str) -> dict[str, Any]:
    """All mails through, then until nothing more comes (automatic replies sent and reported)."""
    mails = list(signed_mails(run, count, signer))
    file = folder / f"{run}.jsonl"
    write_mails(file, mails)
    async with TicketWatch(f"127.0.0.1:{stack.port(19092)}", together_bytes=1 << 18) as watch:
        before = used(stack)
        sending = asyncio.create_task(deliver(stack.port(2525), file))
        await watch.until(count, timeout_s=60 + count / 10)
        sent = await sending
        seconds = watch.last_at - sent["began_at"]
        at_ticket = used(stack)
        await watch.quiet(5.0)
        after = used(stack)
    file.unlink()
    if watch.messages != count:
        raise RuntimeError(f"{watch.messages} messages of {count} mails")
    return {
        "rate": count / seconds,
        "accepted_per_s": count / sent["seconds"],
        "done_per_s": count / (watch.last_event_at - sent["began_at"]),
        "cpu_ms": {name: round((after[name] - before.get(name, 0.0)) * 1000 / count, 2) for name in sorted(after)},
        "cpu_ms_to_ticket": round(sum(at_ticket[n] - before.get(n, 0.0) for n in at_ticket) * 1000 / count, 2),
    }


async def rounds_of(stack: Stack, signer: Signer, folder: Path, rounds: int, count: int) -> tuple[list[Any], list[Any]]:
    """Ours and the reference, turn about."""
    await one_round(stack, signer, folder, WARM, f"w{secrets.token_hex(3)}")
    few = int(os.environ.get("PIPELINE_HELPDESK") or 600)
    has = int(os.environ.get("PIPELINE_HELPDESK_HAS") or count // 2)
    database = folder / "helpdesk.sqlite3"
    await asyncio.to_thread(helpdesk_rate, list(signed_mails("before", has, signer)), database, keep=True)
    ours: list[Any] = []
    theirs: list[Any] = []
    for _ in range(rounds):
        run = f"p{secrets.token_hex(3)}"
        ours.append(await one_round(stack, signer, folder, count, run))
        theirs.append(await asyncio.to_thread(helpdesk_rate, list(signed_mails(run, few, signer)), database))
    return ours, theirs


@contextlib.contextmanager
def world(stack: Stack) -> Iterator[None]:
    """smtp-sink in the place of the stack's mailbox, where it is installed."""
    if not Path(SINK).exists():
        yield
        return
    Supervision(Layout.running_or(stack.env)).stop_part("mailbox")
    sink = Process([SINK, "-u", "nobody", f"127.0.0.1:{stack.port(2526)}", "1000"], stack.data / "sink.log")
    sink.launch()
    try:
        yield
    finally:
        sink.kill()


async def with_stack(work: Any) -> Any:
    """Run `work(stack, signer, folder)` on a stack of its own with a DNS server that knows the customers."""
    signer = Signer()
    with tempfile.TemporaryDirectory(prefix="mailroom-bench-") as name:
        async with DnsServer() as dns:
            fill_zone(dns.zone, signer)
            stack = Stack(Path(name), env={"MAILROOM_DNS_SERVER": dns.address})
            try:
                up = await asyncio.to_thread(stack.call, "up", timeout=400)
                if up.returncode != 0:
                    raise RuntimeError(f"the stack did not start: {up.stdout[-1000:]}{up.stderr[-1000:]}")
                with world(stack):
                    return await work(stack, signer, Path(name))
            finally:
                await asyncio.to_thread(stack.remove)


def run(rounds: int = 1, count: int | None = None) -> dict[str, Any]:
    """Medians of both; the ratio is tickets a second against tickets a second."""
    mails = count or int(os.environ.get("PIPELINE_MAILS") or 20_000)
    load = os.getloadavg()[0]
    began = time.monotonic()
    ours, theirs = asyncio.run(
        with_stack(lambda stack, signer, folder: rounds_of(stack, signer, folder, rounds, mails))
    )
    rate = statistics.median(one["rate"] for one in ours)
    reference = statistics.median(one["rate"] for one in theirs)
    middle = sorted(ours, key=lambda one: float(one["rate"]))[len(ours) // 2]
    return {
        "unit": "tickets/s",
        "ours": round(rate, 1),
        "reference": round(reference, 1),
        "ratio": round(rate / reference, 2),
        "command": "make bench ONLY=pipeline",
        "mails": mails,
        "accepted_per_s": round(middle["accepted_per_s"], 1),
        "with_all_replies_per_s": round(middle["done_per_s"], 1),
        "cpu_ms_per_mail": round(sum(middle["cpu_ms"].values()), 2),
        "cpu_ms_to_ticket": middle["cpu_ms_to_ticket"],
        "reference_cpu_ms_per_mail": round(statistics.median(one["cpu_ms"] for one in theirs), 2),
        "load_before": round(load, 1),
        "cpu_ms_by_process": middle["cpu_ms"],
        "took_s": round(time.monotonic() - began),
    }


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    print(json.dumps(run(*numbers[:2]), indent=1))
