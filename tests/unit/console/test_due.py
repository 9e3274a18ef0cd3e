"""What a portal keeps no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.erasing.due import FILES, TICKET, Keeping, Standing, due
from mailroom_console.times import DAY

NOW = 20_000 * DAY
OLD, RECENT = Standing(NOW - 40 * DAY, has_files=True), Standing(NOW - 5 * DAY, has_files=True)
OPEN = Standing(None, has_files=True)
DAYS = st.none() | st.integers(1, 3650)
KEEPING = st.builds(Keeping, DAYS, DAYS)
ALONE = st.builds(Standing, st.none() | st.integers(NOW - 5000 * DAY, NOW), st.booleans())
STANDING = ALONE | st.builds(
    Standing, ALONE.map(lambda s: s.closed_at), st.booleans(), st.just(True), st.none() | ALONE
)


@pytest.mark.parametrize(
    ("ticket", "keeping", "wanted"),
    [
        (OLD, Keeping(), None),
        (OLD, Keeping(tickets=30), TICKET),
        (OLD, Keeping(tickets=30, attachments=10), TICKET),
        (OLD, Keeping(tickets=365, attachments=30), FILES),
        (OLD, Keeping(attachments=30), FILES),
        (replace(OLD, has_files=False), Keeping(attachments=30), None),
        (OLD, Keeping(tickets=40), TICKET),  # to the microsecond
        (replace(OLD, closed_at=NOW - 40 * DAY + 1), Keeping(tickets=40), None),
        (RECENT, Keeping(tickets=30, attachments=30), None),
        (OPEN, Keeping(tickets=1, attachments=1), None),
        # merged: what it is shown in goes first
        (replace(OLD, merged=True, goes_on_in=OLD), Keeping(tickets=30), None),
        (replace(OLD, merged=True), Keeping(tickets=30), TICKET),
        (replace(OLD, merged=True, goes_on_in=OLD), Keeping(attachments=30), FILES),
        (replace(OLD, merged=True, goes_on_in=RECENT), Keeping(attachments=30), None),
        (replace(OLD, merged=True, goes_on_in=OPEN), Keeping(attachments=30), None),
        (replace(RECENT, merged=True), Keeping(tickets=30), None),
    ],
)
def test_what_goes(ticket: Standing, keeping: Keeping, wanted: str | None) -> None:
    assert due(ticket, keeping, NOW) == wanted


@given(STANDING, KEEPING)
def test_nothing_goes_before_its_time_nor_without_a_rule(ticket: Standing, keeping: Keeping) -> None:
    found = due(ticket, keeping, NOW)
    if found is None:
        return
    days = keeping.tickets if found == TICKET else keeping.attachments
    assert days is not None
    assert ticket.closed_at is not None
    assert NOW - ticket.closed_at >= days * DAY
    assert found == TICKET or ticket.has_files
    if ticket.merged and ticket.goes_on_in is not None:
        other = ticket.goes_on_in.closed_at
        assert found == FILES
        assert other is not None
        assert NOW - other >= days * DAY


@given(STANDING, KEEPING, st.integers(0, 5000 * DAY))
def test_what_goes_now_goes_later_and_with_a_shorter_time(ticket: Standing, keeping: Keeping, later: int) -> None:
    found = due(ticket, keeping, NOW)
    rank = [None, FILES, TICKET]
    assert rank.index(due(ticket, keeping, NOW + later)) >= rank.index(found)
    shorter = Keeping(keeping.tickets and 1, keeping.attachments and 1)
    assert rank.index(due(ticket, shorter, NOW)) >= rank.index(found)


@given(STANDING, KEEPING)
def test_opened_again_everything_stays(ticket: Standing, keeping: Keeping) -> None:
    assert due(replace(ticket, closed_at=None), keeping, NOW) is None
