"""The cheap time limit behaves as asyncio.timeout does."""

from __future__ import annotations

import asyncio

import pytest
from mailroom_runtime.bus.patience import Patience


async def test_what_ends_in_time_is_not_disturbed() -> None:
    patience = Patience(0.05)
    for _ in range(3):
        async with patience.lasting():
            await asyncio.sleep(0)
    await asyncio.sleep(0.1)  # the timer finds nobody
    async with patience.lasting():
        await asyncio.sleep(0)


async def test_what_takes_too_long_gets_a_timeout_error_and_is_not_cancelled_any_more() -> None:
    patience = Patience(0.02)
    with pytest.raises(TimeoutError):
        async with patience.lasting():
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_each_has_the_whole_time() -> None:
    patience = Patience(0.1)
    loop = asyncio.get_running_loop()

    async def wait_for_ever() -> float:
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with patience.lasting():
                await asyncio.Event().wait()
        return loop.time() - began

    first = asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0.04)
    second = asyncio.create_task(wait_for_ever())
    for took in await asyncio.gather(first, second):
        assert 0.09 <= took < 1.0


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    patience = Patience(10)

    async def wait_for_ever() -> None:
        async with patience.lasting():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_within_stays_that_error() -> None:
    patience = Patience(10)
    with pytest.raises(ZeroDivisionError):
        async with patience.lasting():
            raise ZeroDivisionError


async def test_limits_within_one_another() -> None:
    outer, inner = Patience(0.02), Patience(10)
    with pytest.raises(TimeoutError):
        async with outer.lasting(), inner.lasting():
            await asyncio.Event().wait()
    outer, inner = Patience(10), Patience(0.02)
    async with outer.lasting():
        with pytest.raises(TimeoutError):
            async with inner.lasting():
                await asyncio.Event().wait()
        await asyncio.sleep(0)
