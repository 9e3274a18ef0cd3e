"""Live changes for pages that are open: which ticket, address or agent of a portal changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

MOST_WAITING = 500


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: ticket, address, presence, queue, agent or activity; `reload` when too much happened at once."""

    portal_id: str
    kind: str
    id: str = ""


class Changes:
    """Hands changes to whoever watches a portal. A slow watcher is told to reload instead of piling up."""

    def __init__(self) -> None:
        self._watchers: dict[asyncio.Queue[Change], str] = {}

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def tell(self, change: Change) -> None:
        """Tell the watchers of that portal."""
        for queue, portal_id in self._watchers.items():
            if portal_id != change.portal_id:
                continue
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Change(portal_id, "reload"))
            else:
                queue.put_nowait(change)

    async def watch(self, portal_id: str) -> AsyncIterator[Change]:
        """Changes of a portal from now on, for as long as the caller iterates."""
        queue: asyncio.Queue[Change] = asyncio.Queue(MOST_WAITING)
        self._watchers[queue] = portal_id
        try:
            while True:
                yield await queue.get()
        finally:
            del self._watchers[queue]
