"""A short seeded chaos run: nothing that was accepted is lost, nothing is doubled, every reply is sent once."""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from load.chaos import good, run
from load.faults import schedule


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


def test_a_schedule_is_the_same_for_the_same_seed_and_has_every_kind() -> None:
    assert schedule(3, 600) == schedule(3, 600)
    assert len({(f.kind, f.target) for f in schedule(3, 600)}) >= 18
    for one, after in zip(schedule(3, 600), schedule(3, 600)[1:], strict=False):
        assert one.at_s + one.hold_s < after.at_s, "never two at once"
