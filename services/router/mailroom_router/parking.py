"""Mails that wait for the index to be rebuilt, while those that name nothing pass by. Pure, the clock is passed in."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Parking(Generic[T]):
    """Each waits until the index is whole, or for `longest_s`; then it is to be decided by what is known."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._parked: deque[tuple[float, T]] = deque()
        self._waited: set[int] = set()

    def __len__(self) -> int:
        return len(self._parked)

    def park(self, one: T, now: float) -> None:
        """Let one wait; `now` in monotonic seconds."""
        self._parked.append((now, one))

    def due(self, now: float, *, rebuilding: bool) -> list[T]:
        """Those that need not wait any longer, in the order in which they came."""
        due: list[T] = []
        while self._parked and (not rebuilding or now - self._parked[0][0] >= self._longest_s):
            due.append(self._parked.popleft()[1])
        self._waited.update(map(id, due))
        return due

    def waited(self, one: T) -> bool:
        """Whether it has waited as long as it may."""
        return id(one) in self._waited

    def gone(self, one: T) -> None:
        """It is decided."""
        self._waited.discard(id(one))
