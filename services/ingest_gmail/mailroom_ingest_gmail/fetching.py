"""Fetching messages in chunks that are bounded in bytes, not only in number: twenty mails of 20 MB fit into no container.

How long a message is, Gmail says for as little as it says the labels: asked for first, where several are to be fetched.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from mailroom_gmail import Expired, GmailClient, GmailTrouble, Limited, RawMessage, Refused, Temporary
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import end

from .plan import backoff_s

log = get_logger()
AT_ONCE = 50  # messages in a chunk
CHUNK_BYTES = 8 << 20  # one longer mail is a chunk of its own
FEW = 2  # so many are fetched without asking for their sizes
UNKNOWN_BYTES = 1 << 20  # what a message counts whose size Gmail does not say
ROUNDS = 6
LONGEST_ROUND_S = 10.0  # when Google asks for more patience, the whole account waits

Spend = Callable[[str, int], Awaitable[None]]


class Room:
    """How many bytes of mail this process has in memory, over all accounts. Never more than one chunk above that."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._used = capacity, 0
        self._freed = asyncio.Condition()

    def try_take(self, size: int) -> bool:
        """Take it if it is there. A mail longer than everything is let in alone."""
        if self._used and self._used + size > self._capacity:
            return False
        self._used += size
        return True

    async def take(self, size: int) -> None:
        """Wait until it is there. Whoever holds some must not wait for more, or all wait for each other."""
        async with self._freed:
            await self._freed.wait_for(lambda: self.try_take(size))

    async def give_back(self, size: int) -> None:
        """It is free again."""
        async with self._freed:
            self._used -= size
            self._freed.notify_all()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Ids that are fetched together, and how many bytes they will be."""

    ids: tuple[str, ...]
    size: int


def chunks(ids: Sequence[str], sizes: Mapping[str, int]) -> list[Chunk]:
    """The ids in their order, cut where a chunk would get too long."""
    found: list[Chunk] = []
    some: list[str] = []
    size = 0
    for each in ids:
        more = sizes.get(each, UNKNOWN_BYTES)
        if some and (size + more > CHUNK_BYTES or len(some) >= AT_ONCE):
            found.append(Chunk(tuple(some), size))
            some, size = [], 0
        some.append(each)
        size += more
    if some:
        found.append(Chunk(tuple(some), size))
    return found


class Fetching:
    """Fetches for one account. `spend(method, times)` waits for the quota."""

    def __init__(self, address_id: str, client: GmailClient, room: Room, spend: Spend) -> None:
        self._address_id, self._client, self._room, self._spend = address_id, client, room, spend

    async def fetched(self, ids: Sequence[str]) -> AsyncGenerator[tuple[tuple[str, ...], list[RawMessage]], None]:
        """The ids of each chunk and what is there of them; the next chunk is on its way while one is published."""
        waiting = self._cut(ids)
        ahead: deque[tuple[Chunk, asyncio.Task[list[RawMessage]]]] = deque()
        following = await anext(waiting, None)
        try:
            while ahead or following is not None:
                while following is not None and len(ahead) < 2:
                    if not ahead:
                        await self._room.take(following.size)
                    elif not self._room.try_take(following.size):
                        break
                    ahead.append((following, asyncio.create_task(self._fetch(following.ids), name="gmail-fetch")))
                    following = await anext(waiting, None)
                messages = await ahead[0][1]
                yield ahead[0][0].ids, messages
                await self._room.give_back(ahead.popleft()[0].size)
        finally:
            await end(*(task for _, task in ahead))
            for chunk, _ in ahead:
                await self._room.give_back(chunk.size)

    async def _cut(self, ids: Sequence[str]) -> AsyncGenerator[Chunk, None]:
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            for chunk in chunks(some, await self._sizes(some) if len(some) > FEW else {}):
                yield chunk

    async def _sizes(self, ids: Sequence[str]) -> dict[str, int]:
        """What is not found out counts as unknown: fetching it tells what is wrong."""
        await self._spend("get", len(ids))
        answers = await self._client.sizes(ids)
        return {each: answer for each, answer in answers.items() if isinstance(answer, int) and answer > 0}

    async def _fetch(self, ids: Sequence[str]) -> list[RawMessage]:
        """The messages, oldest first; those that are gone by now (404, 410) are left out, and no others.

        Of a batch Google often answers a part only: that part is kept, and the rest is asked for again. What it keeps
        on refusing is raised: the cursor must not move past it.
        """
        found: dict[str, RawMessage] = {}
        waiting = list(ids)
        for round_ in range(1, ROUNDS + 1):
            if not waiting:
                break
            await self._spend("get", len(waiting))
            again: dict[str, GmailTrouble] = {}
            for message_id, answer in (await self._client.raw(waiting)).items():
                if isinstance(answer, RawMessage):
                    found[message_id] = answer
                elif isinstance(answer, Limited | Temporary | Refused):
                    again[message_id] = answer
                elif isinstance(answer, Expired):
                    log.info("gmail.message_gone", address_id=self._address_id, gmail_id=message_id)
                else:
                    raise answer
            waiting = list(again)
            if waiting:
                trouble = next((t for t in again.values() if isinstance(t, Limited)), again[waiting[0]])
                asked = trouble.retry_after_s if isinstance(trouble, Limited) else None
                refused = all(isinstance(t, Refused) for t in again.values()) and round_ > 1
                if round_ == ROUNDS or refused or (asked or 0) > LONGEST_ROUND_S:
                    raise trouble
                await asyncio.sleep(backoff_s(round_ - 2, random.random(), asked))  # noqa: S311 - jitter
        return sorted(found.values(), key=lambda m: m.internal_ms)
