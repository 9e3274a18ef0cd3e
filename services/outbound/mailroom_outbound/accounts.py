"""How sending accounts stand, as the topic address.status shows it: ok, or needs attention since when and why."""

from __future__ import annotations

from datetime import datetime

from mailroom_contracts import AddressStatus, Undecodable, decode, topics
from mailroom_runtime.bus.kafka import BusDown, Producer, read_to_end
from mailroom_runtime.process.backoff import Backoff
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.settings import ServiceSettings

log = get_logger()
ASPECT = "sending"


class Accounts:
    """Publishes changes only; knows from the topic what was said before."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._broken: dict[str, AddressStatus] = {}

    async def load(self, settings: ServiceSettings) -> None:
        """Read what was said before. Raises KafkaError."""
        name = topics.ADDRESS_STATUS.full_name(settings.topic_prefix)
        async for record in read_to_end(settings, [name]):
            try:
                status = decode(topics.ADDRESS_STATUS, record.value, record.headers)
            except Undecodable as error:
                log.error("address.status_broken", offset=record.offset, error=str(error))
                continue
            if isinstance(status, AddressStatus) and status.aspect == ASPECT:
                self._note(status)

    def is_broken(self, address_id: str) -> bool:
        """Whether it was last said to need attention."""
        return address_id in self._broken

    async def broken(
        self, address_id: str, portal_id: str, reason: str, now: datetime, *, worked_at: datetime | None = None
    ) -> None:
        """The account refuses us. `since` stays that of the first time after `worked_at`, when a login worked."""
        before = self._broken.get(address_id)
        if before is not None and worked_at is not None and before.since < worked_at:
            before = None
        if before is None or before.reason != reason:
            since = before.since if before is not None else now
            await self._say(address_id, portal_id, "needs_attention", reason, since)

    async def works(self, address_id: str, portal_id: str, now: datetime) -> None:
        """The account took something."""
        if self.is_broken(address_id):
            await self._say(address_id, portal_id, "ok", None, now)

    def _note(self, status: AddressStatus) -> None:
        if status.state == "needs_attention":
            self._broken[status.address_id] = status
        else:
            self._broken.pop(status.address_id, None)

    async def _say(self, address_id: str, portal_id: str, state: str, reason: str | None, since: datetime) -> None:
        status = AddressStatus(
            address_id=address_id, portal_id=portal_id, aspect=ASPECT, state=state, reason=reason, since=since
        )
        self._note(status)
        log.info("address.sending_changed", address_id=address_id, state=state)
        backoff = Backoff()
        while True:
            try:
                await self._producer.send(topics.ADDRESS_STATUS, status)
            except BusDown:
                await backoff.wait()
            else:
                return
