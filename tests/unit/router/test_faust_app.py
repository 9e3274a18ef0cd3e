"""What is used of faust that it keeps private is there: held against faust itself, without Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mailroom_router.faust_app import FaustApp
from mailroom_router.settings import RouterSettings


async def _receive(event: Any) -> None:
    raise AssertionError(event)


async def test_an_engine_that_gives_up_says_so(tmp_path: Path) -> None:
    app = FaustApp(RouterSettings(_env_file=None, data=tmp_path), _receive, most=10)  # type: ignore[call-arg]
    crashed = asyncio.create_task(app.crashed())
    await asyncio.sleep(0)
    assert not crashed.done()
    assert not app.rebalancing
    await app._app.crash(RuntimeError("no way on"))
    async with asyncio.timeout(5):
        assert "no way on" in await crashed
