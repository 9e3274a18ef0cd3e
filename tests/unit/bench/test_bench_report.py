"""The report of `make bench`: found again and exchanged, never doubled; a benchmark of the wrong form is named."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bench.__main__ import BEGIN, BenchmarkWrong, discover, figures_block, measured, plot, with_figures

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
