"""Bench `at_rest`: processor time of the whole local stack while nothing comes, as milliseconds a second.

Everything counts: Kafka and Valkey too. The stack has been up for a while when the clock starts, as fetches rest once
nothing came for ten seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path.cwd() / "tests"), str(Path.cwd() / "deploy/local")]

from bench.pipeline import used
from support.stacks import Stack

ABOUT = "everything without mail, processor time a second; reference: a tenth of a core"
TARGET = 1.0
MINUTES = 9.0
ASKED_MS = 100.0
SETTLE_S, SECONDS = 30.0, 60.0


def one_round(seconds: float = SECONDS) -> dict[str, float]:
    """Milliseconds of processor time a second, by part."""
    with tempfile.TemporaryDirectory(prefix="mailroom-rest-") as name:
        stack = Stack(Path(name))
        try:
            up = stack.call("up", timeout=400)
            if up.returncode != 0:
                raise RuntimeError(f"the stack did not start: {up.stdout[-1000:]}{up.stderr[-1000:]}")
            time.sleep(SETTLE_S)
            before, began = used(stack), time.monotonic()
            time.sleep(seconds)
            after, took = used(stack), time.monotonic() - began
        finally:
            stack.remove()
    return {part: (after[part] - before.get(part, 0.0)) * 1000 / took for part in sorted(after)}


def run(rounds: int = 1) -> dict[str, Any]:
    """The median of the sums."""
    found = [one_round() for _ in range(rounds)]
    ms = median(sum(one.values()) for one in found)
    return {
        "unit": "ms",
        "ours": round(ms, 1),
        "reference": ASKED_MS,
        "ratio": round(ASKED_MS / ms, 2),
        "command": "make bench ONLY=at_rest",
        "cpu_ms_without_kafka": round(median(sum(one.values()) - one["kafka"] for one in found), 1),
        "by_part": {part: round(median(one[part] for one in found), 1) for part in found[0]},
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))
