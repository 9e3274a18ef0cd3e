"""What is written within a moment is written together."""

from __future__ import annotations

import asyncio

import pytest
from mailroom_outbound import pulse as module
from mailroom_outbound.pulse import Pulse


async def test_all_who_wait_go_on_with_one_beat() -> None:
    pulse = Pulse(0.01)
    passed: list[int] = []

    async def waiter(number: int) -> None:
        await pulse.next()
        passed.append(number)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(waiter(number))
        await asyncio.sleep(0)
        assert passed == []
    assert passed == [0, 1, 2, 3, 4]
    async with asyncio.timeout(5):
        await pulse.next()  # and it beats again


async def test_enough_are_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALM_S", 60.0)
    pulse = Pulse(60.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(module.ENOUGH):
            group.create_task(pulse.next())


async def test_one_who_is_cancelled_takes_nobody_along() -> None:
    pulse = Pulse(0.01)
    gone, other = asyncio.create_task(pulse.next()), asyncio.create_task(pulse.next())
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(5):
        await other
