"""The plots of `make scale`: the same figures give the same files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CURVE, RECOVERY = "scale-curve.svg", "scale-recovery.svg"
COLOURS = ("#3b6ea5", "#c0392b", "#2e8b57", "#8e6bbf", "#d68910", "#17858b", "#7f8c8d", "#34495e")
Of = Callable[[Mapping[str, Any]], float]
TIMES: tuple[tuple[str, Of], ...] = (
    ("whole read (disk empty)", lambda f: f["whole"]["ready_s"]),
    ("own tables", lambda f: f["checkpoint"]["ready_s"]),
    ("index rebuilt (Valkey emptied)", lambda f: f["index"]["index_s"]),
    ("take-over without tables", lambda f: f["takeover"]["cold_s"]),
    ("take-over with tables", lambda f: f["takeover"]["warm_s"]),
)
SIZES: tuple[tuple[str, Of], ...] = (
    ("`tickets` in Kafka", lambda f: f["kafka_mb"]),
    ("RocksDB", lambda f: f["lost"]["tables_mb"]),
    ("Valkey, used_memory", lambda f: f["lost"]["valkey_mb"]),
    ("router, RSS", lambda f: f["whole"]["rss_mb"]),
)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "mailroom", "font.size": 10, "axes.titlesize": 11})
    from matplotlib import pyplot

    return pyplot


def _numbers(section: Mapping[str, Any]) -> list[int]:
    return sorted(int(number) for number in section)


def curve(results: Mapping[str, Any], file: Path) -> None:
    """Mails a second over processes; processor time of each process for a mail."""
    pyplot = _pyplot()
    figure, (rates, costs) = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    named = (("intake", "intake alone", 7), ("router", "router alone", -15), ("together", "all services", 7))
    for (name, label, above), colour in zip(named, COLOURS, strict=False):
        section = results.get(name, {})
        numbers = _numbers(section)
        heights = [section[str(n)]["per_s"] for n in numbers]
        rates.plot(numbers, heights, "o-", color=colour, label=label, linewidth=2)
        for number, height in zip(numbers, heights, strict=True):
            rates.annotate(
                f"{height:,.0f}", (number, height), xytext=(0, above), textcoords="offset points", ha="center"
            )
    rates.set_xticks([1, 2, 4])
    rates.set_ylim(bottom=0)
    rates.margins(x=0.1, y=0.15)
    rates.set_xlabel("processes of the kind (all services: of both)")
    rates.set_title("mails a second, 2 cores")
    rates.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)

    section = results.get("together", {})
    numbers = _numbers(section)
    names = sorted({n for one in section.values() for n in one["cpu_ms"]},
                   key=lambda n: (-max(one["cpu_ms"].get(n, 0.0) for one in section.values()), n))  # fmt: skip
    bottoms = [0.0] * len(numbers)
    for place, name in enumerate([*names[:7], "others"]):
        parts = names[7:] if name == "others" else [name]
        heights = [sum(section[str(n)]["cpu_ms"].get(p, 0.0) for p in parts) for n in numbers]
        costs.bar([str(n) for n in numbers], heights, 0.55, bottom=bottoms, label=name, color=COLOURS[place])
        for at, (bottom, height) in enumerate(zip(bottoms, heights, strict=True)):
            if height > 0.6:
                costs.annotate(f"{height:.1f}", (at, bottom + height / 2), ha="center", va="center", color="white")
        bottoms = [b + h for b, h in zip(bottoms, heights, strict=True)]
    costs.set_xlabel("intake processes and routers, each")
    costs.set_title("processor milliseconds for a mail, all services")
    costs.legend(frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left", reverse=True)
    _save(pyplot, figure, file)


def recovery(results: Mapping[str, Any], file: Path) -> None:
    """Seconds and megabytes over tickets, both logarithmic. Without any figure there is no plot."""
    section = {n: f for n, f in results.get("recovery", {}).items() if "takeover" in f}
    numbers = _numbers(section)
    if not numbers:
        return
    pyplot = _pyplot()
    from matplotlib import ticker

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    for axes, lines, title in zip(
        panels, (TIMES, SIZES), ("seconds until the router works again", "megabytes"), strict=True
    ):
        for (label, of), colour in zip(lines, COLOURS, strict=False):
            heights = [of(section[str(n)]) for n in numbers]
            axes.plot(numbers, heights, "o-", color=colour, label=label, linewidth=2)
            if heights:
                axes.annotate(f" {heights[-1]:,.0f}", (numbers[-1], heights[-1]), va="center", ha="left")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(x=0.12)
        axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.set_xlabel("tickets")
        axes.set_title(title)
        axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
        axes.grid(alpha=0.25)
    _save(pyplot, figure, file)


def _save(pyplot: Any, figure: Any, file: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
