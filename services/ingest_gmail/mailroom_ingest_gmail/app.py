"""Wires ingest_gmail: tables, producer, blobs, the readers and who owns what."""

from __future__ import annotations

import asyncio

from mailroom_contracts import Address
from mailroom_gmail import GoogleSettings
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.seals.sealing import Sealer

from . import push
from .readers import Readers
from .settings import IngestGmailSettings
from .sharing import share

log = get_logger()


async def app(service: Service[IngestGmailSettings]) -> None:
    """Read Gmail inboxes until the service stops. Without a single Gmail address it waits for one."""
    settings = service.settings
    ring = settings.secret_ring()
    if not ring:
        raise Stopped(
            "MAILROOM_SECRET_KEYS is empty: Google sign-ins cannot be opened. `mailroom keys new k1` makes one"
        )
    tables = ConfigTables(settings, [Address])
    async with Producer(settings, source="ingest_gmail") as producer:
        readers = Readers(service, GoogleSettings(), tables, producer, BlobStore(settings.blob_url), Sealer(ring))
        changed = asyncio.Event()
        tables.on_change(lambda *_: changed.set())
        await tables.start(service)

        async def follow_changes() -> None:
            while True:
                await changed.wait()
                changed.clear()
                await readers.refresh()

        service.spawn(follow_changes(), "address-changes")
        if settings.gmail_pubsub_topic and settings.gmail_pubsub_subscription:
            service.spawn(push.renew_watches(service, readers), "gmail-watches")
            service.spawn(push.pull(service, readers), "gmail-push")
        try:
            await share(service, readers)
        finally:
            await readers.close()
