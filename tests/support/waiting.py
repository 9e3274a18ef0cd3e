"""Waiting with a deadline, instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class NotYet(AssertionError):
    """The deadline passed and the condition never held."""


def wait_until(check: Callable[[], T], timeout: float = 15.0, every: float = 0.05, what: str = "") -> T:
    """Call `check` until it gives something true, and give that back.

    An AssertionError inside `check` means "not yet". After `timeout` seconds: the last AssertionError, or NotYet with
    the last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        last, failure = _outcome(check)
        if failure is None and last:
            return last
        if time.monotonic() > deadline:
            raise failure or NotYet(f"{what or _name(check)}: not within {timeout:g} s; last value: {last!r}")
        time.sleep(every)


async def eventually(
    check: Callable[[], Any | Awaitable[Any]], timeout: float = 15.0, every: float = 0.05, what: str = ""
) -> Any:
    """`wait_until` for a running event loop; `check` may be async or not."""
    deadline = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        last: Any = None
        try:
            last = check()
            if inspect.isawaitable(last):
                last = await asyncio.wait_for(last, max(1.0, deadline - time.monotonic() + 1.0))
        except AssertionError as error:
            failure = error
        if failure is None and last:
            return last
        if time.monotonic() > deadline:
            raise failure or NotYet(f"{what or _name(check)}: not within {timeout:g} s; last value: {last!r}")
        await asyncio.sleep(every)


async def while_it_moves(
    progress: Callable[[], float | Awaitable[float]],
    wanted: float,
    *,
    stalled: float = 60.0,
    every: float = 0.2,
    what: str = "",
) -> float:
    """Wait until `progress` is as much as `wanted`, however long a busy machine takes, and give it back.

    NotYet only when it has not grown for `stalled` seconds. The test's own time limit stands behind it.
    """
    best, moved_at = float("-inf"), time.monotonic()
    while True:
        now = progress()
        if inspect.isawaitable(now):
            now = await now
        if now >= wanted:
            return now
        if now > best:
            best, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > stalled:
            raise NotYet(f"{what or _name(progress)}: {now:g} of {wanted:g}, and no more for {stalled:g} s")
        await asyncio.sleep(every)


def _outcome(check: Callable[[], T]) -> tuple[T | None, AssertionError | None]:
    try:
        return check(), None
    except AssertionError as error:
        return None, error


def _name(check: Callable[..., Any]) -> str:
    return getattr(check, "__qualname__", repr(check))
