"""The page of `make scale`: docs/performance.md and docs/scale.json say the same, and half a measurement is shown too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from load import scale, scale_plot
from load.population import WAITING, state
from mailroom_contracts import TicketState, decode_as, encode, topics

ONE = {"per_s": 100.0, "p50_ms": 20.0, "p99_ms": 80.0, "cpu_ms": {"router": 3.25, "kafka": 2.0}, "date": "2026-11-24"}
SIZE: dict[str, Any] = {
    "tickets": 10_000, "kafka_mb": 58.0, "state_bytes": 5_600, "date": "2026-11-24",
    "lost": {"ready_s": 3.0, "index_s": 3.5, "valkey_mb": 9.0, "tables_mb": 18.0},
    "whole": {"ready_s": 2.0, "rss_mb": 200.0}, "checkpoint": {"ready_s": 1.5, "killed_s": 10.5, "rss_mb": 110.0},
    "index": {"index_s": 1.2, "rss_mb": 160.0}, "takeover": {"warm_s": 10.7, "cold_s": 11.0, "join_s": 2.0, "partitions": 4},
}  # fmt: skip
RESULTS: scale.Results = {
    "intake": {"1": ONE},
    "router": {"1": ONE},
    "together": {"1": ONE},
    "recovery": {"10000": SIZE},
}


def test_the_page_says_what_the_results_say() -> None:
    page, results = scale.PAGE.read_text(), json.loads(scale.RESULTS.read_text())
    assert scale.block(results).splitlines()[2:] == page[page.index(scale.BEGIN) : page.index(scale.END) + len(scale.END)].splitlines()[2:]  # fmt: skip


def test_every_figure_is_in_the_tables() -> None:
    text = scale.block(RESULTS)
    assert "| 1 | 100 | 20 / 80 | 5.2 | 100 | 20 / 80 | 5.2 | 100 | 20 / 80 | 5.2 |" in text
    assert "| router | 3.25 |" in text
    assert "| 10,000 | 1.5 | 10.5 | 2.0 | 1.2 | 3.5 | 10.7 | 11.0 |" in text
    assert "| 10,000 | 110 | 200 | 160 | 9 | 18 | 58 |" in text


@pytest.mark.parametrize("missing", sorted(RESULTS))
def test_half_a_measurement_is_shown_too(missing: str, tmp_path: Path) -> None:
    results = {name: section for name, section in RESULTS.items() if name != missing}
    assert scale.BEGIN in scale.block(results)
    scale_plot.curve(results, tmp_path / "curve.svg")
    scale_plot.recovery(results, tmp_path / "recovery.svg")
    assert "svg" in (tmp_path / "curve.svg").read_text()


def test_the_population_is_the_same_whenever_it_is_asked_for() -> None:
    states = [state(n) for n in range(2 * WAITING)]
    assert len({s.id for s in states}) == len(states)
    assert states[7].id == state(7).id
    assert sum(s.wants_online for s in states) == 2
    assert all(s.assignee_id is None for s in states if s.wants_online)
    for one in states[:50]:
        value = encode(topics.TICKETS, one, source="router").value
        assert value is not None
        assert decode_as(TicketState, value) == one
