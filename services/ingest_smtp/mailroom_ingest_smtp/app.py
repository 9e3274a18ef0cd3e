"""Wires the intake: sockets first, so that whoever comes early hears 451, then tables, Kafka and blob store."""

from __future__ import annotations

import asyncio
import contextlib

from mailroom_contracts import Address, Portal
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.pulse import Pulse
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service

from .acceptance import Acceptance
from .authentication import DnsJudge, NoJudge
from .directory import ConfigDirectory
from .house import House
from .listeners import listen
from .session import LmtpSession, Session
from .settings import IngestSmtpSettings

log = get_logger()

# A mail by itself costs each step after this a request or five; with two or three they are shared. More than 300 a second
# come together anyway while the last are written.
GATHERED_S, GATHERED_FROM, GATHERED_TO = 0.025, 50.0, 300.0  # seconds; mails a second


async def app(service: Service[IngestSmtpSettings]) -> None:
    """Take mail until asked to stop; then finish what is under way."""
    settings = service.settings
    loop = asyncio.get_running_loop()
    service.health.set("config", False, "reading the configuration topics")
    service.health.set("kafka", False, "connecting to Kafka")
    house = House(
        settings.smtp_max_connections,
        settings.smtp_max_connections_per_client,
        settings.smtp_memory_mb * 1024 * 1024,
        settings.front_networks,
        settings.proxy_networks,
    )
    metrics.gauge("mailroom_smtp_connections", "Open connections").set_function(lambda: len(house))
    metrics.gauge("mailroom_smtp_held_bytes", "Mail held in memory").set_function(lambda: house.held)
    tables = ConfigTables(settings, [Portal, Address])
    directory = ConfigDirectory(tables)
    open_for_mail = asyncio.Event()
    judge = _judge(settings)
    producer = Producer(settings, source="ingest_smtp", linger_ms=0)
    acceptance = Acceptance(
        producer,
        BlobStore(settings.blob_url),
        judge,
        Pulse(GATHERED_S, many_per_s=GATHERED_FROM, most_per_s=GATHERED_TO),
        inline_limit=settings.inline_limit_bytes,
        timeout_s=settings.smtp_accept_timeout_s,
    )
    tls = settings.tls_context()

    def session(kind: type[Session]) -> Session:
        return kind(settings, house, lambda: directory if open_for_mail.is_set() else None, acceptance, tls, loop)

    servers = []
    for kind, port, setting in (
        (Session, settings.smtp_port, "MAILROOM_SMTP_PORT"),
        (LmtpSession, settings.lmtp_port, "MAILROOM_LMTP_PORT"),
    ):
        if port:
            servers.append(await listen(settings.smtp_host, port, lambda kind=kind: session(kind), setting=setting))  # type: ignore[misc]
            log.info("intake.listening", protocol="lmtp" if kind is LmtpSession else "smtp", port=port)

    async def become_ready() -> None:
        await producer.start()
        service.health.set("kafka", True)
        await tables.start(service)
        open_for_mail.set()

    starting = service.spawn(become_ready(), "become-ready")
    try:
        await service.stopping.wait()
    finally:
        starting.cancel()
        house.stop()
        try:
            await house.empty()  # the frame cancels this when it takes longer than MAILROOM_DRAIN_S
        finally:
            for server in servers:
                server.close()
            if isinstance(judge, DnsJudge):
                judge.close()
            with contextlib.suppress(TimeoutError):  # what Kafka has not acknowledged was answered 451
                await asyncio.wait_for(producer.close(), 5)
            log.info("intake.drained", left=len(house))


def _judge(settings: IngestSmtpSettings) -> DnsJudge | NoJudge:
    if not settings.verdicts:
        return NoJudge()
    return DnsJudge(
        server=settings.dns_server,
        timeout_s=settings.verdicts_timeout_s,
        authserv_ids=settings.authserv_ids,
        fronts=settings.front_networks,
    )
