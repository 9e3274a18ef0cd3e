"""A producer of which there is one: whoever opens it last is the one, and Kafka takes nothing of the others any more.

Transactions under one name (KIP-98): opening ends what the one before left open, and raises the epoch, so that a process
that was paused, or cut off from what says who may write, cannot write late.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    TransactionalIdAuthorizationFailed,
)
from mailroom_contracts import Record

from mailroom_runtime.process.settings import ServiceSettings

from .connection import connection
from .kafka import BusDown, RecordTooLarge, partition_of

CONNECT_S = 30.0
TIMEOUT_MS = 30_000  # of a transaction whose writer is gone and has no successor


class Fenced(BusDown):
    """Another process opened it: nothing of this was written."""


class NotAllowed(Exception):
    """The user has no right to transactions under this name."""


class FencedProducer:
    """`name`: of what there is one only, within the installation: `console.outbox`."""

    def __init__(self, settings: ServiceSettings, name: str) -> None:
        self._settings, self._id = settings, f"{settings.topic_prefix}.{name}"
        self._producer: AIOKafkaProducer | None = None

    @property
    def is_open(self) -> bool:
        return self._producer is not None

    async def open(self) -> None:
        """Be the one from here on. Raises `BusDown`, `NotAllowed`."""
        await self.close()
        made = AIOKafkaProducer(
            **connection(self._settings), transactional_id=self._id, transaction_timeout_ms=TIMEOUT_MS, acks="all",
            linger_ms=0, max_request_size=1_000_000, request_timeout_ms=10_000, client_id=f"mailroom-{self._id}",
        )  # fmt: skip
        try:
            async with asyncio.timeout(CONNECT_S):
                await made.start()
        except BaseException as error:
            with contextlib.suppress(KafkaError):
                await made.stop()
            if isinstance(error, TransactionalIdAuthorizationFailed):
                raise NotAllowed(self._id) from error
            if isinstance(error, KafkaError | TimeoutError):
                raise BusDown(f"no transactional producer: {type(error).__name__}") from error
            raise
        self._producer = made

    async def close(self) -> None:
        """Disconnect; a transaction that is open comes to nothing."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(5):
                    await producer.stop()

    async def write(self, records: Sequence[Record]) -> None:
        """All of them in this order, or none. Raises `Fenced`, `BusDown`, and `RecordTooLarge`; after each it is closed,
        but for a `RecordTooLarge`."""
        producer = self._producer
        if producer is None:
            raise BusDown("not open")
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._transaction(producer, records)
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(f"one of {len(records)} records") from error
        except (ProducerFenced, InvalidProducerEpoch) as error:
            await self.close()
            raise Fenced(self._id) from error
        except (KafkaError, TimeoutError) as error:
            await self.close()
            raise BusDown(f"Kafka did not take the records: {type(error).__name__}") from error
        except BaseException:
            await self.close()
            raise

    async def _transaction(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
        await producer.begin_transaction()
        futures: list[asyncio.Future[Any]] = []
        try:
            for record in records:
                name = record.topic.full_name(self._settings.topic_prefix)
                parts = await producer.partitions_for(name)
                partition = partition_of(record.key, len(parts)) if record.key is not None and parts else None
                futures.append(
                    await producer.send(
                        name, value=record.value, key=record.key, headers=record.headers, partition=partition
                    )
                )
        except MessageSizeTooLargeError:
            await asyncio.gather(*futures, return_exceptions=True)
            await producer.abort_transaction()
            raise
        # each is waited for: of what fails first, aiokafka says why in its future alone
        for outcome in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(outcome, MessageSizeTooLargeError):  # the broker's own limit may be lower than ours
                await producer.abort_transaction()
            if isinstance(outcome, BaseException):
                raise outcome
        await producer.commit_transaction()
