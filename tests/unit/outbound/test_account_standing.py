"""An account that is refused: when people are told, and how seldom it is tried by itself."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from mailroom_outbound.courier import Deferred, Hold
from mailroom_outbound.schedule import Policy
from mailroom_outbound.standing import Standing

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
REFUSED = Deferred("535 refused", Hold.LOGIN)


def told_after(proven: bool) -> list[float]:
    """Seconds between the tries until the account is parked."""
    standing, now, waits = Standing("a1", Policy()), NOW, []
    while True:
        outcome = standing.judged(REFUSED, now, proven=proven)
        standing.note(outcome, now)
        if standing.is_broken:
            return waits
        waits.append(standing.held_s(now))
        now += timedelta(seconds=standing.held_s(now))


def test_a_login_that_worked_before_is_tried_again_before_people_are_told() -> None:
    """While their own login service is down, Postfix and Exim say 535 to the right password."""
    assert told_after(proven=True) == [60, 300, 900]
    assert told_after(proven=False) == []


def test_refusals_of_one_moment_count_once() -> None:
    standing = Standing("a1", Policy())
    for _ in range(5):
        outcome = standing.judged(REFUSED, NOW, proven=True)
        standing.note(outcome, NOW)
        assert outcome.hold is Hold.LANE
    assert standing.refusals == 1


def test_what_works_again_begins_anew() -> None:
    standing = Standing("a1", Policy())
    for _ in range(2):
        now = NOW + timedelta(hours=1)
        standing.note(standing.judged(REFUSED, now, proven=True), now)
        standing.works(3)
    assert (standing.accepted, standing.refusals, standing.is_broken) == (3, 0, False)


@given(st.integers(2, 12))
def test_a_parked_account_is_tried_more_and_more_seldom(times: int) -> None:
    standing, now, waits = Standing("a1", Policy()), NOW, []
    for _ in range(times):
        standing.note(Deferred("no", Hold.ACCOUNT), now)
        waits.append(standing.retry_s(now))
        now += timedelta(seconds=standing.retry_s(now))
        standing.try_again()
    assert 0.8 * 3600 <= waits[0] <= 1.2 * 3600
    assert all(later > 1.3 * earlier or later > 19 * 3600 for earlier, later in itertools.pairwise(waits))
    assert max(waits) <= 1.2 * 86_400
