"""Checks of a login while somebody types: no server shall ban the platform for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.smtp.check_pace import FREE, LONGEST_WAIT_S, MOST, CheckPace


def test_typing_errors_cost_nothing_and_more_of_them_wait_longer_and_longer() -> None:
    pace, now, waits = CheckPace(), 0.0, []
    for _ in range(FREE + 8):
        waits.append(pace.wait_s("smtp.a.example", "u@a.example", now))
        now += waits[-1]
        pace.refused("SMTP.a.example.", "U@a.example", now)
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE : FREE + 4] == [10.0, 20.0, 40.0, 80.0]
    assert max(waits) == LONGEST_WAIT_S
    assert pace.wait_s("smtp.a.example", "other@a.example", now) == 0.0
    pace.worked("smtp.a.example", "u@a.example")
    assert pace.wait_s("smtp.a.example", "u@a.example", now) == 0.0


def test_an_hour_later_it_begins_anew() -> None:
    pace = CheckPace()
    for _ in range(9):
        pace.refused("h", "u", 0.0)
    pace.refused("h", "u", 4000.0)
    assert pace.wait_s("h", "u", 4000.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5000)), max_size=60))
def test_it_never_waits_longer_than_said(tries: list[tuple[str, float]]) -> None:
    pace, now = CheckPace(), 0.0
    for user, later in tries:
        now += later
        assert 0.0 <= pace.wait_s("h", user, now) <= LONGEST_WAIT_S
        pace.refused("h", user, now)


def test_it_remembers_no_more_than_it_may() -> None:
    pace = CheckPace()
    for number in range(MOST + 50):
        pace.refused("h", str(number), 0.0)
    assert len(pace._refused) == MOST
