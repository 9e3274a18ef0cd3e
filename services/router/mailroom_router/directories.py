"""Directories (`directory`) in Valkey: read whole, added to by whoever has a partition.

Each part is written together with the head that says how long it is, and only by who knew the head before: so what is
read is a directory as somebody wrote it, whoever else writes, whatever was lost of it or put back from a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis.asyncio
from redis.client import NEVER_DECODE

from .directory import PARTS, Head, entries
from .redis_index import NAMES

UNTIDY = 2_000  # lines that a part may have too many
_AS_BYTES: dict[str, Any] = {NEVER_DECODE: []}

# KEYS: the head, then parts. ARGV: the head as it must be ('' for none), as it is to be, 'APPEND' or 'SET', then for
# each part what it is given and how long it is after that. What is not as long as it should be is no directory any more.
_WRITE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
  if ARGV[1] == '' then redis.call('DEL', KEYS[i]) end
  redis.call(ARGV[3], KEYS[i], ARGV[i * 2])
  if redis.call('STRLEN', KEYS[i]) ~= tonumber(ARGV[i * 2 + 1]) then
    redis.call('DEL', KEYS[1])
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

# KEYS: the head, then all parts: one moment of all of them.
_READ = """
local found = {}
for i = 1, #KEYS do found[i] = redis.call('GET', KEYS[i]) or '' end
return found
"""


class Directories:
    """Raises `REDIS_DOWN` errors; whoever calls goes through the gate."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = f"{prefix}:{NAMES}:dir:"

    def _head(self, partition: int) -> str:
        return f"{self._prefix}{partition}"

    def _part(self, partition: int, number: int) -> str:
        return f"{self._prefix}{partition}:{number:x}"

    async def head(self, partition: int) -> Head | None:
        """How far a partition's directory goes; None where there is none."""
        found = await self._run("GET", self._head(partition))
        head = Head.decoded(found)
        if found is not None and head is None:
            await self.drop(partition)
        return head

    async def read(self, partition: int) -> tuple[Head, list[bytes]] | None:
        """A partition's directory, its parts as they lie there; None where there is none, or not all of it."""
        keys = [self._head(partition), *(self._part(partition, number) for number in range(PARTS))]
        first, *parts = await self._run("EVAL", _READ, len(keys), *keys)
        if first == b"":
            return None
        head = Head.decoded(first)
        if head is None or tuple(map(len, parts)) != head.sizes:
            await self.drop(partition)
            return None
        return head, parts

    async def add(self, partition: int, head: Head | None, to: int, more: Mapping[int, bytes]) -> Head | None:
        """Add lines, with which it goes up to `to`; the new head. None: it is not as `head` says any more (None: not there)."""
        new = (head or Head()).after(to, more)
        # of a directory that begins, every part: something may be left of an earlier one
        given = more if head is not None else {number: more.get(number, b"") for number in range(PARTS)}
        return await self._write(partition, head, new, "APPEND", given)

    async def tidy(self, partition: int, head: Head) -> Head | None:
        """Take out of parts what does not count any more, where that may be half of them; as `add`."""
        now: Head | None = head
        for number in head.untidy(UNTIDY):
            data = await self._run("GET", self._part(partition, number)) or b""
            if now is None or len(data) != now.sizes[number]:
                return None
            lines = b"".join(entries(data).values())
            now = await self._write(partition, now, now.tidy(number, len(lines)), "SET", {number: lines})
        return now

    async def drop(self, partition: int) -> None:
        """It is not to be believed any more."""
        await self._client.delete(self._head(partition))

    async def _write(
        self, partition: int, old: Head | None, new: Head, how: str, parts: Mapping[int, bytes]
    ) -> Head | None:
        keys = [self._head(partition), *(self._part(partition, number) for number in parts)]
        given = [part for number, lines in parts.items() for part in (lines, new.sizes[number])]
        before = old.encoded() if old is not None else b""
        written = await self._run("EVAL", _WRITE, len(keys), *keys, before, new.encoded(), how, *given)
        return new if written else None

    async def _run(self, *command: Any) -> Any:
        return await self._client.execute_command(*command, **_AS_BYTES)  # type: ignore[no-untyped-call]
