"""Wires the console: database, bus, stores, followers, web application."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import uvicorn
from mailroom_oauth import Keeper, Providers, TokenTopic, load_settings
from mailroom_runtime.blobs.removal import BlobRemover
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.fenced import FencedProducer
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service, Stopped
from mailroom_runtime.process.tasks import lasting
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import connect
from mailroom_runtime.seals.sealing import Sealer
from redis.asyncio import Redis

from mailroom_console.access import platform_token
from mailroom_console.activity.dead_letters import DeadLetterReader
from mailroom_console.addresses import forwarding
from mailroom_console.erasing.event_log import LogRenewing
from mailroom_console.erasing.retention import Retention
from mailroom_console.erasing.work import Erasing
from mailroom_console.live.changes import Changes
from mailroom_console.live.here import Here
from mailroom_console.live.live import Live
from mailroom_console.people import lasting_presence
from mailroom_console.read_model.model import ReadModel
from mailroom_console.storage.database import Database
from mailroom_console.storage.leadership import Leadership
from mailroom_console.storage.notifications import Notifications
from mailroom_console.storage.only_copy import OnlyCopy, SecondCopy
from mailroom_console.storage.outbox import OUTBOX_PRODUCER, Publisher
from mailroom_console.tickets import stranded
from mailroom_console.uploads import purge as upload_purge

from . import seeding, times
from .context import Console
from .settings import ConsoleSettings
from .web import build

log = get_logger()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the service frame has them."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def app(service: Service[ConsoleSettings]) -> None:
    """Run the console until the service stops."""
    settings = service.settings
    for condition in ("database", "readmodel", "live", "web"):
        service.health.set(condition, False, "starting")
    try:
        sealer = Sealer(settings.secret_ring())
    except ValueError as error:
        raise Stopped(str(error)) from error
    redis = connect(settings.redis)
    database = Database(settings.database_url)
    only = await _only_copy(service, database, redis)
    await database.migrate()
    await seeding.seed(settings, database)
    if token := settings.platform_token.get_secret_value():
        await platform_token.keep(database, token, now=times.micros(times.now()))
    service.health.set("database", True)
    notifications = Notifications(database)
    changes = Changes(notifications)
    producer = Producer(settings, "console")
    async with httpx.AsyncClient(timeout=10.0) as http:
        read = ReadModel(settings, database, producer, changes, notifications)
        providers = Providers(load_settings())
        keeper = Keeper(providers, TokenTopic(settings, producer), sealer, redis, settings.topic_prefix)
        console = Console(
            settings=settings, database=database, notifications=notifications, producer=producer,
            presence=Presence(redis, settings.topic_prefix), here=Here(redis, settings.topic_prefix), blobs=BlobStore(settings.blob_url), sealer=sealer,
            read=read, live=Live(settings, changes), http=http,
            providers=providers, keeper=keeper,
        )  # fmt: skip
        await read.start()
        server = _Server(
            uvicorn.Config(build(console), host=settings.console_host, port=settings.console_port, log_config=None,
                           access_log=False, timeout_graceful_shutdown=5, server_header=False, lifespan="off",
                           # who may say for whom they ask; uvicorn looks from the nearest proxy on
                           proxy_headers=bool(settings.proxies), forwarded_allow_ips=settings.proxies or "")
        )  # fmt: skip
        web = asyncio.create_task(_serve(server, service, settings))
        try:
            # pages answer while Kafka is still away; what needs it says so
            started = asyncio.create_task(producer.start())
            stop = asyncio.create_task(service.stopping.wait())
            await asyncio.wait({started, stop, web}, return_when=asyncio.FIRST_COMPLETED)
            if started.done() and not service.stopping.is_set():
                started.result()
                service.spawn(console.live.run(service), "live")
                service.spawn(notifications.run(), "notifications")
                service.spawn(read.run(service), "readmodel")
                leadership, dead = Leadership(database), DeadLetterReader(settings, database)
                fenced = FencedProducer(settings, OUTBOX_PRODUCER)
                publisher = Publisher(database, producer, notifications, fenced, leadership.holds)
                remover = BlobRemover(settings.blob_url)
                service.spawn(
                    leadership.lead(read.before_leading, lambda: [publisher.run(), dead.run(), read.lead(), forwarding.resume(console),
                                            upload_purge.run(console, remover), stranded.run(console),
                                            lasting_presence.run(console), Erasing(console, remover).run(),
                                            LogRenewing(console).run(), Retention(console, remover).run()]),
                    "leading",
                )  # fmt: skip
            await asyncio.wait({stop, web}, return_when=asyncio.FIRST_COMPLETED)
            if web.done():
                web.result()
        finally:
            server.should_exit = True
            await asyncio.gather(web, return_exceptions=True)
            for task in (started, stop):
                task.cancel()
            providers.close()
            await producer.close()
            if only is not None:
                await only.give_back()
            await redis.aclose()
    await database.close()


async def _only_copy(service: Service[ConsoleSettings], database: Database, client: Redis) -> OnlyCopy | None:
    """On SQLite: the place of the one console, taken and held. Raises Stopped when another has it."""
    if not database.sqlite:
        return None
    only = OnlyCopy(client, service.settings.topic_prefix, database.url.database or "")

    async def hold() -> None:
        try:
            await only.hold()
        except SecondCopy as error:
            raise Stopped(str(error)) from None

    try:
        await only.take()
    except SecondCopy as error:
        raise Stopped(str(error)) from None
    service.spawn(hold(), "only-copy")
    return only


async def _serve(server: _Server, service: Service[ConsoleSettings], settings: ConsoleSettings) -> None:
    async def announce() -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn says it by a flag only
            await asyncio.sleep(0.02)
        service.health.set("web", True)
        log.info("console.listening", port=settings.console_port)

    announcing = lasting(announce, "announce", again=True)
    try:
        await server.serve()
    except SystemExit:
        raise Stopped(
            f"port {settings.console_port} of {settings.console_host} is taken (MAILROOM_CONSOLE_PORT)"
        ) from None
    finally:
        announcing.cancel()
