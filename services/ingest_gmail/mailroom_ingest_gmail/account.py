"""One account's reading: a step at a time, the cursor moved only after Kafka acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mailroom_contracts import Address, AddressStatus, GmailCursor, topics
from mailroom_gmail import Expired, GmailClient, GmailTrouble, RawMessage, Refused
from mailroom_gmail.client import UNITS
from mailroom_runtime import metrics
from mailroom_runtime.blobs import BlobStore
from mailroom_runtime.kafka import BusDown, Producer
from mailroom_runtime.logs import get_logger
from mailroom_runtime.tracing import new_traceparent

from .mailbox import received
from .plan import (
    Begin,
    Follow,
    begun,
    expired,
    followed,
    listed,
    listed_some,
    next_step,
    wanted,
)  # fmt: skip
from .quota import Bucket

log = get_logger()
CHUNK = 50
SYNCING_FROM = 100  # shorter work needs no progress bar


class Account:
    """Reads one Gmail address. `step` raises `GmailTrouble`, `BusDown` or `BlobsDown`; nothing is lost by that."""

    def __init__(
        self,
        address: Address,
        cursor: GmailCursor | None,
        client: GmailClient,
        *,
        producer: Producer,
        blobs: BlobStore,
        our_keys: Mapping[str, bytes],
        inline_limit: int,
        units_per_second: float,
    ) -> None:
        self.address, self.cursor = address, cursor
        self._client, self._producer, self._blobs = client, producer, blobs
        self._our_keys, self._inline_limit = our_keys, inline_limit
        self._bucket = Bucket(units_per_second, time.monotonic())
        self._state: str | None = None

    @property
    def labels(self) -> list[str]:
        return self.address.gmail.label_ids if self.address.gmail is not None else ["INBOX"]

    async def step(self) -> int:
        """One look at the inbox; how many messages were published."""
        doing = next_step(self.address, self.cursor)
        if isinstance(doing, Begin):
            await self._spend("profile")
            _, present = await self._client.profile()
            await self._move(begun(self.address, present, datetime.now(UTC)))
            published = 0
        elif isinstance(doing, Follow):
            published = await self._follow(doing.history_id)
        else:
            published = await self._list(doing.query)
        await self.say("ok")
        return published

    async def say(
        self, state: str, reason: str | None = None, *, done: int | None = None, total: int | None = None
    ) -> None:
        """Publish how the address stands, when that changed."""
        if state == self._state and done is None:
            return
        self._state = state
        status = AddressStatus(
            address_id=self.address.id,
            portal_id=self.address.portal_id,
            aspect="receiving",
            state=state,
            reason=reason,
            since=datetime.now(UTC),
            done=done,
            total=total,
        )
        await self._producer.send(topics.ADDRESS_STATUS, status)

    async def _follow(self, since: str) -> int:
        assert self.cursor is not None
        page: str | None = None
        published = 0
        while True:
            await self._spend("history")
            try:
                found = await self._client.history(since, self.labels, page)
            except Expired:
                log.warning("gmail.history_expired", address_id=self.address.id)
                await self._spend("profile")
                _, present = await self._client.profile()
                await self._move(expired(self.cursor, present, datetime.now(UTC)))
                return published
            ids = [message_id for message_id, labels in found.added if wanted(labels, self.labels)]
            published += await self._publish(ids)
            page = found.next_page
            if page is None:
                if found.history_id != since:
                    await self._move(followed(self.cursor, found.history_id, datetime.now(UTC)))
                return published

    async def _list(self, query: str) -> int:
        """A bounded full listing. Gmail lists newest first; what waited longest is published first."""
        assert self.cursor is not None
        ids: list[str] = []
        page: str | None = None
        while True:
            await self._spend("list")
            found = await self._client.listing(query, (), page)
            ids += found.ids
            page = found.next_page
            if page is None:
                break
        ids.reverse()
        total, published = len(ids), 0
        for start in range(0, total, CHUNK):
            chunk = ids[start : start + CHUNK]
            newest = await self._publish_listed(chunk)
            published += len(chunk)
            await self._move(listed_some(self.cursor, len(chunk), newest))
            if total >= SYNCING_FROM:
                await self.say("syncing", done=published, total=total)
        await self._move(listed(self.cursor, datetime.now(UTC)))
        log.info("gmail.listed", address_id=self.address.id, messages=total)
        return published

    async def _publish_listed(self, ids: Sequence[str]) -> int:
        messages = await self._fetch(ids)
        await self._send([m for m in messages if wanted(m.label_ids, self.labels)])
        return max((m.internal_ms for m in messages), default=0)

    async def _publish(self, ids: Sequence[str]) -> int:
        published = 0
        for start in range(0, len(ids), CHUNK):
            messages = await self._fetch(ids[start : start + CHUNK])
            # labels may have changed since the history entry was written: what counts is where it lies now
            await self._send([m for m in messages if wanted(m.label_ids, self.labels)])
            published += len(messages)
        return published

    async def _fetch(self, ids: Sequence[str]) -> list[RawMessage]:
        """The messages, oldest first; those that are gone by now are left out, any other trouble is raised."""
        if not ids:
            return []
        await self._spend("get", len(ids))
        found: list[RawMessage] = []
        for message_id, answer in (await self._client.raw(ids)).items():
            if isinstance(answer, RawMessage):
                found.append(answer)
            elif isinstance(answer, Expired | Refused):
                log.info("gmail.message_gone", address_id=self.address.id, gmail_id=message_id)
            elif isinstance(answer, GmailTrouble):
                raise answer
        return sorted(found, key=lambda m: m.internal_ms)

    async def _send(self, messages: Sequence[RawMessage]) -> None:
        events = await asyncio.gather(
            *(
                received(
                    message,
                    self.address,
                    blobs=self._blobs,
                    inline_limit=self._inline_limit,
                    now=datetime.now(UTC),
                    our_keys=self._our_keys,
                )
                for message in messages
            )
        )
        waiting = []
        for event in events:
            if event is None:
                continue
            waiting.append(await self._producer.post(topics.EMAIL_RECEIVED, event, traceparent=new_traceparent()))
            log.info("mail.accepted", receipt_id=event.id, address_id=self.address.id, source="gmail")
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), 30)
        except TimeoutError:
            raise BusDown("Kafka did not answer in time") from None
        metrics.counter("mailroom_mail_accepted_total", "Mails accepted", ["source"]).labels("gmail").inc(len(waiting))

    async def _move(self, cursor: GmailCursor) -> None:
        await self._producer.send(topics.GMAIL_CURSORS, cursor)
        self.cursor = cursor

    async def _spend(self, method: str, times: int = 1) -> None:
        units = UNITS[method] * times
        metrics.counter("mailroom_gmail_quota_units_total", "Google quota units spent", ["address_id"]).labels(
            self.address.id
        ).inc(units)
        wait = self._bucket.take(units, time.monotonic())
        if wait > 0:
            await asyncio.sleep(wait)
