"""Events a second that one, two or more copies of the console write into one read model on PostgreSQL: a rebuild, timed.

    TICKETS=3000 COPIES=1,2 .venv/bin/python tests/bench/read_model_copies.py

Each ticket has six events, two of them mails of 2 kB. Copies, PostgreSQL and Kafka share this machine, so the ratio says what
they leave each other: on a machine with a core for each it is what partitions give.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy/local")]

from integration.console.postgres import Postgres
from mailroom_contracts import TicketEvent, topics
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.settings import ServiceSettings
from support.console_copies import Copies
from support.console_story import Story
from support.servers import ValkeyServer, kafka_or_given
from support.topics import create_topics
from support.waiting import eventually

PARTITIONS = 8
EVENTS = 6
TEXT = "Where is my order? It was to come on Monday, and nobody could tell me. " * 28


def _events(number: int) -> list[TicketEvent]:
    story = Story(number, portal="p", queue="q", address=f"ad{number % 20}")
    reply = story.reply(f"reply {number}")
    return [
        story.created(),
        story.mail(TEXT),
        story.assigned("a1"),
        reply,
        story.delivery(reply, "sent"),
        story.mail(TEXT),
    ]


async def _fill(settings: ServiceSettings, tickets: int) -> None:
    async with Producer(settings, source="router") as producer:
        for first in range(0, tickets, 200):
            sent = [
                await producer.post(topics.TICKET_EVENTS, event, causation_id=event.causation_id)
                for number in range(first, min(first + 200, tickets)) for event in _events(number)
            ]  # fmt: skip
            await asyncio.gather(*sent)


async def _rebuild_s(copies: Copies, asked: str) -> float:
    shown = await copies.shown()
    async with copies.api(asked) as api:
        began = time.monotonic()
        (await api.post("/rebuild")).raise_for_status()

    async def done() -> bool:
        return await copies.shown() != shown

    await eventually(done, 900, every=0.1)
    return time.monotonic() - began


def _processor_s(copies: Copies) -> float:
    """What the copies have had so far, user and system."""
    ticks = 0
    for process in copies.running.values():
        told = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(told[11]) + int(told[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def measure(tickets: int, numbers: list[int], rounds: int) -> dict[int, tuple[float, float]]:
    """Events a second, and seconds of the copies' processors for 1,000 events, by how many copies."""
    found: dict[int, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        postgres, valkey = Postgres(), ValkeyServer(folder / "valkey")
        with kafka_or_given(folder) as kafka:
            postgres.start()
            valkey.start()
            prefix = f"t{secrets.token_hex(4)}"
            await create_topics(kafka, prefix, PARTITIONS)
            try:
                await _fill(ServiceSettings(kafka=kafka, topic_prefix=prefix, partitions=PARTITIONS), tickets)
                for number in numbers:
                    names = [f"copy{n}of{number}" for n in range(number)]
                    copies = Copies(kafka, prefix, valkey.url, folder / str(number), postgres.url(f"of{number}"))
                    try:
                        for name in names:
                            await copies.start(name)
                        before = _processor_s(copies)
                        took = [await _rebuild_s(copies, names[0]) for _ in range(rounds)]
                        each = (_processor_s(copies) - before) / (tickets * EVENTS * rounds / 1000)
                    finally:
                        copies.kill()
                    found[number] = tickets * EVENTS / statistics.median(took), each
            finally:
                postgres.stop()
                valkey.kill()
    return found


def main() -> None:
    numbers = [int(n) for n in os.environ.get("COPIES", "1,2").split(",")]
    per_s = asyncio.run(measure(int(os.environ.get("TICKETS", "3000")), numbers, int(os.environ.get("ROUNDS", "3"))))
    first, _ = per_s[numbers[0]]
    print(json.dumps({f"{n} copies": {"events_per_s": round(rate), "ratio": round(rate / first, 2),
                                      "processor_s_per_1000": round(cost, 2)}
                      for n, (rate, cost) in per_s.items()}))  # fmt: skip


if __name__ == "__main__":
    main()
