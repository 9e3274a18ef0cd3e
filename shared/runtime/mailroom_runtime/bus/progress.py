"""Whether every Kafka consumer of a process gets on: one that does not, while records wait, is told by its health.

Looked at from outside, since what stands still cannot say so: which consumers there are and how often each asks for
records is noted where aiokafka hands them out (as in `unreadable`), where the topics end is asked by a client of its own.
What a consumer was given counts as done when it asks for more; what it has paused waits for reasons of its own.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError

from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings

from .aiokafka_private import client_of, group_of, subscribed, subscription_of
from .connection import connection
from .standstill import Standstill
from .unreadable import unreadable_in

log = get_logger()
LOOK_EVERY_S = 5.0
STILL_S = 18.0  # with what a look takes, health has turned within 30 s
CONDITION = "consumers"


@dataclass(slots=True)
class _Account:
    """What is known of one consumer: how far it had been given records when it asked for more."""

    done: dict[TopicPartition, int] = field(default_factory=dict)


_consumers: weakref.WeakKeyDictionary[Any, _Account] = weakref.WeakKeyDictionary()
_fetchers: weakref.WeakKeyDictionary[Any, _Account] = weakref.WeakKeyDictionary()


def note_consumers() -> None:
    """Begin to note the consumers of this process, once."""
    if getattr(AIOKafkaConsumer.start, "noted", False):
        return
    start, stop = AIOKafkaConsumer.start, AIOKafkaConsumer.stop
    fetched_records, next_record = Fetcher.fetched_records, Fetcher.next_record

    async def started(self: Any) -> None:
        await start(self)
        _consumers[self] = _fetchers[self._fetcher] = _Account()

    async def stopped(self: Any) -> None:
        _consumers.pop(self, None)
        await stop(self)

    async def many(self: Any, *args: Any, **kwargs: Any) -> Any:
        _turn(self)
        try:
            found = await fetched_records(self, *args, **kwargs)
        except KafkaError as error:
            _count_error(self, error)
            raise
        for tp, records in found.items():
            _records.labels(tp.topic).inc(len(records))
        return found

    async def one(self: Any, *args: Any, **kwargs: Any) -> Any:
        _turn(self)
        record = await next_record(self, *args, **kwargs)
        _records.labels(record.topic).inc()
        return record

    _records = metrics.counter("mailroom_consumed_total", "Records that this process was given", ["topic"])
    started.noted = True  # type: ignore[attr-defined]
    AIOKafkaConsumer.start, AIOKafkaConsumer.stop = started, stopped
    Fetcher.fetched_records, Fetcher.next_record = many, one


def _turn(fetcher: Any) -> None:
    account = _fetchers.get(fetcher)
    subscription = subscription_of(fetcher)
    if account is not None and subscription is not None and (assignment := subscription.assignment) is not None:
        states = ((tp, assignment.state_value(tp)) for tp in assignment.tps)
        account.done = {tp: state.position if state.has_valid_position else -1 for tp, state in states}


def _count_error(fetcher: Any, error: KafkaError) -> None:
    metrics.counter("mailroom_consumer_errors_total", "Errors while records were asked for", ["error"]).labels(
        type(error).__name__
    ).inc()


class Watch:
    """Looks again and again; `look` gives what stands still, in words."""

    def __init__(self, settings: ServiceSettings, still_s: float = STILL_S) -> None:
        self._settings = settings
        self._still: Standstill[tuple[str, str, int]] = Standstill(still_s)
        self._asking: AIOKafkaConsumer | None = None

    async def look(self, now: float) -> list[str]:
        """What stands still. Raises KafkaError or TimeoutError."""
        done: dict[tuple[str, str, int], int] = {}
        unassigned: dict[str, set[str]] = {}
        for consumer, account in list(_consumers.items()):
            if consumer is not self._asking:
                done |= self._done(consumer, account, unassigned)
        for group, topics in unassigned.items():
            done |= await self._committed(group, topics)
        ends = await self._ends({TopicPartition(topic, number) for _, topic, number in done})
        wanted = {key: end for key in done if (end := ends.get(TopicPartition(key[1], key[2])))}
        return [
            f"{name} has taken nothing of {topic} partition {number} from offset {done[name, topic, number]} on for "
            f"{STILL_S:g} s, and {wanted[name, topic, number] - done[name, topic, number]} records wait"
            for name, topic, number in self._still.look(done, wanted, now)
        ]

    def _done(
        self, consumer: Any, account: _Account, unassigned: dict[str, set[str]]
    ) -> dict[tuple[str, str, int], int]:
        """By (who reads, topic, partition): how far that is done. What is paused waits for its reader's own reasons."""
        subscription = subscribed(consumer)
        if subscription is None:
            return {}
        assignment, group = subscription.assignment, group_of(consumer)
        parts = assignment.tps if assignment is not None else ()
        if not parts:
            if group is not None:
                unassigned.setdefault(group, set()).update(subscription.topics)
            return {}
        who = group or client_of(consumer)
        found: dict[tuple[str, str, int], int] = {}
        for tp in parts:
            if tp in account.done and not assignment.state_value(tp).paused and unreadable_in(tp) is None:
                found[who, tp.topic, tp.partition] = account.done[tp]
                metrics.gauge(
                    "mailroom_consumer_position",
                    "Offset that a consumer goes on from",
                    ["reader", "topic", "partition"],
                ).labels(who, tp.topic, tp.partition).set(account.done[tp])
        return found

    async def _committed(self, group: str, topics: Iterable[str]) -> dict[tuple[str, str, int], int]:
        """How far a group is of which we have nothing: when nobody has anything, it stands still."""
        admin = AIOKafkaAdminClient(**connection(self._settings))
        try:
            await admin.start()
            offsets = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return {(group, tp.topic, tp.partition): int(o.offset) for tp, o in offsets.items() if tp.topic in set(topics)}

    async def _ends(self, parts: set[TopicPartition]) -> dict[TopicPartition, int]:
        if not parts:
            return {}
        if self._asking is None:
            # of what is committed: what stands behind an open transaction waits for that, not for its reader
            self._asking = AIOKafkaConsumer(
                **connection(self._settings), enable_auto_commit=False, isolation_level="read_committed"
            )
            await self._asking.start()
        async with asyncio.timeout(10):
            return dict(await self._asking.end_offsets(list(parts)))

    async def close(self) -> None:
        """Disconnect, and count anew from the next look on."""
        asking, self._asking = self._asking, None
        self._still.forget()
        if asking is not None:
            await asking.stop()


async def watch(service: Service[Any]) -> None:
    """Say what stands still, and when Kafka has not answered for too long; never ends."""
    looking = Watch(service.settings)
    answered_at = time.monotonic()
    try:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                still = await looking.look(time.monotonic())
            except (KafkaError, OSError, TimeoutError) as error:
                log.debug("progress.unknown", error=type(error).__name__)
                await looking.close()
                if (away_s := time.monotonic() - answered_at) > STILL_S:
                    service.health.set(CONDITION, False, f"Kafka has not answered for {away_s:.0f} s")
                continue
            answered_at = time.monotonic()
            service.health.set(CONDITION, not still, "; ".join(still[:3]))
    finally:
        await looking.close()
