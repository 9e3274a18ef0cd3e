"""The report of `make bench`: found again and exchanged, never doubled; a benchmark of the wrong form is named."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bench import against
from bench.__main__ import BenchmarkWrong, discover, each, measured
from bench.report import BEGIN, figures_block, plot, with_figures

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def _benchmark(figures: dict[str, Any], **attributes: Any) -> ModuleType:
    module = ModuleType("sample")
    module.__dict__.update(run=lambda rounds: {**figures, "rounds": rounds}, **attributes)
    return module


FIGURES = {"ratio": 0.625, "ours": 1250.0, "reference": 2000, "unit": "mails/s", "command": "make bench ONLY=sample"}


def test_figures_are_checked_and_completed() -> None:
    result = measured("sample", _benchmark(FIGURES, TARGET=0.5, ABOUT="a vs b"), 7, NOW)
    assert result == {**FIGURES, "rounds": 7, "target": 0.5, "about": "a vs b", "date": "2026-11-24"}
    with pytest.raises(BenchmarkWrong, match=r"sample\.py.*ratio"):
        measured("sample", _benchmark({"ours": 1, "reference": 1, "unit": "x", "command": "c"}), 5, NOW)


def test_the_block_is_exchanged_not_doubled_and_the_text_around_it_stays() -> None:
    old = figures_block({"sample": measured("sample", _benchmark(FIGURES), 5, NOW)})
    page = with_figures("# Performance\n\nBefore.\n", old) + "\nAfter.\n"
    new = figures_block({"sample": measured("sample", _benchmark({**FIGURES, "ours": 99}), 5, NOW)})
    changed = with_figures(page, new)
    assert changed.count(BEGIN) == 1
    assert changed.startswith("# Performance\n\nBefore.\n")
    assert changed.endswith("\nAfter.\n")
    assert "| 99 mails/s | 2,000 mails/s | 0.625 |" in changed
    assert "1,250" not in changed


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    plot({"sample": measured("sample", _benchmark(FIGURES, TARGET=0.5), 5, NOW)}, tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")


def test_modules_without_run_are_no_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("bench")
    package.__path__ = [str(tmp_path)]
    for name in [name for name in sys.modules if name.split(".")[0] == "bench"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bench", package)
    (tmp_path / "one.py").write_text("def run(rounds): return {}\n")
    (tmp_path / "shared.py").write_text("X = 1\n")
    (tmp_path / "_private.py").write_text("raise RuntimeError\n")
    assert list(discover(tmp_path)) == ["one"]


def test_one_that_fails_costs_the_others_nothing() -> None:
    kept: list[list[str]] = []

    def measure(name: str) -> dict[str, Any]:
        if name == "bad":
            raise OSError("no smtp-sink")
        return measured(name, _benchmark(FIGURES), 1, NOW)

    results, failed = each(["one", "bad", "two"], measure, lambda _: None, lambda so_far: kept.append(list(so_far)))
    assert list(results) == ["one", "two"]
    assert failed == {"bad": "OSError: no smtp-sink"}
    assert kept == [["one"], ["one", "two"]], "what was measured is kept before the next one begins"


@pytest.mark.parametrize(("unit", "ratio"), [("mails/s", 2.0), ("ms", 0.5)])
def test_against_another_build_more_than_one_is_better(unit: str, ratio: float) -> None:
    other = [{"ours": n, "unit": unit, "cpu_ms_per_mail": 4.0} for n in (90, 100, 500)]
    today = [{"ours": n, "unit": unit, "cpu_ms_per_mail": 1.0} for n in (200, 20, 300)]
    figures = against.compared(today, other, "abc")
    assert (figures["ours"], figures["reference"], figures["ratio"]) == (200, 100, ratio)
    assert figures["cpu_ms_per_mail_share"] == 0.25


def test_a_commit_that_is_not_there_is_told() -> None:
    with pytest.raises(against.BuildMissing, match="no such commit"):
        against.build("0000000000000000000000000000000000000000")
