"""A batch that cannot be read stops its partition, and nothing else: not the consumer, not its other partitions.

aiokafka 0.14 raises whatever its decoder raises (an unknown codec, a CRC that does not match, a header name that is not
UTF-8) out of `getmany`, where it looks as if Kafka were away; the next call passes over the records that were read of the
same fetch before it. Here the records before it are handed out, then the partition is paused and listed in `stops()`.
`skipping` tells of it and steps over what a person gives up.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import KafkaError


class UnreadableRecords(KafkaError):  # type: ignore[misc]
    """Not all of a topic could be read; the message says where it ends, for people."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What cannot be read: the first offset that was not handed out, and why."""

    topic: str
    partition: int
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.topic} partition {self.partition} offset {self.offset} cannot be read ({self.reason})"


@dataclass(frozen=True, slots=True)
class Stop:
    """A consumer's partition that stands before something unreadable."""

    what: Unreadable
    _state: Any
    _loop: asyncio.AbstractEventLoop

    def step_over(self, offset: int) -> None:
        """Go on at `offset`; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._go_on, offset)

    def _go_on(self, offset: int) -> None:
        self._state.seek(offset)
        self._state.resume()


_stopped: weakref.WeakKeyDictionary[Any, dict[TopicPartition, Stop]] = weakref.WeakKeyDictionary()


def stops() -> list[Stop]:
    """Of all consumers of this process, the partitions that stand still now."""
    return list(_standing())


def unreadable_in(tp: TopicPartition) -> Unreadable | None:
    """What a consumer of this process stands before in this partition."""
    return next((stop.what for stop in _standing() if (stop.what.topic, stop.what.partition) == tp), None)


def _standing() -> Iterator[Stop]:
    for assignment, found in list(_stopped.items()):
        for stop in list(found.values()):
            # taken away, or sought elsewhere by the consumer itself
            if assignment.active and stop._state.paused and stop._state._position == stop.what.offset:
                yield stop


def contain() -> None:
    """Make the change, once per process."""
    original = PartitionRecords._unpack_records
    if getattr(original, "contained", False):
        return
    update_position = FetchResult._update_position

    def unpack(self: Any) -> Iterator[Any]:
        self.unreadable = None
        try:
            yield from original(self)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises says one thing
            self.unreadable = error

    def update(self: Any) -> None:
        update_position(self)
        error = self._partition_records.unreadable
        if error is not None:
            _stop(self._assignment, self._topic_partition, error)

    unpack.contained = True  # type: ignore[attr-defined]
    PartitionRecords._unpack_records = unpack
    FetchResult._update_position = update


def reason_of(error: Exception) -> str:
    """What a decoder said, for people."""
    return f"{type(error).__name__}: {error}"[:200]


def _stop(assignment: Any, tp: TopicPartition, error: Exception) -> None:
    state = assignment.state_value(tp)
    state.pause()
    what = Unreadable(tp.topic, tp.partition, int(state.position), reason_of(error))
    _stopped.setdefault(assignment, {})[tp] = Stop(what, state, asyncio.get_running_loop())
