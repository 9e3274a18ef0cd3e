"""Words, figures, charts and names as the pages show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from mailroom_console.pages.frame import words
from mailroom_console.pages.frame.sparkline import sparkline

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(hours=13), "01:00"),
        (timedelta(days=2), "Sun 14:00"),
        (timedelta(days=30), "25 Oct"),
        (timedelta(days=400), "20 Oct 2025"),
        (timedelta(minutes=-12), "in 12 min"),
        (timedelta(seconds=-10), "just now"),
    ],
)
def test_ago(gap: timedelta, told: str) -> None:
    assert words.ago(NOW - gap, NOW) == told


def test_times_are_read_from_text_and_missing_ones_say_nothing() -> None:
    assert words.ago("2026-11-24T13:55:00Z", NOW) == "5 min ago"
    assert words.ago(None, NOW) == words.full_time(None) == words.iso(None) == ""
    assert words.full_time("2026-11-24T13:05:00Z") == "24 Nov 2026, 13:05 UTC"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 bytes"),
        (812, "812 bytes"),
        (48_213, "48 kB"),
        (2_400_000, "2.4 MB"),
        (999_999, "1.0 MB"),
        (25e9, "25 GB"),
    ],
)
def test_size(number: int, told: str) -> None:
    assert words.size(number) == told


@pytest.mark.parametrize(
    ("name", "email", "letters"),
    [("Jo Miller", "x@y.example", "JM"), ("", "jo.miller@y.example", "JM"), ("Łukasz", "", "Ł"), ("田中 花子", "", "田花"),
     ("", "", "?"), ("--- ", "-@y", "?"), ("<script>", "", "?")],
)  # fmt: skip
def test_initials(name: str, email: str, letters: str) -> None:
    assert words.initials(name, email) == letters


def test_a_persons_colour_stays() -> None:
    assert words.tint("Jo@c.example") == words.tint("jo@c.example")
    assert 0 <= words.tint(None) <= 5


def test_sparkline_says_its_numbers_and_escapes_the_label() -> None:
    chart = str(sparkline([0, 4, 8], [1], 'a"><script>'))
    assert "<script>" not in chart
    assert chart.count("<rect") == 4
    assert 'class="in" x="10" y="1.5"' in chart
    assert str(sparkline([0] * 24, [0] * 24, "no mail")).count("<rect") == 1
