"""How fast ingest_gmail syncs an inbox, beside a bare loop of the same client calls with the same concurrency.

Both read the same mails of the same accounts from one emulator, in turns, in one run: the bare loop asks history and
fetches the sources in batches, one account per task; ours reads, stores and publishes them besides (acks=all).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from mailroom_contracts import topics
from mailroom_gmail import GmailClient, GoogleSettings
from pydantic import SecretStr
from support.gmail_desk import GmailDesk, gmail_desk
from support.gmail_emulator import CLIENT_ID, CLIENT_SECRET, Emulator, mail
from support.gmail_proxy import Proxy
from support.processes import ServiceProcess
from support.servers import kafka_or_given

TARGET = 0.7
MINUTES = 3.0
ABOUT = "Gmail inboxes read, stored and published, beside a bare loop of the same client calls"
COMMAND = "make bench ONLY=gmail_sync"
ACCOUNTS, MAILS, THREADS, CHUNK = 8, 400, 16, 50  # long enough that the first calls do not count


def run(rounds: int = 3) -> dict[str, object]:
    """Medians of both, mails per second."""
    with tempfile.TemporaryDirectory() as folder, kafka_or_given(Path(folder)) as kafka:
        return asyncio.run(_measure(kafka, Path(folder), rounds))


async def _measure(kafka: str, folder: Path, rounds: int) -> dict[str, object]:
    emails = [f"shop{n}@gmail.example" for n in range(ACCOUNTS)]
    emulator = Emulator(folder / "google", emails).start()
    ours, bare = [], []
    try:
        with Proxy(emulator) as google:
            for round_ in range(rounds):
                async with gmail_desk(
                    kafka, "redis://127.0.0.1:1/0", f"b{secrets.token_hex(4)}", folder / f"data{round_}", google
                ) as desk:
                    starts = {email: desk.present(email) for email in emails}
                    for key, email in enumerate(emails):
                        await desk.connect(f"ad{key}", email)
                    for number in range(MAILS):
                        for email in emails:
                            text = f"Round {round_}. " + "Where is my order? " * 250
                            emulator.deliver(email, mail(f"{round_}-{number}", "jo@c.example", email, text=text))
                    bare.append(ACCOUNTS * MAILS / await _bare(google, starts))
                    ours.append(ACCOUNTS * MAILS / await _ours(desk, folder / f"ingest{round_}.log"))
    finally:
        emulator.stop()
    ours.sort()
    bare.sort()
    return {
        "ours": ours[len(ours) // 2], "reference": bare[len(bare) // 2], "unit": "mails/s",
        "ratio": ours[len(ours) // 2] / bare[len(bare) // 2], "command": COMMAND,
        "accounts": ACCOUNTS, "mails": ACCOUNTS * MAILS,
    }  # fmt: skip


async def _bare(google: Proxy, starts: dict[str, str]) -> float:
    """Seconds for the same calls and nothing else."""
    threads = ThreadPoolExecutor(THREADS)
    settings = GoogleSettings(api_url=google.origin, token_url=f"{google.origin}/oauth2/token", client_id=CLIENT_ID,
                              client_secret=SecretStr(CLIENT_SECRET))  # fmt: skip

    async def read(email: str) -> int:
        client = GmailClient(settings, google.sign_in(email), threads)
        page = await client.history(starts[email])
        ids = [a.id for a in page.arrivals]
        got = 0
        for start in range(0, len(ids), CHUNK):
            got += len(await client.raw(ids[start : start + CHUNK]))
        client.close()
        return got

    begin = time.perf_counter()
    counts = await asyncio.gather(*(read(email) for email in starts))
    seconds = time.perf_counter() - begin
    threads.shutdown()
    assert sum(counts) == ACCOUNTS * MAILS, counts
    return seconds


async def _ours(desk: GmailDesk, log: Path) -> float:
    """Seconds from the first look at Google to the last record on Kafka."""
    name = topics.EMAIL_RECEIVED.full_name(desk.office.settings.topic_prefix)
    consumer = AIOKafkaConsumer(name, bootstrap_servers=desk.office.settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    service = ServiceProcess("ingest_gmail", desk.env | {"MAILROOM_LOG_LEVEL": "warning"}, log)
    desk.google.calls.clear()
    service.launch()
    try:
        begin: float | None = None
        seen: set[str] = set()
        while len(seen) < ACCOUNTS * MAILS:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                seen.update(str(json.loads(r.value)["id"]) for r in records)
            if begin is None and desk.google.calls:
                begin = time.perf_counter()
            assert service.running, service.tail()
        assert begin is not None
        return time.perf_counter() - begin
    finally:
        service.terminate()
        await consumer.stop()
