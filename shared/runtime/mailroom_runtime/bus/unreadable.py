"""A batch that cannot be read stops its partition, and nothing else: not the consumer, not its other partitions.

aiokafka 0.14 raises whatever its decoder raises (an unknown codec, a CRC that does not match, a header name that is not
UTF-8) out of `getmany`, where it looks as if Kafka were away, and hands out nothing of that fetch, however often it is
asked. Here the records before it are handed out, then the partition is paused and listed in `stops()`. `skipping` tells
of it and steps over what a person gives up.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from .aiokafka_private import contain_unreadable, position_of


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
    state: Any  # aiokafka's, of the assigned partition
    loop: asyncio.AbstractEventLoop

    def step_over(self, offset: int) -> None:
        """Go on at `offset`; may be called from any thread."""
        self.loop.call_soon_threadsafe(self._go_on, offset)

    def _go_on(self, offset: int) -> None:
        self.state.seek(offset)
        self.state.resume()


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
            if assignment.active and stop.state.paused and position_of(stop.state) == stop.what.offset:
                yield stop


def contain() -> None:
    """Make the change, once per process."""
    contain_unreadable(_stop)


def reason_of(error: Exception) -> str:
    """What a decoder said, for people."""
    return f"{type(error).__name__}: {error}"[:200]


def _stop(assignment: Any, tp: TopicPartition, error: Exception) -> None:
    state = assignment.state_value(tp)
    state.pause()
    what = Unreadable(tp.topic, tp.partition, int(state.position), reason_of(error))
    _stopped.setdefault(assignment, {})[tp] = Stop(what, state, asyncio.get_running_loop())
