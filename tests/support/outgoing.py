"""What outbound's tests share: an installation with topics, orders to send, and reports to read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from mailroom_contracts import (
    Address,
    AddressStatus,
    DeliveryReport,
    LaneEntry,
    OutboundMail,
    Person,
    Portal,
    SmtpAccount,
    topics,
)
from mailroom_contracts.topics import Topic
from mailroom_runtime.bus import topic_admin
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.seals.sealing import Sealer

from support.topics import delete_topics, messages_so_far
from support.waiting import eventually

SECRET_KEYS = "k1:" + "QUFB" * 10 + "QUFBQQ=="


class Installation:
    """Topics under a prefix, one portal, and what outbound said. Orders get increasing times, so their order is known."""

    def __init__(self, settings: ServiceSettings, producer: Producer, folder: str) -> None:
        self.settings, self.producer = settings, producer
        self.sealer = Sealer(settings.secret_ring())
        self.env = {
            "MAILROOM_KAFKA": settings.kafka,
            "MAILROOM_REDIS": settings.redis,
            "MAILROOM_TOPIC_PREFIX": settings.topic_prefix,
            "MAILROOM_PARTITIONS": str(settings.partitions),
            "MAILROOM_SECRET_KEYS": SECRET_KEYS,
            "MAILROOM_DATA": folder,
            "MAILROOM_RETRY_FIRST_S": "0.5",
            "MAILROOM_LANE_RETRY_FIRST_S": "0.5",
        }

    async def address(self, key: str, *, kind: str = "internal", password: str | None = None, **fields: Any) -> Address:
        """Publish an address; `smtp` fields as a dict."""
        smtp = fields.pop("smtp", None)
        if smtp is not None:
            sealed = self.sealer.seal(password, bound_to=key) if password is not None else None
            smtp = SmtpAccount(**{"secret": sealed, "username": "", **smtp})
        fields.setdefault("email", f"{key}@acme.example")
        address = Address(id=key, portal_id="p1", kind=kind, queue_id="q1", full_name="Acme", smtp=smtp, **fields)
        await self.producer.send(topics.ADDRESSES, address)
        return address

    async def send(self, number: int | str, address: str, to: str | list[str], **fields: Any) -> OutboundMail:
        """Order a mail."""
        order = order_of(number, address, to, **fields)
        await self.producer.send(topics.EMAIL_OUTBOUND, order)
        return order

    async def read(self, topic: Topic) -> list[Any]:
        """Every record of a topic so far, per partition in order; tombstones as (key, None)."""
        return [item async for item in messages_so_far(self.settings, topic)]

    async def reports(self, outbound_id: str | None = None) -> list[DeliveryReport]:
        found = [r for r in await self.read(topics.EMAIL_DELIVERY) if isinstance(r, DeliveryReport)]
        return [r for r in found if outbound_id is None or r.outbound_id == outbound_id]

    async def states(self, outbound_id: str) -> list[str]:
        return [r.state for r in await self.reports(outbound_id)]

    async def nothing_waits(self, within_s: float = 15) -> None:
        """Wait until no mail is left in the lanes: a mail's end is reported first, and leaves its lane a moment later."""

        async def empty() -> bool:
            return not await self.lanes()

        await eventually(empty, within_s, what="the end of all that waited")

    async def lanes(self) -> dict[str, LaneEntry]:
        """What waits, as the compacted topic says it."""
        waiting: dict[str, LaneEntry] = {}
        for item in await self.read(topics.EMAIL_LANES):
            if isinstance(item, LaneEntry):
                waiting[item.outbound_id] = item
            else:
                waiting.pop(item[0], None)
        return waiting

    async def read_entries(self) -> list[LaneEntry]:
        """Every lane entry that was ever written."""
        return [item for item in await self.read(topics.EMAIL_LANES) if isinstance(item, LaneEntry)]

    async def status(self, address: str) -> AddressStatus | None:
        found = [s for s in await self.read(topics.ADDRESS_STATUS) if s.address_id == address and s.aspect == "sending"]
        return found[-1] if found else None


def order_of(number: int | str, address: str, to: str | list[str], **fields: Any) -> OutboundMail:
    """An order with id `oN` on ticket `tN`."""
    values: dict[str, Any] = {
        "id": f"o{number}", "portal_id": "p1", "ticket_id": f"t{number}", "message_id": f"m{number}",
        "address_id": address, "kind": "reply", "subject": f"Mail {number}", "text": f"This is mail {number}.",
        "to": [Person(email=email) for email in ([to] if isinstance(to, str) else to)],
        "rfc_message_id": f"m{number}@acme.example", "created_at": datetime.now(UTC),
    }  # fmt: skip
    return OutboundMail(**{**values, **fields})


@asynccontextmanager
async def installation(
    kafka: str, redis: str, prefix: str, folder: str, partitions: int = 2
) -> AsyncIterator[Installation]:
    """Topics with started groups, and the portal."""
    settings = ServiceSettings(
        kafka=kafka, redis=redis, topic_prefix=prefix, partitions=partitions, secret_keys=SECRET_KEYS  # type: ignore[arg-type]
    )  # fmt: skip
    await topic_admin.create(settings)
    async with Producer(settings, source="router") as producer:
        await producer.send(topics.PORTALS, Portal(id="p1", name="Acme", domains=["acme.example"]))
        yield Installation(settings, producer, folder)
    await delete_topics(kafka, prefix)
