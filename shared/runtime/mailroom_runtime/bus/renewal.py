"""An idempotent aiokafka producer that is replaced by a new one when it has failed a record.

aiokafka 0.14 gives a batch its sequence number and then drops it where the partition has no leader for longer than the
request time-out, or where the broker refuses it for good: the number is missing from then on, and the broker refuses
everything that this producer sends to the partition (OutOfOrderSequenceNumber), until the process is started again.
A new producer has another producer id and begins at 0 (KIP-98).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import end, lasting

from .aiokafka_private import can_send, give_up

log = get_logger()
FLUSH_S = 0.2  # what the old one still has for partitions that work is written by then
PAUSE_S = 1.0  # between two replacements
AGAIN_S = 1.0


class RenewedProducer:
    """Sends through one aiokafka producer at a time; `make` gives another, not started yet.

    A record that was not acknowledged when its producer is given up fails, and is never written after it.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self._producer: AIOKafkaProducer | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewed_at = float("-inf")
        self._open = asyncio.Event()
        self._open.set()

    async def start(self) -> None:
        """Connect; waits for Kafka as long as it takes."""
        self._producer = await self._started()

    async def close(self) -> None:
        """Send what waits, then disconnect."""
        if self._renewing is not None:
            await end(self._renewing)
        if self._producer is not None:
            await self._producer.stop()

    def partitions_of(self, name: str) -> int:
        """How many partitions a topic has, as far as is known; else 0."""
        return len(self._producer.client.cluster.partitions_for_topic(name) or ()) if self._producer is not None else 0

    async def send(self, name: str, **record: Any) -> asyncio.Future[Any]:
        """Queue a record. The future ends when all replicas have it, or with a `KafkaError`."""
        await self._open.wait()
        if (producer := self._producer) is None:
            raise KafkaError("not connected yet")
        try:
            future: asyncio.Future[Any] = await producer.send(name, **record)
        except KafkaError as error:
            if not can_send(producer):
                self._renew(producer, error)
            raise
        future.add_done_callback(partial(self._ended, producer))
        # who waits no longer must not cancel it: it would not be seen how it ends
        return asyncio.shield(future)

    def _ended(self, producer: AIOKafkaProducer, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._renew(producer, error)

    def _renew(self, failed: AIOKafkaProducer, error: BaseException) -> None:
        if failed is self._producer and (self._renewing is None or self._renewing.done()):
            log.warning("producer.failed", error=type(error).__name__, reason=str(error)[:200])
            name = type(error).__name__
            self._renewing = lasting(lambda: self._replace(failed, name), "renew-producer", again=True)

    async def _replace(self, old: AIOKafkaProducer, error: str) -> None:
        await asyncio.sleep(self._renewed_at + PAUSE_S - time.monotonic())
        new = await self._started()
        self._open.clear()
        try:
            await _abandoned(old)
        finally:
            self._producer, self._renewed_at = new, time.monotonic()
            self._open.set()
        log.warning("producer.replaced", after=error)
        metrics.counter(
            "mailroom_producers_replaced_total", "Kafka producers given up for a new one", ["error"]
        ).labels(error).inc()

    async def _started(self) -> AIOKafkaProducer:
        while True:
            producer = self._make()
            try:
                await producer.start()
            except KafkaError:
                await producer.stop()
                await asyncio.sleep(AGAIN_S)
            except BaseException:
                await producer.stop()
                raise
            else:
                return producer


async def _abandoned(producer: AIOKafkaProducer) -> None:
    """Nothing is sent by it any more; what was not acknowledged fails. `stop` alone would wait for what cannot be sent."""
    try:
        async with asyncio.timeout(FLUSH_S):
            await producer.flush()
    except (TimeoutError, KafkaError):
        pass  # which records those are is told to who waits for them, below
    await give_up(producer, KafkaError("the producer was replaced before it was written"), within_s=AGAIN_S)
    try:
        async with asyncio.timeout(AGAIN_S):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("producer.not_closed", error=type(error).__name__)
