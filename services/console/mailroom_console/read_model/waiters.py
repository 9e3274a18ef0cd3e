"""Waiting until the read model shows what a command did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """The first event that a command caused."""

    type: str
    code: str | None = None
    reason: str | None = None
    message_id: str | None = None

    @property
    def refused(self) -> bool:
        return self.type == "ticket.command_refused"


class Waiters:
    """Futures by causation id. Register before sending, so that no answer comes too early to be heard.

    A future ends with the outcome, or with None where another copy of the console wrote it: then it is in the tables.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Outcome | None]]] = {}
        self.hurry = asyncio.Event()  # set while anybody waits

    @contextmanager
    def expect(self, causation_id: str) -> Iterator[asyncio.Future[Outcome | None]]:
        """A future that ends when an event of that cause was committed."""
        future: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(causation_id, []).append(future)
        self.hurry.set()
        try:
            yield future
        finally:
            waiting = self._waiting[causation_id]
            waiting.remove(future)
            if not waiting:
                del self._waiting[causation_id]
            if not self._waiting:
                self.hurry.clear()

    @property
    def ids(self) -> list[str]:
        """What is waited for."""
        return list(self._waiting)

    def tell(self, outcomes: Iterable[tuple[str, Outcome | None]]) -> None:
        """These causes have outcomes that a reader sees now."""
        for causation_id, outcome in outcomes:
            for future in self._waiting.get(causation_id, ()):
                if not future.done():
                    future.set_result(outcome)
