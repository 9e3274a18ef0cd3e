"""Live changes for pages that are open, whichever copy of the console serves them: which ticket, address or agent of a
portal changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import astuple, dataclass

from mailroom_console.storage.notifications import CHANGE, MISSED, Notifications

MOST_WAITING = 500


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: ticket, address, presence, queue, agent or activity; `reload` when too much happened at once."""

    portal_id: str
    kind: str
    id: str = ""


class Changes:
    """Hands changes to whoever watches a portal. A slow watcher is told to reload instead of piling up."""

    def __init__(self, notifications: Notifications) -> None:
        self._watchers: dict[asyncio.Queue[Change], str] = {}
        self._notifications = notifications
        notifications.on(CHANGE, self._told)
        notifications.on(MISSED, lambda _: self._reload())

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

    async def tell_all(self, change: Change) -> None:
        """Tell the watchers at every copy, of what no copy but this one hears of by itself."""
        self.tell(change)
        await self._notifications.say(CHANGE, [astuple(change)])

    def _told(self, items: list[tuple[str, str, str]]) -> None:
        for portal_id, kind, found in items:
            self.tell(Change(portal_id, kind, found))

    def _reload(self) -> None:
        for portal_id in set(self._watchers.values()):
            self.tell(Change(portal_id, "reload"))

    async def watch(self, portal_id: str) -> AsyncIterator[Change]:
        """Changes of a portal from now on, for as long as the caller iterates."""
        queue: asyncio.Queue[Change] = asyncio.Queue(MOST_WAITING)
        self._watchers[queue] = portal_id
        try:
            while True:
                yield await queue.get()
        finally:
            del self._watchers[queue]
