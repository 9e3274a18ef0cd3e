"""The first step's loop, apart from faust."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mailroom_router import placing as module
from mailroom_router.placing import Placing
from mailroom_runtime.bus.gathering import Gathering
from mailroom_runtime.bus.pace import Rate
from mailroom_runtime.process.tasks import end


async def test_when_nothing_comes_any_more_fetches_wait_as_long_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the consumer asks the broker a hundred times a second, for ever after it once had much to do."""
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    now = [100.0]
    fetcher = SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=500)
    gathering = Gathering(cast(Any, SimpleNamespace(_fetcher=fetcher)), wait_ms=5, rate=Rate(lambda: now[0]))
    gathering.counted(1000)
    assert fetcher._fetch_max_wait_ms == 5
    placing = Placing(
        cast(Any, SimpleNamespace(settings=SimpleNamespace(router_rebuild_wait_s=60))), cast(Any, None), cast(Any, None)
    )
    waiting = asyncio.create_task(placing._fed_again(gathering))
    now[0] += 2.0
    async with asyncio.timeout(5):
        while fetcher._fetch_max_wait_ms != 500:
            await asyncio.sleep(0)
    placing._fed.set()
    async with asyncio.timeout(5):
        await waiting


async def test_the_mails_of_one_fetch_are_one_batch_though_faust_hands_them_over_one_by_one() -> None:
    settings = SimpleNamespace(router_batch=500, router_rebuild_wait_s=60)
    placing = Placing(cast(Any, SimpleNamespace(settings=settings)), cast(Any, None), cast(Any, None))

    async def hand_over() -> None:
        for number in range(20):
            placing._waiting.append(number)
            for _ in range(module.STILL_TURNS - 1):
                await asyncio.sleep(0)

    handing = asyncio.create_task(hand_over())
    async with asyncio.timeout(5):
        await placing._all_handed_over()
    assert len(placing._waiting) == 20
    await handing


async def test_a_batch_does_not_wait_for_more_than_it_may_hold() -> None:
    settings = SimpleNamespace(router_batch=3, router_rebuild_wait_s=60)
    placing = Placing(cast(Any, SimpleNamespace(settings=settings)), cast(Any, None), cast(Any, None))

    async def always() -> None:
        while True:
            placing._waiting.append(0)
            await asyncio.sleep(0)

    handing = asyncio.create_task(always())
    async with asyncio.timeout(5):
        await placing._all_handed_over()
    await end(handing)
