"""The accounts that this process reads, each in a task of its own: trouble with one stops only that one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mailroom_contracts import Address, AddressStatus, GmailCursor, topics
from mailroom_gmail import GmailClient, GmailTrouble, GoogleSettings, Limited, Refused, Revoked, kept_token
from mailroom_runtime.blobs.store import BlobsDown, BlobStore
from mailroom_runtime.bus.kafka import BusDown, Producer, partition_of, read_to_end
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.tasks import end, lasting
from mailroom_runtime.seals.sealing import SealBroken, Sealer

from .account import ASPECT, Account
from .fetching import Room
from .plan import backoff_s, pause_s
from .quota import Bucket
from .settings import IngestGmailSettings

log = get_logger()


class Readers:
    """Starts and stops the readers as partitions and addresses change."""

    def __init__(
        self,
        service: Service[IngestGmailSettings],
        google: GoogleSettings,
        tables: ConfigTables,
        producer: Producer,
        blobs: BlobStore,
        sealer: Sealer,
    ) -> None:
        self._service, self._google, self._tables = service, google, tables
        self._producer, self._blobs, self._sealer = producer, blobs, sealer
        self._threads = ThreadPoolExecutor(service.settings.gmail_threads, thread_name_prefix="gmail")
        self._mine: set[int] = set()
        self._tasks: dict[str, tuple[asyncio.Task[None], Address]] = {}
        self._cursors: dict[str, GmailCursor] = {}
        self._said: dict[str, AddressStatus] = {}
        self._everybody = Bucket(service.settings.gmail_units_per_second_overall, time.monotonic())
        self._room = Room(service.settings.gmail_bytes_at_once)
        self._changing = asyncio.Lock()
        self._wake: dict[str, asyncio.Event] = {}

    async def give_up(self) -> None:
        """None of the partitions is ours any more: when this returns, nothing is read here."""
        async with self._changing:
            self._mine = set()
            await self._stop(set(self._tasks))

    async def own(self, partitions: set[int]) -> None:
        """These partitions of `addresses` are ours now; cursors are read anew, since others moved them.

        Raises KafkaError, TimeoutError; then nothing is read yet, and it may be called again.
        """
        async with self._changing:
            self._mine = set()
            await self._stop(set(self._tasks))
            if partitions:
                await self._load()
            self._mine = partitions
            await self._start()

    async def _load(self) -> None:
        prefix = self._service.settings.topic_prefix
        cursors, statuses = topics.GMAIL_CURSORS.full_name(prefix), topics.ADDRESS_STATUS.full_name(prefix)
        async with asyncio.timeout(60):
            async for record in read_to_end(self._service.settings, [cursors, statuses]):
                try:
                    if record.topic == cursors and record.value is not None:
                        cursor = GmailCursor.model_validate_json(record.value)
                        self._cursors[cursor.address_id] = cursor
                    elif record.value is not None:
                        status = AddressStatus.model_validate_json(record.value)
                        if status.aspect == ASPECT:
                            self._said[status.address_id] = status
                except ValueError:
                    log.error("gmail.broken_record", topic=record.topic, offset=record.offset)

    async def refresh(self) -> None:
        """An address changed: start, stop or restart its reader."""
        async with self._changing:
            wanted = {address.id: address for address in self._wanted()}
            changed = {
                key for key, (_, seen) in self._tasks.items() if key not in wanted or wanted[key].gmail != seen.gmail
            }
            await self._stop(changed)
            await self._start()

    def wake(self, email: str) -> None:
        """Gmail pushed: look at this inbox now."""
        address = self._tables.book.address_by_email(email)
        if address is not None and address.id in self._wake:
            self._wake[address.id].set()

    @property
    def reading(self) -> list[Address]:
        """The accounts that are read here."""
        return [address for _, address in self._tasks.values()]

    def client(self, address: Address) -> GmailClient:
        """A client for the address. Raises `SealBroken`."""
        if address.gmail is None or not address.gmail.secret:
            raise SealBroken("no sign-in is stored")
        kept = self._sealer.open(address.gmail.secret, bound_to=address.id)
        try:
            return GmailClient(self._google, kept_token(kept), self._threads)
        except ValueError as error:
            raise SealBroken(str(error)) from None

    async def close(self) -> None:
        """Stop all readers; what they have not published yet is published by the next owner."""
        async with self._changing:
            self._mine = set()
            await self._stop(set(self._tasks))
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _wanted(self) -> list[Address]:
        return [
            address
            for address in self._tables.book.addresses.values()
            if address.kind == "gmail"
            and address.active
            and address.queue_id
            and address.gmail is not None
            and address.gmail.secret
            and partition_of(address.id.encode(), self._service.settings.partitions) in self._mine
        ]

    async def _start(self) -> None:
        for address in self._wanted():
            if address.id not in self._tasks:
                self._wake[address.id] = asyncio.Event()
                self._tasks[address.id] = (
                    lasting(partial(self._read, address), f"gmail-{address.id}", again=True),
                    address,
                )
        metrics.gauge("mailroom_gmail_accounts", "Gmail accounts read by this process").set(len(self._tasks))

    async def _stop(self, keys: set[str]) -> None:
        tasks = [self._tasks.pop(key)[0] for key in keys]
        await end(*tasks)

    async def _read(self, address: Address) -> None:
        settings = self._service.settings
        broken: str | None = None
        try:
            client = self.client(address)
        except SealBroken as error:
            client, broken = GmailClient(self._google, "", self._threads), str(error)
        account = Account(
            address,
            self._cursors.get(address.id),
            self._said.get(address.id),
            client,
            producer=self._producer,
            blobs=self._blobs,
            our_keys=settings.message_id_ring(),
            inline_limit=settings.inline_limit_bytes,
            units_per_second=settings.gmail_units_per_second,
            everybody=self._everybody,
            room=self._room,
        )
        failures = idle = 0
        try:
            if broken is not None:
                await self._needs_attention(account, f"its sign-in cannot be opened: {broken}")
                return
            while True:
                try:
                    published = await account.step()
                    failures, idle = 0, 0 if published else idle + 1
                    wait = pause_s(idle, settings.gmail_poll_s, settings.gmail_idle_poll_s)
                except Revoked as error:
                    # a person has to mend it, and the reader starts again when the address changes (Reconnect)
                    await self._needs_attention(account, str(error))
                    wait = settings.gmail_retry_refused_s
                except (GmailTrouble, BusDown, BlobsDown) as error:
                    failures += 1
                    if isinstance(error, Refused):
                        # nothing is passed over for it, so a person must hear why no mail comes
                        await self._needs_attention(account, f"mail waits that Google does not hand over: {error}")
                    asked = error.retry_after_s if isinstance(error, Limited) else None
                    wait = backoff_s(failures, random.random(), asked)  # noqa: S311 - jitter
                    log.warning(
                        "gmail.step_failed", address_id=address.id, reason=str(error), next_try_in_s=round(wait, 1)
                    )
                    metrics.counter("mailroom_gmail_trouble_total", "Failed looks at Gmail", ["kind"]).labels(
                        type(error).__name__
                    ).inc()
                finally:
                    if account.cursor is not None:
                        self._cursors[address.id] = account.cursor
                    if account.said is not None:
                        self._said[address.id] = account.said
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake[address.id].wait(), wait)
                self._wake[address.id].clear()
        finally:
            client.close()

    async def _needs_attention(self, account: Account, reason: str) -> None:
        log.error("gmail.needs_attention", address_id=account.address.id, reason=reason)
        while True:
            try:
                await account.say("needs_attention", reason)
                return
            except BusDown:
                await asyncio.sleep(1)
