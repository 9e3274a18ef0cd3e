"""`make scale`: the curve over 1, 2 and 4 processes, and the router's recovery with 10,000 to 1,000,000 tickets.

`ONLY=intake,router,together:2,recovery:100000` measures some of it, JSON=1 makes the last line one JSON object, WRITE=0
leaves docs/ alone. Every piece is kept in docs/scale.json as soon as it is measured; a recovery that was broken off, or
that SCALE_SECONDS ended early, goes on where it was when it is asked for again (its Kafka stays in .cache/scale).
`ONLY=page` measures nothing and writes the table and the plots again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from support.processes import REPOSITORY

from . import curve, scale_plot
from .recovery import Recovery

DOCS = REPOSITORY / "docs"
PAGE, RESULTS = DOCS / "performance.md", DOCS / "scale.json"
BEGIN, END = "<!-- scale: written by make scale -->", "<!-- end of scale -->"
NUMBERS, SIZES = (1, 2, 4), (10_000, 100_000, 1_000_000)
PIECES = ("intake", "router", *(f"together:{n}" for n in NUMBERS), *(f"recovery:{n}" for n in SIZES))
Results = dict[str, dict[str, Any]]


def measure(piece: str, results: Results, keep: Callable[[], None], say: Callable[[str], None]) -> bool:
    """Measure one piece into `results`; False when there is more to do."""
    name, _, number = piece.partition(":")
    section = results.setdefault(name, {})
    if name == "intake":
        section.update(asyncio.run(curve.intake(NUMBERS, int(os.environ.get("SCALE_MAILS") or 4_000), say)))
    elif name == "router":
        section.update(asyncio.run(curve.router(NUMBERS, int(os.environ.get("SCALE_MAILS") or 12_000), say)))
    elif name == "together":
        section[number] = curve.together(int(number), int(os.environ.get("SCALE_MAILS") or 2_500), say)
    else:
        folder = REPOSITORY / ".cache" / "scale" / number
        figures = section.get(number, {}) if folder.exists() else {}
        section[number] = figures
        recovery = Recovery(folder, int(number), figures, say)
        recovery.run(keep, float(os.environ.get("SCALE_SECONDS") or 1e9))
        if recovery.left():
            return False
        recovery.remove()
    return True


def curve_rows(results: Results) -> list[list[str]]:
    """Processes; then for intake, router and all together: mails a second, latency, processor time."""
    rows = []
    for number in map(str, NUMBERS):
        row = [number]
        for name in ("intake", "router", "together"):
            one = results.get(name, {}).get(number)
            if one is None:
                row += ["", "", ""]
                continue
            row += [f"{one['per_s']:,.0f}", f"{one['p50_ms']:,.0f} / {one['p99_ms']:,.0f}",
                    f"{sum(one['cpu_ms'].values()):.1f}"]  # fmt: skip
        rows.append(row)
    return rows


def recovered(results: Results) -> dict[str, dict[str, Any]]:
    """The sizes that were measured to their end."""
    section = results.get("recovery", {})
    return {n: section[n] for n in sorted(section, key=int) if "takeover" in section[n]}


def recovery_rows(results: Results) -> list[list[str]]:
    """Seconds until the router works again, for each number of tickets."""
    rows = []
    for size, f in recovered(results).items():
        seconds = (f["checkpoint"]["ready_s"], f["checkpoint"]["killed_s"], f["whole"]["ready_s"], f["index"]["index_s"],
                   max(f["lost"]["ready_s"], f["lost"]["index_s"]), f["takeover"]["warm_s"], f["takeover"]["cold_s"])  # fmt: skip
        rows.append([f"{int(size):,}", *(f"{s:,.1f}" for s in seconds)])
    return rows


def memory_rows(results: Results) -> list[list[str]]:
    """Megabytes, for each number of tickets."""
    rows = []
    for size, f in recovered(results).items():
        megabytes = (f["checkpoint"]["rss_mb"], f["whole"]["rss_mb"], f["index"]["rss_mb"], f["lost"]["valkey_mb"],
                     f["lost"]["tables_mb"], f["kafka_mb"])  # fmt: skip
        rows.append([f"{int(size):,}", *(f"{m:,.0f}" for m in megabytes)])
    return rows


CURVE_HEAD = ["processes", "intake: mails/s", "p50 / p99 ms", "CPU ms", "router: mails/s", "p50 / p99 ms", "CPU ms",
              "all services: mails/s", "p50 / p99 ms", "CPU ms"]  # fmt: skip
RECOVERY_HEAD = ["tickets", "own tables, stopped", "own tables, kill -9", "no tables", "Valkey emptied", "both lost",
                 "take-over, tables there", "take-over, none"]  # fmt: skip
MEMORY_HEAD = ["tickets", "router, tables there", "router, after a whole read", "router, after a rebuild", "Valkey",
               "RocksDB, disk", "`tickets` in Kafka, disk"]  # fmt: skip


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)]


def cpu_rows(results: Results) -> list[list[str]]:
    """Processor time of each process for a mail, all services together."""
    each = {
        number: results["together"][number]["cpu_ms"] for number in map(str, NUMBERS) if number in results["together"]
    }
    names = sorted(
        {name for one in each.values() for name in one}, key=lambda n: (-max(o.get(n, 0) for o in each.values()), n)
    )
    return [[name, *(f"{one.get(name, 0):.2f}" for one in each.values())] for name in names]


def block(results: Results) -> str:
    """What stands in docs/performance.md between the marks."""
    dates = sorted({f["date"] for section in results.values() for f in section.values() if "date" in f})
    lines = [
        f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))} on {os.cpu_count()} cores." if dates else ""
    ]
    lines += ["", *markdown(CURVE_HEAD, curve_rows(results))]
    if results.get("together"):
        head = ["CPU ms a mail, all services", *(f"{n} of each" for n in NUMBERS if str(n) in results["together"])]
        lines += ["", *markdown(head, cpu_rows(results))]
    lines += ["", f"![Mails a second and processor time over the number of processes]({scale_plot.CURVE})"]
    if not recovered(results):
        return "\n".join([BEGIN, *lines, END])
    lines += ["", "Seconds until a router works again:", "", *markdown(RECOVERY_HEAD, recovery_rows(results))]
    lines += ["", "Megabytes:", "", *markdown(MEMORY_HEAD, memory_rows(results))]
    lines += ["", f"![Recovery time and memory over the number of tickets]({scale_plot.RECOVERY})"]
    return "\n".join([BEGIN, *lines, END])


def write(results: Results) -> None:
    """The results file; the page and the plots too when there is something of both kinds."""
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    page = PAGE.read_text()
    if BEGIN in page and END in page:
        before, rest = page.split(BEGIN, 1)
        PAGE.write_text(before + block(results) + rest.split(END, 1)[1])
    scale_plot.curve(results, DOCS / scale_plot.CURVE)
    scale_plot.recovery(results, DOCS / scale_plot.RECOVERY)


def show(console: Console, title: str, head: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, box=None)
    for column in head:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def main() -> None:
    console = Console(stderr=bool(os.environ.get("JSON")), highlight=False)
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # it says each time that a new broker has no coordinator yet
    only = [piece for piece in os.environ.get("ONLY", "").split(",") if piece]
    unknown = [piece for piece in only if piece not in (*PIECES, "page") and not _a_size(piece)]
    if unknown:
        sys.exit(f"no piece {', '.join(unknown)}; there are: {', '.join((*PIECES, 'page'))}")
    results: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    writing = os.environ.get("WRITE") != "0"

    def keep() -> None:
        if writing:
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")

    began, finished = time.monotonic(), True

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.0f} s[/] {text}", soft_wrap=True)

    pieces = [piece for piece in only or PIECES if piece != "page"]
    for place, piece in enumerate(pieces, 1):
        say(f"[bold]{piece}[/] ({place} of {len(pieces)}) …")
        load = round(os.getloadavg()[0], 1)
        done = measure(piece, results, keep, say)
        name, _, number = piece.partition(":")
        for one in [results[name][number]] if number else results[name].values():
            one.update(date=datetime.now(UTC).strftime("%Y-%m-%d"), load_before=load)
        keep()
        if not done:
            say(f"{piece} is not finished: SCALE_SECONDS are over; run it again to go on")
        finished = finished and done
    show(console, "The curve", CURVE_HEAD, curve_rows(results))
    show(console, "Seconds until a router works again", RECOVERY_HEAD, recovery_rows(results))
    show(console, "Megabytes", MEMORY_HEAD, memory_rows(results))
    if writing:
        write(results)
    if os.environ.get("JSON"):
        print(json.dumps(results), flush=True)
    sys.exit(0 if finished else 75)


def _a_size(piece: str) -> bool:
    name, _, number = piece.partition(":")
    return name in ("recovery", "together") and number.isdecimal() and int(number) > 0


if __name__ == "__main__":
    main()
