"""`make bench`: runs the benchmarks, prints a table, updates the figures and the plot in docs/.

A benchmark is a module beside this one with `run(rounds: int) -> dict` giving `ratio`, `ours`, `reference`, `unit` and
`command` (how to run it alone), and more figures if it likes; `TARGET: float` is the ratio that is asked for,
`ABOUT: str` says in a few words what is compared, `MINUTES: float` about how long five rounds take on two cores.
Settings: ONLY=name[,name], ROUNDS=5, JSON=1, WRITE=0 to leave docs/ alone, and AGAINST=commit to compare with that
commit's build instead of the references (docs/ stays as it is). A benchmark that fails costs the others nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import against
from bench.report import EXPECTED, PLOT, figures_block, plot, short, with_figures
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
PAGE, RESULTS = DOCS / "performance.md", DOCS / "performance.json"


class BenchmarkWrong(RuntimeError):
    """A benchmark does not keep to the form that this runner needs; the text names it."""


def discover(folder: Path) -> dict[str, ModuleType]:
    """Every benchmark of the folder by name. Modules without `run` only serve others."""
    names = sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))
    modules = {name: importlib.import_module(f"bench.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run")}


def measured(name: str, module: ModuleType, rounds: int, now: datetime) -> dict[str, Any]:
    """One benchmark's figures, checked for form and completed with target and date."""
    figures = dict(module.run(rounds))
    missing = [key for key in EXPECTED if key not in figures]
    if missing:
        raise BenchmarkWrong(f"tests/bench/{name}.py: run() gave no {', '.join(missing)}")
    figures.setdefault("target", getattr(module, "TARGET", None))
    figures.setdefault("about", getattr(module, "ABOUT", ""))
    figures["date"] = now.strftime("%Y-%m-%d")
    return figures


def each(
    names: list[str],
    measure: Callable[[str], dict[str, Any]],
    say: Callable[[str], None],
    keep: Callable[[dict[str, Any]], None],
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Figures by benchmark, and the last words of those that failed. `keep` gets all figures after each."""
    results: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        began = time.monotonic()
        say(f"{number} of {len(names)}: {name} …")
        try:
            results[name] = measure(name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            say(traceback.format_exc(limit=-3))
        else:
            keep(results)
            say(f"  {short(results[name]['ratio'])} × in {(time.monotonic() - began) / 60:.1f} min")
    return results, failed


def write(results: dict[str, dict[str, Any]], known: list[str]) -> None:
    """Put the figures into docs/, beside those of the benchmarks that did not run."""
    DOCS.mkdir(exist_ok=True)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    everything = {name: f for name, f in {**kept, **results}.items() if name in known}
    RESULTS.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")
    page = PAGE.read_text() if PAGE.exists() else ""
    PAGE.write_text(with_figures(page, figures_block(everything)))
    plot(everything, DOCS / PLOT)


def table(results: dict[str, dict[str, Any]], rounds: int, reference: str) -> Table:
    """What was measured, for people."""
    made = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, medians of {rounds}", box=None)
    for column in ("what", "ours", reference, "unit", "ratio", "asked"):
        made.add_column(column, justify="left" if column in ("what", "unit") else "right")
    for name, f in results.items():
        good = f["target"] is None or f["ratio"] >= f["target"]
        asked = "" if f["target"] is None else f"{f['target']:g}"
        ratio = f"[{'green' if good else 'red'}]{short(f['ratio'])}[/]"
        made.add_row(name, short(f["ours"]), short(f["reference"]), f["unit"], ratio, asked)
    return made


def main() -> None:
    console = Console(stderr=bool(os.environ.get("JSON")), soft_wrap=True)
    benchmarks = discover(HERE)
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    if unknown := sorted(set(only) - set(benchmarks)):
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(benchmarks)}")
    names = only or list(benchmarks)
    rounds = int(os.environ.get("ROUNDS") or 5)
    commit = os.environ.get("AGAINST", "")
    minutes = sum(getattr(benchmarks[name], "MINUTES", 5.0) for name in names) * rounds / 5
    console.print(
        f"{', '.join(names)}: about {minutes * (2 if commit else 1):.0f} minutes on two free cores", style="dim"
    )

    def measure(name: str) -> dict[str, Any]:
        return measured(name, benchmarks[name], rounds, datetime.now(UTC))

    if commit:
        try:
            other = against.build(commit)
        except against.BuildMissing as error:
            sys.exit(str(error))

        def measure(name: str) -> dict[str, Any]:
            return against.measured(name, other, commit, rounds)

    writes = os.environ.get("WRITE") != "0" and not commit
    results, failed = each(
        names, measure, lambda text: console.print(text, style="dim", markup=False),
        lambda so_far: write(so_far, list(benchmarks)) if writes else None,
    )  # fmt: skip
    console.print(table(results, rounds, commit or "reference"))
    if os.environ.get("JSON"):
        print(json.dumps(results), flush=True)
    if failed:
        sys.exit("\n".join(["not measured:", *(f"  {name}: {words}" for name, words in failed.items())]))


if __name__ == "__main__":
    main()
