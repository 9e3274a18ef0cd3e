"""Watches ticket.events as a subscriber does: which mails became messages of tickets, and when. Reads headers only."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import header, topics
from mailroom_runtime.bus.kafka import partitions_for


class TicketWatch:
    """From the end of the topic, as it was on entering, on."""

    def __init__(
        self, bootstrap: str, *, prefix: str = "mailroom", wait_ms: int = 100, together_bytes: int = 1
    ) -> None:
        """`together_bytes` are gathered for up to `wait_ms`: where nothing is timed, watching should cost little."""
        self.seen: dict[str, float] = {}  # receipt id: when its event was read (seconds since the epoch)
        self.events = 0
        self.messages = 0
        self.last_at = 0.0  # when the last mail became a message
        self.last_event_at = 0.0
        self._name = topics.TICKET_EVENTS.full_name(prefix)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_committed",
            fetch_max_wait_ms=wait_ms, fetch_min_bytes=together_bytes, max_partition_fetch_bytes=4 << 20,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        parts = [TopicPartition(self._name, n) for n in await partitions_for(self._consumer, self._name)]
        self._consumer.assign(parts)
        await self._consumer.seek_to_end(*parts)
        for part in parts:
            await self._consumer.position(part)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def _read(self, timeout_ms: int) -> bool:
        batches = await self._consumer.getmany(timeout_ms=timeout_ms)
        now = time.time()
        for records in batches.values():
            for record in records:
                self.events += 1
                self.last_event_at = now
                if header(record.headers, "ce_type") == "ticket.message_added":
                    cause = header(record.headers, "ce_causationid") or ""
                    if cause not in self.seen:
                        self.last_at = now
                    self.seen.setdefault(cause, now)
                    self.messages += 1
        return bool(batches)

    async def until(self, count: int, *, timeout_s: float) -> None:
        """Until so many mails are messages. Raises TimeoutError."""
        end = time.monotonic() + timeout_s
        while len(self.seen) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self.seen)} of {count} mails became messages within {timeout_s:.0f} s")
            await self._read(200)

    async def quiet(self, seconds: float, *, most_s: float = 600.0) -> None:
        """Until no event came for so long."""
        end, last = time.monotonic() + most_s, time.monotonic()
        while time.monotonic() - last < seconds and time.monotonic() < end:
            if await self._read(200):
                last = time.monotonic()
