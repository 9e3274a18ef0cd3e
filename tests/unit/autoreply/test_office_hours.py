"""Office hours by the clock on the wall: zones, summer time, holidays, the end of a day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mailroom_autoreply.office import is_open
from mailroom_contracts import OfficeHours, OpenHours

WEEK = [OpenHours(day=day, begin="09:00", end="17:00") for day in range(1, 6)]
BERLIN = OfficeHours(zone="Europe/Berlin", week=WEEK, holidays=["2026-12-25"])


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-30T07:59:00", False),  # Monday, 8:59 in Berlin
        ("2026-11-30T08:00:00", True),
        ("2026-11-30T15:59:59", True),
        ("2026-11-30T16:00:00", False),
        ("2026-07-06T07:00:00", True),  # summer time: 9:00
        ("2026-12-05T10:00:00", False),  # Saturday
        ("2026-12-25T10:00:00", False),  # a holiday on a Friday
        ("2026-12-27T23:30:00", False),  # Monday already in Berlin, at night
    ],
)
def test_hours_are_those_of_the_clock_there(moment: str, expected: bool) -> None:
    assert is_open(BERLIN, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is expected


def test_without_hours_somebody_is_always_there_and_midnight_ends_a_day() -> None:
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert is_open(None, now)
    assert is_open(OfficeHours(week=[OpenHours(day=1, begin="00:00", end="24:00")]), now)
    assert not is_open(OfficeHours(week=[]), now)
    assert not is_open(OfficeHours(zone="Nowhere/Here", week=[OpenHours(day=1, begin="08:00", end="09:00")]), now)
