"""When the event log is renewed by itself, and what an erasure says of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mailroom_console.erasing.log_times import EARLY, FINISHED, LATE, Erased, is_due, told
from mailroom_console.times import DAY, HOUR, rfc3339

WITHIN = 25 * DAY
DONE = 20_000 * DAY  # midnight


@pytest.mark.parametrize(
    ("waiting", "now", "due"),
    [
        ([], DONE + 400 * DAY, False),
        ([Erased(DONE, False)], DONE + WITHIN - EARLY - HOUR, False),
        ([Erased(DONE, False)], DONE + WITHIN - EARLY + HOUR, False),
        ([Erased(DONE, False)], DONE + WITHIN - EARLY + 2 * HOUR, True),
        ([Erased(DONE, False)], DONE + WITHIN - EARLY + 3 * HOUR, False),
        ([Erased(DONE, False)], DONE + WITHIN - LATE, True),
        ([Erased(DONE, False), Erased(DONE + 20 * DAY, False)], DONE + WITHIN, True),
        ([Erased(DONE, True)], DONE + WITHIN - EARLY + 2 * HOUR, True),
    ],
)
def test_it_is_renewed_in_a_quiet_hour_before_the_time_is_over(waiting: list[Erased], now: int, due: bool) -> None:
    assert is_due(waiting, now, within=WITHIN, quiet_hour=2) == due


def test_what_cannot_have_left_the_disks_yet_is_not_renewed_again_and_again() -> None:
    within = 5 * DAY
    assert is_due([Erased(DONE, False)], DONE + within, within=within, quiet_hour=2)
    assert not is_due([Erased(DONE, True)], DONE + FINISHED - 1, within=within, quiet_hour=2)
    assert is_due([Erased(DONE, True)], DONE + FINISHED + EARLY, within=within, quiet_hour=2)


def test_an_erasure_says_until_when_it_is_there_and_when_it_went() -> None:
    row = SimpleNamespace(asked_at=DONE - DAY, done_at=None, unreadable_at=None, gone_at=None)
    assert told(row, 25)["until"] == rfc3339(DONE - DAY + WITHIN)
    row.done_at = DONE
    assert told(row, 25) == {"state": "kept", "until": rfc3339(DONE + WITHIN), "unreadable_at": None, "gone_at": None}
    row.unreadable_at = DONE + DAY
    assert told(row, 5)["until"] == rfc3339(DONE + FINISHED + EARLY), "a renewal before then would not reach the disks"
    row.gone_at = DONE + 22 * DAY
    assert (told(row, 25)["state"], told(row, 25)["gone_at"]) == ("gone", rfc3339(DONE + 22 * DAY))
