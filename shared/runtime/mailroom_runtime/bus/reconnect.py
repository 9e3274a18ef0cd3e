"""Keeps aiokafka from trying a closed port without pause (168,000 log lines in 8 s were seen, DESIGN section 10).

aiokafka 0.14 answers a failed connection with a metadata update, which asks for a connection at once. Here every
failed try of a node delays the next one: 0.1 s at first, doubled up to 2 s, back to none after a success.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient

FIRST_S = 0.1
LONGEST_S = 2.0


def tame() -> None:
    """Make the change, once per process."""
    original = AIOKafkaClient._get_conn
    if getattr(original, "tamed", False):
        return

    async def get_conn(self: Any, node_id: Any, **kwargs: Any) -> Any:
        waits: dict[Any, float] = self.__dict__.setdefault("_mailroom_waits", {})
        locks: dict[Any, asyncio.Lock] = self.__dict__.setdefault("_mailroom_locks", {})
        if node_id not in waits:
            connection = await original(self, node_id, **kwargs)
            if connection is None:
                waits[node_id] = FIRST_S
            return connection
        # one try at a time for a node that failed: callers queue up behind its pause
        async with locks.setdefault(node_id, asyncio.Lock()):
            if node_id in waits:
                await asyncio.sleep(waits[node_id])
            connection = await original(self, node_id, **kwargs)
            if connection is None:
                waits[node_id] = min(waits.get(node_id, FIRST_S) * 2, LONGEST_S)
            else:
                waits.pop(node_id, None)
            return connection

    get_conn.tamed = True  # type: ignore[attr-defined]
    AIOKafkaClient._get_conn = get_conn
