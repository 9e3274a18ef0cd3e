"""Wires outbound: orders in, lanes kept, mail out, reports on email.delivery."""

from __future__ import annotations

import asyncio
import os
import socket
import time

from mailroom_contracts import Address, Portal, topics
from mailroom_oauth import Keeper, Providers, TokenTopic, load_settings
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.consume import consume
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.redis.valkey import connect

from .accounts import Accounts
from .couriers import Couriers
from .desk import Desk
from .lease import Leases
from .mending import Mending
from .orders import Orders
from .owner import Owner
from .records import SOURCE, Records
from .renewal import Renewal
from .settings import OutboundSettings

log = get_logger()


async def app(service: Service[OutboundSettings]) -> None:
    """Run until the service stops."""
    settings = service.settings
    service.health.set("kafka", False, "connecting to Kafka")
    service.health.set("lanes", False, "starting")
    tables = ConfigTables(settings, [Portal, Address])
    blobs = BlobStore(settings.blob_url)
    redis = connect(settings.redis)
    providers = Providers(load_settings())
    try:
        async with Producer(settings, source=SOURCE, linger_ms=0) as producer:
            await tables.start(service)
            accounts = Accounts(producer)
            await accounts.load(settings)
            tokens = TokenTopic(settings, producer)
            keeper = Keeper(providers, tokens, settings.sealer(), redis, settings.topic_prefix)
            couriers = Couriers(settings, tables, keeper=keeper)
            desk = Desk(
                records=Records(producer, partitions=settings.partitions),
                accounts=accounts,
                tables=tables,
                blobs=blobs,
                couriers=couriers,
                leases=Leases(redis, settings.topic_prefix, seconds=settings.lane_lease_s),
                health=service.health,
                policy=settings.policy(),
                send_timeout_s=settings.send_timeout_s,
            )
            place, process = identity(settings)
            mending = Mending(accounts, couriers, tables)
            owner = Owner(service, desk, producer, mending, place=place, process=process)
            tables.on_change(owner.changed)
            orders = Orders(producer, blobs, partitions=settings.partitions)
            lanes = service.spawn(owner.run(), "lanes")
            service.spawn(Renewal(keeper, tables, accounts).run(), "renewal")
            try:
                await consume(
                    service,
                    [topics.EMAIL_OUTBOUND],
                    group="outbound.orders",
                    handle=orders.handle,
                    producer=producer,
                    max_in_flight=100,
                    gather_ms=150,
                )
            except Exception as error:
                # the lanes record how their last sends ended, which needs the producer; else they would try for ever
                log.error("orders.failed", error=type(error).__name__)
                service.stopping.set()
                await asyncio.wait({lanes}, timeout=settings.drain_s)
                raise
            await asyncio.wait({lanes})
            await mending.close()
    finally:
        providers.close()
        await redis.aclose()


def identity(settings: OutboundSettings) -> tuple[str, str]:
    """The place that only one living process can have (it listens there), and this process."""
    process = f"{os.getpid()}-{time.time_ns()}"
    host = socket.gethostname().replace(" ", "_") or "host"
    place = f"{host}:{settings.health_port}" if settings.health_port else f"{host}:{process}"
    return place, process
