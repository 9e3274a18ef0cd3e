"""`make bench`: runs the benchmarks, prints a table, updates the figures and the plot in docs/.

A benchmark is a module beside this one with `run(rounds: int) -> dict` giving `ratio`, `ours`, `reference`, `unit` and
`command` (how to run it alone), and more figures if it likes; `TARGET: float` is the ratio that is asked for,
`ABOUT: str` says in a few words what is compared. Settings: ONLY=name[,name], ROUNDS=5, JSON=1, and WRITE=0 to leave
docs/ alone.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
PAGE, RESULTS, PLOT = DOCS / "performance.md", DOCS / "performance.json", DOCS / "performance.svg"
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"
EXPECTED = ("ratio", "ours", "reference", "unit", "command")


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


def figures_block(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as a Markdown table, between the marks that let the next run find it."""
    lines = [
        "| what | ours | reference | ratio | asked | measured |",
        "|---|---|---|---|---|---|",
    ]
    for name, f in sorted(results.items()):
        asked = "" if f.get("target") is None else f"{f['target']:g}"
        about = f"**{name}**: {f['about']}" if f.get("about") else f"**{name}**"
        ours, reference = f"{_short(f['ours'])} {f['unit']}", f"{_short(f['reference'])} {f['unit']}"
        lines.append(f"| {about} | {ours} | {reference} | {_short(f['ratio'])} | {asked} | {f['date']} |")
    lines += ["", *(_extras(name, figures) for name, figures in sorted(results.items()) if _extras(name, figures))]
    lines += ["", f"![Ratios against their references]({PLOT.name})"]
    return "\n".join([BEGIN, *lines, END])


def with_figures(page: str, block: str) -> str:
    """The page with its old block exchanged, or with the block at its end when there was none."""
    if BEGIN in page and END in page:
        before, rest = page.split(BEGIN, 1)
        return before + block + rest.split(END, 1)[1]
    return f"{page.rstrip()}\n\n{block}\n" if page.strip() else f"# Performance\n\n{block}\n"


def plot(results: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Ratios as bars, the asked ratio as a mark on each; a logarithmic axis, since they span two decades."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "mailroom"  # the same figures give the same file
    from matplotlib import pyplot

    rows = [(name, f) for name, f in sorted(results.items(), reverse=True) if f["ratio"]]
    figure, axes = pyplot.subplots(figsize=(8, 0.6 * len(rows) + 1.2), layout="constrained")
    axes.barh([name for name, _ in rows], [f["ratio"] for _, f in rows], color="#3b6ea5", height=0.55)
    for place, (_, f) in enumerate(rows):
        axes.annotate(f" {_short(f['ratio'])} ×", (f["ratio"], place), va="center")
        if f.get("target"):
            axes.plot([f["target"]] * 2, [place - 0.38, place + 0.38], color="#c0392b", linewidth=2)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("ours ÷ reference, same run (red: what is asked)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    console = Console(stderr=bool(os.environ.get("JSON")), soft_wrap=True)
    benchmarks = discover(HERE)
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    unknown = sorted(set(only) - set(benchmarks))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(benchmarks)}")
    rounds = int(os.environ.get("ROUNDS") or 5)
    table = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, medians of {rounds}", box=None)
    for column in ("what", "ours", "reference", "unit", "ratio", "asked"):
        table.add_column(column, justify="left" if column in ("what", "unit") else "right")
    results: dict[str, dict[str, Any]] = {}
    for name in only or benchmarks:
        console.print(f"{name} …", style="dim")
        figures = results[name] = measured(name, benchmarks[name], rounds, datetime.now(UTC))
        good = figures["target"] is None or figures["ratio"] >= figures["target"]
        asked = "" if figures["target"] is None else f"{figures['target']:g}"
        colour = "green" if good else "red"
        ratio = f"[{colour}]{_short(figures['ratio'])}[/]"
        table.add_row(name, _short(figures["ours"]), _short(figures["reference"]), figures["unit"], ratio, asked)
    console.print(table)
    if os.environ.get("WRITE") != "0":
        DOCS.mkdir(exist_ok=True)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        everything = {name: f for name, f in {**kept, **results}.items() if name in benchmarks}
        RESULTS.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")
        page = PAGE.read_text() if PAGE.exists() else ""
        PAGE.write_text(with_figures(page, figures_block(everything)))
        plot(everything, PLOT)
    if os.environ.get("JSON"):
        print(json.dumps(results), flush=True)


def _short(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _extras(name: str, figures: Mapping[str, Any]) -> str:
    shown = {k: v for k, v in figures.items() if k not in (*EXPECTED, "target", "about", "date")}
    return f"- {name}: " + ", ".join(f"{key} {_short(value)}" for key, value in shown.items()) if shown else ""


if __name__ == "__main__":
    main()
