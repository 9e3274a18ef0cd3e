"""The result of a run: a table in the terminal, and an HTML page with plots."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .tally import STEPS, Tally


def table(result: dict[str, Any], console: Console) -> None:
    """Latencies per step, then the account."""
    grid = Table(title="Latency from the moment each mail was due (ms)", title_justify="left", header_style="bold")
    for name in ("step", "n", "p50", "p90", "p99", "p999", "max"):
        grid.add_column(name, justify="left" if name == "step" else "right")
    for step, values in result["steps_ms"].items():
        grid.add_row(step, *(str(values[name]) for name in ("n", "p50", "p90", "p99", "p999", "max")))
    console.print(grid)
    good = not (result["lost"] or result["doubled"] or result["answered_twice"] or result["unanswered"])
    console.print(
        f"{result['accepted']} accepted, {result['refused']} refused, [bold]{result['lost']} lost, "
        f"{result['doubled']} doubled[/], {result['unanswered']} unanswered, {result['answered_twice']} answered twice; "
        f"{result['tickets_per_second']} a second → {'[green]every mail is accounted for' if good else '[red]NOT GOOD'}[/]"
    )


def page(path: Path, result: dict[str, Any], tally: Tally) -> None:
    """An HTML page of its own, with the plots in it."""
    rows = "".join(
        f"<tr><th>{html.escape(step)}</th>{''.join(f'<td>{v}</td>' for v in values.values())}</tr>"
        for step, values in result["steps_ms"].items()
    )
    facts = "".join(
        f"<tr><th>{html.escape(name.replace('_', ' '))}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in result.items()
        if name not in ("steps_ms", "examples")
    )
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Mailroom load</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}th{text-align:left}"
        "img{max-width:100%}</style><h1>Mailroom under load</h1>"
        f"<table>{facts}</table><h2>Latency from the due time (ms)</h2>"
        f"<table><tr><th>step<th>n<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>{rows}</table>{_plots(tally)}</html>"
    )


def _plots(tally: Tally) -> str:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "<p>Plots need matplotlib: <code>pip install mailroom-cli[report]</code></p>"
    figure = Figure(figsize=(11, 8), layout="constrained")
    over_time, spread = figure.subplots(2, 1)
    for step in STEPS:
        points = sorted((f.due_s, (f.seen[step] - f.due_s) * 1000) for f in tally.fates.values() if step in f.seen)
        if not points:
            continue
        over_time.plot([p[0] for p in points], [max(p[1], 0.1) for p in points], ".", markersize=2, label=step)
        ordered = sorted(p[1] for p in points)
        shares = [100 * (i + 1) / len(ordered) for i in range(len(ordered))]
        spread.plot([max(v, 0.1) for v in ordered], shares, label=step)
    over_time.set(yscale="log", xlabel="due at (s)", ylabel="ms", title="Each mail's latency over the run")
    spread.set(xscale="log", xlabel="ms", ylabel="% of mails within", title="Spread")
    for axes in (over_time, spread):
        axes.grid(alpha=0.3)
        axes.legend()
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return f'<img alt="Latency over the run, and its spread" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'
