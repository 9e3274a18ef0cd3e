"""The waits between tries of what is away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.process.backoff import Backoff


def test_waits_double_up_to_the_longest_and_begin_anew_after_success() -> None:
    backoff = Backoff(0.2, 1.0, chance=lambda: 0.5)
    assert [backoff.next_s() for _ in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next_s() == 0.2


@given(st.floats(0.01, 5), st.floats(5, 60), st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_no_wait_is_shorter_than_half_the_first_or_longer_than_one_and_a_half_of_the_longest(
    first_s: float, longest_s: float, chances: list[float]
) -> None:
    drawn = iter(chances)
    backoff = Backoff(first_s, longest_s, chance=lambda: next(drawn))
    assert all(first_s / 2 <= backoff.next_s() <= longest_s * 1.5 for _ in chances)
