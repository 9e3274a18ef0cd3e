"""What the router's index in Valkey knows, for tests."""

from __future__ import annotations

from typing import Any

from mailroom_router.packed import FIND, split, spot, unpacked
from mailroom_router.redis_index import Index
from redis.client import NEVER_DECODE


async def known_by(client: Any, prefix: str, kind: str, name: str, portal: str = "p1") -> list[str]:
    """The tickets that the index names under this: `m` a message id, `n` a number, `g` a thread."""
    bucket, field = spot(kind, portal, name)
    key = Index(client, prefix, 35).bucket(bucket)
    (found,) = await client.execute_command("EVAL", FIND, 1, key, field, **{NEVER_DECODE: []})
    inline, more = found if isinstance(found, list) else (found or b"", [])
    return sorted([*split(inline), *map(unpacked, more)])
