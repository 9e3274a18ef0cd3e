"""What is held in memory from compacted topics: how addresses stand, and the mail that waits to be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pydantic_core
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import AddressStatus, Undecodable, decode_as, topics
from mailroom_contracts.topics import Topic
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.gathering import Gathering
from mailroom_runtime.bus.kafka import partitions_for
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service

from mailroom_console.settings import ConsoleSettings

from .changes import Change, Changes

log = get_logger()
_NONE: Mapping[str, AddressStatus] = {}


class Live:
    """Follows `address.status` and `email.outbound.lanes` from their beginning; both are compacted and small."""

    def __init__(self, settings: ConsoleSettings, changes: Changes) -> None:
        self._settings, self.changes = settings, changes
        self._statuses: dict[str, dict[str, AddressStatus]] = {}
        self._lanes: dict[str, dict[str, Any]] = {}

    def status_of(self, address_id: str) -> Mapping[str, AddressStatus]:
        """What was said last of each aspect of the address."""
        return self._statuses.get(address_id, _NONE)

    def lanes(self, portal_id: str) -> list[dict[str, Any]]:
        """Outgoing mail of a portal that is not done, longest waiting first."""
        return sorted((r for r in self._lanes.values() if r["portal_id"] == portal_id), key=lambda r: r["queued_at"])

    async def run(self, service: Service[Any]) -> None:
        """Follow for ever."""
        service.health.set("live", False, "reading address.status and email.outbound.lanes")
        while True:
            consumer = AIOKafkaConsumer(
                **connection(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                client_id="mailroom-console-live",
            )
            try:
                await consumer.start()
                await self._read(service, consumer)
            except KafkaError as error:
                log.warning("live.interrupted", error=type(error).__name__)
                await asyncio.sleep(1)
            finally:
                await consumer.stop()

    async def _read(self, service: Service[Any], consumer: AIOKafkaConsumer) -> None:
        followed = {t.full_name(self._settings.topic_prefix): t for t in (topics.ADDRESS_STATUS, topics.EMAIL_LANES)}
        parts: list[TopicPartition] = []
        for name in followed:
            if not (found := await partitions_for(consumer, name)):
                service.health.set("live", False, f"the topic {name} is missing: run `mailroom topics create`")
                await asyncio.sleep(1)
                return
            parts += [TopicPartition(name, p) for p in found]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        behind = True
        # an outgoing mail has several records within a moment: read together, only its last one counts
        gathering = Gathering(consumer, many_per_s=100, wait_ms=200)
        while True:
            batches = await consumer.getmany(timeout_ms=2_000, max_records=5000)
            gathering.saw(batches)
            for tp, records in batches.items():
                # of several records of one key only the last counts
                latest = {record.key: record.value for record in records}
                for key, value in latest.items():
                    self._take(followed[tp.topic], (key or b"").decode("utf-8", "replace"), value)
            if behind:
                behind = any([await consumer.position(tp) < ends[tp] for tp in parts])
                if not behind:
                    service.health.set("live", True)

    def _take(self, topic: Topic, key: str, value: bytes | None) -> None:
        try:
            if topic is topics.ADDRESS_STATUS:
                self._status(key, None if value is None else decode_as(AddressStatus, value))
            else:
                self._lane(key, value)
        except (Undecodable, ValueError, KeyError, TypeError) as error:
            log.error("live.broken_record", topic=topic.name, key=key, error=type(error).__name__)

    def _status(self, key: str, status: AddressStatus | None) -> None:
        address_id, _, aspect = key.rpartition(":")
        if status is None:
            self._statuses.get(address_id, {}).pop(aspect, None)
            return
        self._statuses.setdefault(address_id, {})[aspect] = status
        self.changes.tell(Change(status.portal_id, "address", address_id))

    def _lane(self, key: str, value: bytes | None) -> None:
        if value is None:
            gone = self._lanes.pop(key, None)
            if gone is not None and self.changes.watched:
                self.changes.tell(Change(gone["portal_id"], "activity", key))
            return
        entry = pydantic_core.from_json(value)
        order = entry.get("order") or {}
        self._lanes[key] = {
            "outbound_id": key, "portal_id": entry["portal_id"], "address_id": entry["address_id"],
            "ticket_id": order.get("ticket_id"), "message_id": order.get("message_id"), "kind": order.get("kind"),
            "subject": order.get("subject", ""), "to": [p.get("email") for p in order.get("to", [])],
            "state": entry["state"], "attempts": entry.get("attempts", 0), "queued_at": entry["queued_at"],
            "next_try_at": entry.get("next_at"), "reason": entry.get("last_reason"),
        }  # fmt: skip
        if self.changes.watched:
            self.changes.tell(Change(entry["portal_id"], "activity", key))
