"""Reading `ticket.events` while its partitions are written anew (docs/subscribing.md, "When the log is renewed").

A renewed partition holds copies of everything that stays, and begins with them. Who read the originals passes over the
copies; who was behind when the originals were deleted goes on at the beginning, and takes those copies that are new to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from mailroom_contracts import copy_of

from mailroom_runtime.process.logs import get_logger

log = get_logger()


@dataclass(frozen=True, slots=True)
class Missed:
    """The offsets from `first` up to before `end` were deleted before they were read."""

    first: int = 0
    end: int = 0

    def is_new(self, headers: Iterable[tuple[str, bytes]] | None) -> bool:
        """Whether the record is to be worked on: none that is a copy of what was read."""
        original = copy_of(headers)
        return original is None or self.first <= original < self.end


NOTHING = Missed()


class Copies:
    """What a member of a group missed of each partition, as long as it runs.

    A restart forgets it: what is missed then is what a group missed that was behind a whole renewal, and was stopped
    again before it had caught up.
    """

    def __init__(self, topic: str) -> None:
        """`topic`: the full name."""
        self._topic = topic
        self._missed: dict[TopicPartition, Missed] = {}

    def is_new(self, tp: TopicPartition, headers: Iterable[tuple[str, bytes]] | None) -> bool:
        """Whether a record of the partition is to be worked on."""
        return tp.topic != self._topic or self._missed.get(tp, NOTHING).is_new(headers)

    async def go_on(self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        """Go on at the beginning of what was renewed. Raises the error where that is not why."""
        offsets: dict[TopicPartition, int] = error.args[0]
        begins = await consumer.beginning_offsets(list(offsets))
        for tp, offset in offsets.items():
            if tp.topic != self._topic or begins[tp] <= offset:
                raise error
            log.warning("consume.renewed", topic=tp.topic, partition=tp.partition, offset=offset, begins=begins[tp])
            self._missed[tp] = Missed(offset, begins[tp])
            consumer.seek(tp, begins[tp])
