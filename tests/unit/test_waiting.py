"""What waits for something that is slow gives up only when it stands still."""

from __future__ import annotations

import itertools

import pytest
from support.waiting import NotYet, while_it_moves


async def test_what_moves_is_waited_for_longer_than_it_may_stand_still() -> None:
    steps = itertools.count()
    assert await while_it_moves(lambda: next(steps), 40, stalled=0.05, every=0.005) == 40


async def test_what_stands_still_is_given_up_with_how_far_it_came() -> None:
    steps = iter((1, 2, 2, 2))
    with pytest.raises(NotYet, match="mails: 2 of 3, and no more for"):
        await while_it_moves(lambda: next(steps, 2), 3, stalled=0.02, every=0.005, what="mails")
