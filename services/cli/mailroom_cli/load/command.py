"""The command itself: reads its options, runs the load, shows how far it is, and says what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError
from mailroom_runtime.process.settings import ServiceSettings, load
from mailroom_runtime.process.tasks import aside
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mailroom_cli.output import AsJson, Failure, console

from .observer import Observer
from .plan import LoadMail, LoadPlan
from .report import page, table
from .senders import BusSender, GmailSender, Refused, Sender, SmtpSender
from .tally import Tally

LONGEST_S = 3600.0
MOST_MAILS = 1_000_000


def load_command(
    rate: Annotated[float, typer.Option(help="Mails a second.", min=0.1, max=20_000)] = 50.0,
    count: Annotated[int | None, typer.Option(help="How many mails; or say --seconds.", min=1, max=MOST_MAILS)] = None,
    seconds: Annotated[float, typer.Option(help="How long mails are sent.", min=0.1, max=LONGEST_S)] = 10.0,
    size: Annotated[int, typer.Option(help="Bytes of a mail, about.", min=500, max=20_000_000)] = 5000,
    addresses: Annotated[str, typer.Option(help="Recipients, with commas between.")] = "support@acme.example",
    entry: Annotated[str, typer.Option(help="smtp, bus or gmail.")] = "smtp",
    smtp: Annotated[str, typer.Option(help="HOST:PORT of ingest_smtp; only this host gets mail.")] = "",
    connections: Annotated[int, typer.Option(help="SMTP connections kept open.", min=1, max=500)] = 20,
    answers: Annotated[float, typer.Option(help="Share of mails that answer an earlier one.", min=0, max=1)] = 0.2,
    replies: Annotated[
        bool, typer.Option(help="Wait for each automatic reply (the addresses must have them on).")
    ] = True,
    settle: Annotated[float, typer.Option(help="Longest wait for the last mails, in seconds.", min=1, max=900)] = 60.0,
    run: Annotated[str, typer.Option(help="Id of the run; the same one makes the same mails.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send mail at a steady rate and account for every one: made exactly one message, was answered once."""
    settings = load(ServiceSettings)
    plan = LoadPlan(
        run=run or secrets.token_hex(4),
        rate=rate,
        count=count or max(1, int(rate * seconds)),
        size=size,
        recipients=[a.strip() for a in addresses.split(",") if a.strip()],
        share_of_answers=answers,
    )
    where = smtp or f"127.0.0.1:{os.environ.get('MAILROOM_SMTP_PORT', '2525')}"
    try:
        result, tally = asyncio.run(_run(settings, plan, entry, where, connections, replies, settle, quiet=as_json))
    except KafkaError as error:
        raise Failure(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error
    if out is not None:
        out.write_text(json.dumps(result, indent=1))
    if html is not None:
        page(html, result, tally)
    if as_json:
        print(json.dumps(result))
    else:
        table(result, console)
    if result["lost"] or result["doubled"] or result["answered_twice"] or result["unanswered"]:
        raise SystemExit(1)


async def _run(
    settings: ServiceSettings, plan: LoadPlan, entry: str, smtp: str, connections: int, replies: bool, settle: float,
    *, quiet: bool,
) -> tuple[dict[str, Any], Tally]:  # fmt: skip
    tally = Tally()
    sender = await _sender(settings, entry, smtp, connections)
    start = 0.0

    def clock() -> float:
        return time.monotonic() - start

    observer = Observer(settings, tally, clock)
    await observer.start()
    start = time.monotonic()
    bars = Progress(
        TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, disable=quiet, transient=True,
    )  # fmt: skip
    try:
        with bars:
            shown = aside(_show(bars, tally, plan.count, replies), "progress-bars")
            await _send_all(plan, sender, tally, clock)
            end = clock() + settle
            while tally.open(replies=replies) and clock() < end:  # noqa: ASYNC110 - the topics say it, no event is set
                await asyncio.sleep(0.1)
            # what comes twice comes late: watch a moment longer
            await asyncio.sleep(min(2.0, settle / 10))
            shown.cancel()
    finally:
        await observer.close()
        await sender.close()
    result = tally.result(clock(), replies=replies)
    return {"run": plan.run, "rate": plan.rate, "size": plan.size, "entry": entry, **result}, tally


async def _send_all(plan: LoadPlan, sender: Sender, tally: Tally, clock: Any) -> None:
    async def one(mail: LoadMail) -> None:
        try:
            await sender.send(mail, plan.content(mail))
            tally.saw("accepted", mail.message_id, clock())
        except Refused as error:
            tally.refuse(mail.message_id, str(error))

    running: set[asyncio.Task[None]] = set()
    for mail in plan.mails():
        wait = mail.due_s - clock()
        if wait > 0.001:
            await asyncio.sleep(wait)
        elif mail.index % 50 == 0:
            await asyncio.sleep(0)
        tally.expect(mail.message_id, mail.due_s, first=mail.answers is None)
        task = asyncio.create_task(one(mail))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _show(bars: Progress, tally: Tally, count: int, replies: bool) -> None:
    names = ["accepted", "ticket"] + (["delivered"] if replies else [])
    tasks = {name: bars.add_task(name, total=count) for name in names}
    while True:
        for name, task in tasks.items():
            wanted = [f for f in tally.fates.values() if name != "delivered" or f.first]
            done = sum(name in f.seen for f in wanted)
            total = count if name != "delivered" else max(len(wanted), 1)
            bars.update(task, completed=done, total=total)
        await asyncio.sleep(0.5)


async def _sender(settings: ServiceSettings, entry: str, smtp: str, connections: int) -> Sender:
    if entry == "smtp":
        host, _, port = smtp.rpartition(":")
        if not host or not port.isdigit():
            raise Failure("--smtp is HOST:PORT")
        return SmtpSender(host, int(port), connections)
    if entry == "bus":
        return await BusSender.open(settings)
    if entry == "gmail":
        url, token = os.environ.get("MAILROOM_GOOGLE_API_URL", ""), os.environ.get("MAILROOM_GOOGLE_ACCESS_TOKEN", "")
        if not url or not token:
            raise Failure(
                "--entry gmail needs MAILROOM_GOOGLE_API_URL (an emulator's) and MAILROOM_GOOGLE_ACCESS_TOKEN"
            )
        return GmailSender(url, token)
    raise Failure("--entry is smtp, bus or gmail")
