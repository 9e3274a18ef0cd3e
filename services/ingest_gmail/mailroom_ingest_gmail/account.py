"""One account's reading: a step at a time, the cursor moved only after Kafka acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from mailroom_contracts import Address, AddressStatus, EmailReceived, GmailCursor, topics
from mailroom_gmail import Arrival, Expired, GmailClient, RawMessage
from mailroom_gmail.client import UNITS
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.kafka import BusDown, Producer
from mailroom_runtime.bus.tracing import new_traceparent
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from .fetching import Fetching, Room
from .mailbox import received
from .plan import (
    Begin,
    Follow,
    begun,
    expired,
    followed,
    is_import,
    listed,
    listed_some,
    next_step,
    since_of,
    wanted,
    worth_fetching,
)
from .quota import Bucket

log = get_logger()
ASPECT = "receiving"
SYNCING_FROM = 100  # shorter work needs no progress bar
READ_AT_ONCE = 8  # mails of one account that are read and stored at the same time


class Account:
    """Reads one Gmail address. `step` raises `GmailTrouble`, `BusDown` or `BlobsDown`; nothing is lost by that."""

    def __init__(
        self,
        address: Address,
        cursor: GmailCursor | None,
        said: AddressStatus | None,
        client: GmailClient,
        *,
        producer: Producer,
        blobs: BlobStore,
        our_keys: Mapping[str, bytes],
        inline_limit: int,
        units_per_second: float,
        everybody: Bucket,
        room: Room,
    ) -> None:
        self.address, self.cursor, self.said = address, cursor, said
        self._client, self._producer, self._blobs = client, producer, blobs
        self._our_keys, self._inline_limit = our_keys, inline_limit
        self._bucket, self._everybody = Bucket(units_per_second, time.monotonic()), everybody
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self._fetching = Fetching(address.id, client, room, self._spend)

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
        """Publish how the address stands, when that changed; `since` stays that of the first time."""
        said = self.said
        same = said is not None and said.state == state
        if said is not None and same and said.reason == reason and done is None:
            return
        status = AddressStatus(
            address_id=self.address.id,
            portal_id=self.address.portal_id,
            aspect=ASPECT,
            state=state,
            reason=reason,
            since=said.since if said is not None and same else datetime.now(UTC),
            done=done,
            total=total,
        )
        await self._producer.send(topics.ADDRESS_STATUS, status)
        self.said = status

    async def _follow(self, since: str) -> int:
        assert self.cursor is not None
        page: str | None = None
        published = 0
        asked_at = datetime.now(UTC)
        while True:
            await self._spend("history")
            try:
                found = await self._client.history(since, page)
            except Expired:
                log.warning("gmail.history_expired", address_id=self.address.id)
                await self._spend("profile")
                _, present = await self._client.profile()
                await self._move(expired(self.cursor, present))
                return published
            arrivals = worth_fetching(found.arrivals, self.labels)
            async with aclosing(self._fetching.fetched([a.id for a in arrivals])) as fetched:
                async for chunk_ids, messages in fetched:
                    chunk, rest = arrivals[: len(chunk_ids)], arrivals[len(chunk_ids) :]
                    await self._publish_arrivals(chunk, messages)
                    published += len(chunk)
                    if rest and rest[0].history_id != chunk[-1].history_id:
                        # what is published is not read again, should the rest fail
                        await self._move(followed(self.cursor, chunk[-1].history_id, asked_at))
                    if rest or found.next_page is not None:
                        await self._progress(published, published + len(rest), found.next_page is not None)
                    arrivals = rest
            page = found.next_page
            if page is None:
                if found.history_id != self.cursor.history_id:
                    await self._move(followed(self.cursor, found.history_id, asked_at))
                return published

    async def _list(self, query: str) -> int:
        """A bounded full listing. Gmail lists newest first; what waited longest is published first."""
        assert self.cursor is not None
        ids: list[str] = []
        page: str | None = None
        while True:
            await self._spend("list")
            found = await self._client.listing(query, page)
            ids += found.ids
            page = found.next_page
            if page is None:
                break
        ids.reverse()
        total = self.cursor.done + len(ids)
        imported = is_import(self.cursor)
        async with aclosing(self._fetching.fetched(ids)) as fetched:
            async for chunk_ids, messages in fetched:
                await self._send([m for m in messages if wanted(m.label_ids, self.labels)], imported=imported)
                newest = max((m.internal_ms for m in messages), default=0)
                await self._move(listed_some(self.cursor, min(len(chunk_ids), total - self.cursor.done), newest))
                await self._progress(self.cursor.done, total)
        await self._move(listed(self.cursor, datetime.now(UTC)))
        log.info("gmail.listed", address_id=self.address.id, messages=total)
        return len(ids)

    async def _progress(self, done: int, total: int, more: bool = False) -> None:
        """Tell how far long work is."""
        if total >= SYNCING_FROM or more:
            await self.say("syncing", done=done, total=None if more else total)

    async def _publish_arrivals(self, arrivals: Sequence[Arrival], messages: Sequence[RawMessage]) -> None:
        since = since_of(self.address)
        floor_ms = 0 if since is None else int(since.timestamp() * 1000)
        moved = {a.id for a in arrivals if a.labelled}
        # labels may have changed since the history entry was written: what counts is where it lies now
        await self._send(
            [
                m
                for m in messages
                if wanted(m.label_ids, self.labels) and (m.id not in moved or m.internal_ms >= floor_ms)
            ]
        )

    async def _send(self, messages: Sequence[RawMessage], *, imported: bool = False) -> None:
        found = await asyncio.gather(*(self._received(message, imported) for message in messages))
        waiting = []
        for event in (one for events in found for one in events):
            waiting.append(await self._producer.post(topics.EMAIL_RECEIVED, event, traceparent=new_traceparent()))
            log.info("mail.accepted", receipt_id=event.id, address_id=self.address.id, source="gmail")
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), 30)
        except TimeoutError:
            raise BusDown("Kafka did not answer in time") from None
        metrics.counter("mailroom_mail_accepted_total", "Mails accepted", ["source"]).labels("gmail").inc(len(waiting))

    async def _received(self, message: RawMessage, imported: bool) -> list[EmailReceived]:
        # one mail takes a millisecond or two to read: a turn for everybody else between two of them
        async with self._reading:
            await asyncio.sleep(0)
            return await received(
                message,
                self.address,
                blobs=self._blobs,
                inline_limit=self._inline_limit,
                now=datetime.now(UTC),
                our_keys=self._our_keys,
                imported=imported,
            )

    async def _move(self, cursor: GmailCursor) -> None:
        await self._producer.send(topics.GMAIL_CURSORS, cursor)
        self.cursor = cursor

    async def _spend(self, method: str, times: int = 1) -> None:
        units = UNITS[method] * times
        metrics.counter("mailroom_gmail_quota_units_total", "Google quota units spent", ["address_id"]).labels(
            self.address.id
        ).inc(units)
        now = time.monotonic()
        wait = max(self._bucket.take(units, now), self._everybody.take(units, now))
        if wait > 0:
            await asyncio.sleep(wait)
