"""A first step that stands still is told from one that is slow, idle or done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.bus.standstill import Standstill


def test_waiting_mail_and_no_progress_is_a_standstill() -> None:
    watch = Standstill(20)
    assert watch.look({0: 5}, {0: 9}, 100) == []
    assert watch.look({0: 5}, {0: 12}, 119) == []
    assert watch.look({0: 5}, {0: 12}, 120) == [0]


def test_a_partition_without_any_commit_counts_too() -> None:
    watch = Standstill(20)
    watch.look({}, {3: 1}, 0)
    assert watch.look({}, {3: 1}, 21) == [3]


def test_progress_however_slow_is_none() -> None:
    watch = Standstill(20)
    for step in range(50):
        assert watch.look({0: step}, {0: 1000}, step * 15.0) == []


def test_what_is_done_or_forgotten_starts_anew() -> None:
    watch = Standstill(20)
    watch.look({0: 5}, {0: 9}, 0)
    watch.look({0: 9}, {0: 9}, 10)
    assert watch.look({0: 9}, {0: 10}, 25) == []
    watch.forget()
    assert watch.look({0: 9}, {0: 10}, 44) == []
    assert watch.look({0: 9}, {0: 10}, 64) == [0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_nothing_is_told_before_the_time(steps: list[tuple[int, int]]) -> None:
    watch = Standstill(100)
    for now, (committed, end) in enumerate(steps):
        assert watch.look({0: committed}, {0: end}, float(now)) == []
