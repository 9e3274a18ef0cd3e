"""What a person gave up: records that no service can read, and that every service steps over."""

from __future__ import annotations

from .base import Message, Time, says


class RecordsSkipped(Message):
    """From `offset` up to before `next_offset` nothing of the partition is read; the bytes are a dead letter."""

    topic: str = says("Full name of the topic.", "mailroom.ticket.commands.v1")
    partition: int = says("Partition.", 3)
    offset: int = says("First offset that is passed over.", 17)
    next_offset: int = says("Where reading goes on.", 18)
    reason: str = says("Why it cannot be read.", "UnicodeDecodeError: invalid start byte", default="")
    at: Time = says("When it was decided.", "2026-11-30T09:00:00Z")

    @property
    def record_key(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def ce_id(self) -> str:
        return self.record_key

    @property
    def ce_type(self) -> str:
        return "records.skipped"

    @property
    def ce_time(self) -> Time:
        return self.at
