"""Tasks end when they are told to, even those that lost the first word."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from mailroom_runtime.process import tasks
from mailroom_runtime.process.tasks import end, together


async def for_ever() -> None:
    while True:
        await asyncio.sleep(3600)


async def loses_the_first(lost: list[int]) -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if lost:
                raise
            lost.append(1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.02)


async def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    lost: list[int] = []
    stubborn, plain = asyncio.create_task(loses_the_first(lost)), asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(stubborn, plain), 5)
    assert lost
    assert stubborn.cancelled()
    assert plain.cancelled()


async def test_what_ended_before_is_left_as_it_is() -> None:
    async def fails() -> None:
        raise ValueError("no")

    failed, done = asyncio.create_task(fails()), asyncio.create_task(asyncio.sleep(0))
    with contextlib.suppress(ValueError):
        await failed
    await done
    await end(failed, done)
    assert isinstance(failed.exception(), ValueError)
    assert not done.cancelled()


async def test_together_raises_what_failed_and_ends_the_rest() -> None:
    lost: list[int] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await asyncio.wait_for(together(loses_the_first(lost), fails()), 5)
    assert lost


async def test_together_ends_when_all_have_ended() -> None:
    done: list[int] = []

    async def works(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    await together(works(1), works(2))
    assert done == [1, 2]


async def test_together_is_cancelled_as_one() -> None:
    lost: list[int] = []
    both = asyncio.create_task(together(loses_the_first(lost), for_ever()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(end(both), 5)
    assert both.cancelled()
    assert lost
