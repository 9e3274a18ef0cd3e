"""Takes orders over from email.outbound: each becomes an entry of its account's lane."""

from __future__ import annotations

from datetime import UTC, datetime

from mailroom_contracts import OutboundMail, encode, topics
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.consume import Inbound, Poison
from mailroom_runtime.bus.kafka import Producer, RecordTooLarge

from . import lane
from .bodies import without_body
from .records import SOURCE, lane_partition


class Orders:
    """Copies orders. The same order again gives the same entry again, which its lane knows already."""

    def __init__(self, producer: Producer, blobs: BlobStore, *, partitions: int) -> None:
        self._producer, self._blobs, self._partitions = producer, blobs, partitions

    async def handle(self, inbound: Inbound) -> None:
        """One order. Raises `Poison`, `BusDown`, `BlobsDown`."""
        order = inbound.message
        if not isinstance(order, OutboundMail):
            raise Poison("this is not an order")
        if order.action not in ("send", "cancel"):
            raise Poison(f"an order cannot {order.action!r}: this version knows send and cancel")
        if order.action == "send":
            order = await without_body(order, self._blobs)
        entry = lane.queued(order, datetime.now(UTC))
        record = encode(
            topics.EMAIL_LANES, entry, source=SOURCE, causation_id=order.id, traceparent=inbound.traceparent
        )  # fmt: skip
        try:
            await self._producer.send_record(record, partition=lane_partition(order.address_id, self._partitions))
        except RecordTooLarge as error:
            raise Poison(str(error)) from error
