"""A short seeded chaos run: nothing that was accepted is lost, nothing is doubled, every reply is sent once."""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from load import seeds
from load.chaos import STUCK_S, good, run
from load.faults import BROKERS, IN_TURN, schedule


@pytest.mark.timeout(420)
def test_a_short_seeded_run_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE", "5")  # mails a second: enough for each fault to find some on their way
    result = run(seed=14, duration_s=55, console=Console(stderr=True))
    assert {row["target"] for row in result["rows"]} >= {"partitions", "database"}
    assert good(result), {k: v for k, v in result.items() if k != "rows"}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_long_run(seed: int) -> None:
    result = run(seed=seed, duration_s=float(os.environ.get("DURATION") or 300), console=Console(stderr=True))
    assert good(result), result


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_brokers_killed_one_after_the_other_lose_and_double_nothing() -> None:
    """And leave no service broken, and no mail waiting for more than 30 s."""
    duration = float(os.environ.get("DURATION") or 60)
    result = run(seed=3, duration_s=duration, console=Console(stderr=True), wait_s=STUCK_S, brokers=3)
    assert good(result), result


def test_what_happens_to_three_brokers_is_that_each_is_killed_paused_and_stopped() -> None:
    done = {(fault.kind, fault.target) for fault in schedule(3, 300, brokers=3)}
    assert {target for _, target in done} == {"brokers", *BROKERS}
    assert {kind for kind, target in done if target == "brokers"} == set(IN_TURN)


def test_a_schedule_is_the_same_for_the_same_seed_and_has_every_kind() -> None:
    assert schedule(3, 600) == schedule(3, 600)
    assert len({(f.kind, f.target) for f in schedule(3, 600)}) >= 18
    for seed in range(20):
        always = [fault for fault in schedule(seed, 60) if fault.target in ("partitions", "database")]
        assert {fault.target for fault in always} == {"partitions", "database"}
        assert all(fault.hold_s >= 15 for fault in always if fault.target == "partitions"), "in a short plan too"
    for one, after in zip(schedule(3, 600), schedule(3, 600)[1:], strict=False):
        assert one.at_s + one.hold_s < after.at_s, "never two at once"


def test_the_page_tells_each_seed_and_is_found_again() -> None:
    """Also one that did not finish, one that is not as it should be, and a page that was written before."""
    fine = {"seed": 1, "faults": 1, "accepted": 9, "lost": 0, "doubled": 0, "not_shown": 0, "replies_lost": 0, "stuck": 0,
            "replies_doubled": 1, "two_replies_on_a_ticket": 0, "refused_wrong": [], "brokers": 1,
            "rows": [{"fault": "hangs", "target": "relay", "ready_after_s": 1.5}]}  # fmt: skip
    wrong = {**fine, "seed": 2, "not_shown": 2, "rows": [{"fault": "full", "target": "valkey", "ready_after_s": None}]}
    results = [fine, wrong, {"seed": 3, "failed": "not finished within 9 s"}]
    text = seeds.block(results, 180, "2026-11-30", 2)
    assert "1 of 3 seeds" in text
    assert "| 1 | 1 | 9 | 0 | 0 | 1 | 0 | 1.5 s |  |" in text
    assert "| 2 | 1 | 9 | 2 | 0 | 1 | 0 | over 30 s | not good |" in text
    assert "not finished within 9 s |" in text
    page = seeds.PAGE.read_text()
    once = seeds.with_block(page, text)
    assert seeds.with_block(once, seeds.block(results[:1], 180, "2026-12-01", 2)).count("of 1 seeds") == 1
    assert text in once
