"""What is worked on a step at a time, for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mailroom_runtime.process.logs import get_logger

from mailroom_console.context import Console

log = get_logger()
EVERY_S = 1.0


async def steps(
    console: Console, look: Callable[[], Awaitable[None]], name: str, away: tuple[type[Exception], ...]
) -> None:
    """One `look` a second once the read model has caught up; never ends. What raises `away` is waited for."""
    while True:
        if console.read.caught_up:
            try:
                await look()
            except away as error:
                log.warning("erasing.waits", work=name, error=type(error).__name__, reason=str(error))
        await asyncio.sleep(EVERY_S)
