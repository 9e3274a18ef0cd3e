"""How long to wait before the next try of something that is away for now."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable


class Backoff:
    """Doubled from `first_s` up to `longest_s` seconds; by chance half to one and a half of that, so that not all who
    wait come back at once. `chance` gives numbers from 0 to 1."""

    def __init__(
        self, first_s: float = 0.2, longest_s: float = 10.0, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._first_s, self._longest_s, self._chance = first_s, longest_s, chance
        self._due_s = first_s

    def next_s(self) -> float:
        """The seconds before the next try; longer at each call."""
        seconds = self._due_s * (0.5 + self._chance())
        self._due_s = min(self._due_s * 2, self._longest_s)
        return seconds

    async def wait(self) -> None:
        """Sleep until the next try."""
        await asyncio.sleep(self.next_s())

    def reset(self) -> None:
        """It worked: the next trouble begins with short waits again."""
        self._due_s = self._first_s
