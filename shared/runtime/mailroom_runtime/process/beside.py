"""Work that takes some milliseconds or more, in a thread beside the event loop: others need not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
THREAD_FROM_BYTES = 100_000  # looking at this much keeps the event loop busy for some milliseconds


async def beside(size: int, function: Callable[..., T], *args: object) -> T:
    """What `function(*args)` gives, which looks at `size` bytes: in a thread where they are many."""
    if size > THREAD_FROM_BYTES:
        return await asyncio.to_thread(function, *args)
    return function(*args)
