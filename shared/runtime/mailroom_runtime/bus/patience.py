"""A time limit that costs next to nothing where it is not reached: one timer watches over all that wait.

`asyncio.timeout` starts and stops a timer of the event loop each time, which takes longer than much of what it guards.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Patience:
    """At most `seconds` for each `async with patience.lasting():`; its tasks belong to one event loop.

    Raises TimeoutError as `asyncio.timeout` does; that may come up to a tenth of the limit late, at most a second.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slack = min(seconds / 10, 1.0)
        self._waiting: dict[Limit, None] = {}  # the earliest deadline first, since all have the same limit
        self._timer: asyncio.TimerHandle | None = None

    def lasting(self) -> Limit:
        """The limit for one piece of work, from when it is entered."""
        return Limit(self)

    def enter(self, limit: Limit) -> float:
        """Watch over it; when it ends, in the loop's time."""
        self._waiting[limit] = None
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(until, self._look, loop)
        return until

    def leave(self, limit: Limit) -> None:
        """It came to its end."""
        self._waiting.pop(limit, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._waiting:
            first = next(iter(self._waiting))
            if first.until > now:
                self._timer = loop.call_at(max(first.until, now + self._slack), self._look, loop)
                return
            del self._waiting[first]
            first.expire()


class Limit:
    """One use of a `Patience`; see `asyncio.Timeout` for why cancelling is counted."""

    __slots__ = ("_cancelling", "_expired", "_patience", "_task", "until")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._task: asyncio.Task[object] | None = None
        self._expired = False
        self.until = 0.0

    def expire(self) -> None:
        """The time is over: what waits is cancelled."""
        self._expired = True
        assert self._task is not None
        self._task.cancel()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("a limit is for the work of a task")
        self._cancelling = self._task.cancelling()
        self.until = self._patience.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patience.leave(self)
        if self._expired:
            assert self._task is not None
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error
