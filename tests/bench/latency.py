"""Bench `latency`: from the 250 of a mail to its committed ticket event, at a steady 100 mails a second.

The same stack and mails as `pipeline`. Latency counts from the moment at which the sender reads the 250 until a
subscriber has read the ticket's first event; both clocks are this machine's. There is no reference but what is asked:
`ratio` is the asked median over ours, so more than 1 is better than asked. LATENCY_SECONDS=20.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy/local")]

from bench.pipeline import WARM, deliver, one_round, with_stack, write_mails
from bench.signed_mails import Signer, signed_mails
from bench.ticket_watch import TicketWatch
from support.stacks import Stack

ABOUT = "250 to ticket event at 100 mails a second, all services; reference: the median that is asked for"
TARGET = 1.0
MINUTES = 4.0
RATE = 100.0
ASKED_P50_MS, ASKED_P99_MS = 50.0, 300.0


async def one_run(stack: Stack, signer: Signer, folder: Path, seconds: float) -> list[float]:
    """Milliseconds of each mail."""
    run = f"l{secrets.token_hex(3)}"
    count = int(seconds * RATE)
    file = folder / f"{run}.jsonl"
    write_mails(file, list(signed_mails(run, count, signer)))
    async with TicketWatch(f"127.0.0.1:{stack.port(19092)}", wait_ms=500) as watch:
        sending = asyncio.create_task(deliver(stack.port(2525), file, RATE))
        await watch.until(count, timeout_s=seconds * 5 + 60)
        answer = await sending
        receipts = answer["receipts"]
        return [(watch.seen[receipt] - at) * 1000 for receipt, at in zip(receipts, answer["answered"], strict=True)]


async def runs_of(stack: Stack, signer: Signer, folder: Path, rounds: int, seconds: float) -> list[list[float]]:
    """After warming up."""
    await one_round(stack, signer, folder, WARM, f"w{secrets.token_hex(3)}")
    return [await one_run(stack, signer, folder, seconds) for _ in range(rounds)]


def run(rounds: int = 1, seconds: float | None = None) -> dict[str, Any]:
    """Medians over the rounds of each round's percentiles."""
    length = seconds or float(os.environ.get("LATENCY_SECONDS") or 20)
    load = os.getloadavg()[0]
    found = asyncio.run(with_stack(lambda stack, signer, folder: runs_of(stack, signer, folder, rounds, length)))
    each = [sorted(one) for one in found]

    def at(share: float) -> float:
        return round(statistics.median(one[min(len(one) - 1, int(share * len(one)))] for one in each), 1)

    p50 = at(0.5)
    return {
        "unit": "ms",
        "ours": p50,
        "reference": ASKED_P50_MS,
        "ratio": round(ASKED_P50_MS / max(p50, 0.1), 2),
        "command": "make bench ONLY=latency",
        "p50_ms": p50,
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "asked_p99_ms": ASKED_P99_MS,
        "mails_per_s": RATE,
        "load_before": round(load, 1),
    }


if __name__ == "__main__":
    print(json.dumps(run(*(int(word) for word in sys.argv[1:])), indent=1))
