"""`make chaos SEEDS=10 DURATION=180`: one run of chaos for each seed, and what they found as a table in docs/operations.md.

Each seed has a process of its own with a limit of time, so that one which fails or hangs is a row and ends nothing else.
The table is written after each, so that what was done is told when the whole is stopped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from .chaos import SETTLE_S, STUCK_S, good
from .faults import AWAY_S

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- faults: written by make chaos SEEDS= -->", "<!-- end of faults -->"
HEAD = ("seed", "faults", "accepted", "lost", "doubled", "in the window", "stuck", "longest until ready", "")
START_S = 300.0  # a stack's start and end
LEFT_S = 90.0  # what a run that took too long gets to take its stack down

Result = Mapping[str, Any]


def limit_s(duration_s: float) -> float:
    """How long one seed may take: its faults one after the other, each with the longest wait behind it, and the books."""
    return 2 * duration_s + AWAY_S[1] + 2 * STUCK_S + SETTLE_S + START_S


def one(seed: int, duration_s: float) -> Result:
    """The result of one seed; only `seed` and `failed`, why, where it did not come to one."""
    env = {**os.environ, "SEED": str(seed), "DURATION": f"{duration_s:g}", "JSON": "1"}
    env.pop("SEEDS", None)
    run = subprocess.Popen(
        [sys.executable, "-m", "load.chaos"], env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        said, _ = run.communicate(timeout=limit_s(duration_s))
    except BaseException as error:  # also when the whole is stopped: its stack goes, too
        run.send_signal(signal.SIGINT)
        try:
            run.wait(LEFT_S)
        except subprocess.TimeoutExpired:
            run.kill()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return {"seed": seed, "failed": f"not finished within {limit_s(duration_s):.0f} s"}
    try:
        return dict(json.loads(said.splitlines()[-1]))
    except (IndexError, ValueError):
        return {"seed": seed, "failed": f"ended with status {run.returncode} and no result"}


def survived(result: Result) -> bool:
    """Whether this seed is as it should be."""
    return "failed" not in result and good(dict(result))


def row(result: Result) -> tuple[str, ...]:
    """Its row of the table."""
    if "failed" in result:
        return (str(result["seed"]), *[""] * (len(HEAD) - 2), str(result["failed"]))
    ready = [each["ready_after_s"] for each in result["rows"]]
    longest = f"over {STUCK_S:g} s" if None in ready else f"{max(ready, default=0):.1f} s"
    lost = result["lost"] + result["not_shown"] + result["replies_lost"]
    doubled = result["doubled"] + result["two_replies_on_a_ticket"]
    numbers = (
        result["seed"],
        result["faults"],
        result["accepted"],
        lost,
        doubled,
        result["replies_doubled"],
        result["stuck"],
    )
    wrong = [*result["refused_wrong"], *(["not ready at the end"] if "not_ready_at_the_end" in result else [])]
    return (*map(str, numbers), longest, "; ".join(wrong) or ("" if survived(result) else "not good"))


def block(results: Sequence[Result], duration_s: float, date: str, cores: int) -> str:
    """What the page says, between the marks that let the next run find it."""
    fine = sum(survived(result) for result in results)
    told = (
        f"{date}, {cores} cores, {duration_s:g} s each: {fine} of {len(results)} seeds lost and doubled nothing (but in SMTP's "
        "own window, between a server's answer and our record of it) and had every part ready again within "
        f"{STUCK_S:g} s of each fault."
    )
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *map(row, results))]
    return "\n".join([BEGIN, told, "", *lines, END])


def with_block(page: str, new: str) -> str:
    """The page with its old block exchanged. Raises ValueError where it has no place for one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no lines {BEGIN} and {END}")
    return before + new + behind


def main(seeds: int) -> int:
    """Run seeds 1 to `seeds` of DURATION seconds (180) one after the other; 0 if all survived."""
    duration = float(os.environ.get("DURATION") or 180)
    console = Console(stderr=True, highlight=False)
    results: list[Result] = []
    for seed in range(1, seeds + 1):
        began = time.monotonic()
        results.append(one(seed, duration))
        took = time.monotonic() - began
        console.print(
            f"[bold]seed {seed}[/] {'survived' if survived(results[-1]) else 'NOT GOOD'} after {took:.0f} s: {row(results[-1])}"
        )
        text = block(results, duration, datetime.now(UTC).strftime("%Y-%m-%d"), os.cpu_count() or 1)
        PAGE.write_text(with_block(PAGE.read_text(), text))
    return 0 if all(map(survived, results)) else 1


if __name__ == "__main__":
    sys.exit(main(int(os.environ["SEEDS"])))
