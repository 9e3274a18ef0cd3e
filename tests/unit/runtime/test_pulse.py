"""What is written within a moment is written together."""

from __future__ import annotations

import asyncio

import pytest
from mailroom_runtime.bus import pulse as module
from mailroom_runtime.bus.pulse import Pulse


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def _waits(pulse: Pulse) -> bool:
    """Whether one that comes now has to wait (it is taken away again)."""
    one = asyncio.create_task(pulse.next())
    await asyncio.sleep(0)
    if one.done():
        return False
    pulse._strike()
    await one
    return True


def _busy(clock: Clock, **options: float) -> Pulse:
    """Sixty a second have come; nobody waits for them."""
    pulse = Pulse(60.0, clock=clock, **options)
    pulse._rate.add(60)
    return pulse


async def test_all_who_wait_go_on_with_one_beat() -> None:
    pulse = Pulse(0.01, calm_s=0.01)
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


async def test_little_does_not_wait_and_very_much_does_not_either() -> None:
    clock = Clock()
    assert not await _waits(Pulse(60.0, clock=clock))
    assert await _waits(_busy(clock))
    assert not await _waits(_busy(clock, most_per_s=59))


async def test_enough_are_not_kept_waiting() -> None:
    pulse = Pulse(60.0, calm_s=60.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(module.ENOUGH):
            group.create_task(pulse.next())


async def test_nobody_waits_when_all_who_came_a_moment_ago_are_there() -> None:
    clock = Clock()
    pulse = _busy(clock)
    for who in ("idle", "a", "b", "c"):
        pulse._active_with(who)
        clock.now += 0.3
    pulse._rate.add(60)
    clock.now += 0.2  # "idle" was longer ago than a second
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = [group.create_task(pulse.next(who)) for who in ("a", "b")]
        await asyncio.sleep(0)
        assert not any(task.done() for task in first)
        group.create_task(pulse.next("c"))


async def test_one_after_the_other_soon_waits_no_more_and_company_is_noticed_again() -> None:
    pulse = _busy(Clock())
    waited = [await _waits(pulse) for _ in range(4 * module.PROBE)]
    assert waited[0]
    assert sum(waited[module.PROBE :]) == 3  # now and then, to see whether it would be worth it
    while not pulse._is_worth_it():
        pass
    pulse._passed -= 1  # the next one is a probe
    others = [asyncio.create_task(pulse.next()) for _ in range(5)]
    await asyncio.sleep(0)
    pulse._strike()
    await asyncio.gather(*others)
    assert await _waits(pulse)


async def test_one_who_is_cancelled_takes_nobody_along() -> None:
    pulse = Pulse(0.01, calm_s=0.01)
    gone, other = asyncio.create_task(pulse.next()), asyncio.create_task(pulse.next())
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(5):
        await other
    with pytest.raises(asyncio.CancelledError):
        await gone
