"""A short seeded chaos run: nothing that was accepted is lost, nothing is doubled, every reply is sent once."""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from load.chaos import STUCK_S, good, run
from load.faults import BROKERS, IN_TURN, schedule


@pytest.mark.timeout(420)
def test_a_short_seeded_run_loses_and_doubles_nothing() -> None:
    result = run(seed=7, duration_s=45, console=Console(stderr=True))
    assert result["faults"] >= 4
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
    for one, after in zip(schedule(3, 600), schedule(3, 600)[1:], strict=False):
        assert one.at_s + one.hold_s < after.at_s, "never two at once"
