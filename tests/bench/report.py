"""The page of `make bench`: the figures as a table in docs/performance.md, found again and exchanged, and their plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"
PLOT = "performance.svg"
EXPECTED = ("ratio", "ours", "reference", "unit", "command")


def figures_block(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as a Markdown table, between the marks that let the next run find it."""
    lines = [
        "| what | ours | reference | ratio | asked | measured |",
        "|---|---|---|---|---|---|",
    ]
    for name, f in sorted(results.items()):
        asked = "" if f.get("target") is None else f"{f['target']:g}"
        about = f"**{name}**: {f['about']}" if f.get("about") else f"**{name}**"
        ours, reference = f"{short(f['ours'])} {f['unit']}", f"{short(f['reference'])} {f['unit']}"
        lines.append(f"| {about} | {ours} | {reference} | {short(f['ratio'])} | {asked} | {f['date']} |")
    lines += ["", *(_extras(name, figures) for name, figures in sorted(results.items()) if _extras(name, figures))]
    lines += ["", f"![Ratios against their references]({PLOT})"]
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
        axes.annotate(f" {short(f['ratio'])} ×", (f["ratio"], place), va="center")
        if f.get("target"):
            axes.plot([f["target"]] * 2, [place - 0.38, place + 0.38], color="#c0392b", linewidth=2)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("ours ÷ reference, same run (red: what is asked)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def short(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _extras(name: str, figures: Mapping[str, Any]) -> str:
    shown = {k: v for k, v in figures.items() if k not in (*EXPECTED, "target", "about", "date")}
    return f"- {name}: " + ", ".join(f"{key} {short(value)}" for key, value in shown.items()) if shown else ""
