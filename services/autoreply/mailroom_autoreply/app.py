"""Wires autoreply: ticket.events in, ticket.auto_reply commands out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from mailroom_contracts import Address, Agent, MessageAdded, Portal, Queue, TicketCreated, topics
from mailroom_mail.writing.templates import TemplateBroken
from mailroom_runtime.bus.consume import Inbound, consume
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.service import Service
from mailroom_runtime.redis.valkey import Shared, connect

from .answer import command
from .beginnings import Beginnings
from .decision import Silence, decide
from .limits import Allowance, Limits
from .settings import AutoreplySettings

log = get_logger()
HANDLED = frozenset({"ticket.created", "ticket.message_added"})


class Autoreply:
    """Handles ticket events: remembers beginnings, answers first mails."""

    def __init__(self, tables: ConfigTables, beginnings: Beginnings, limits: Limits, producer: Producer) -> None:
        self._tables, self._beginnings, self._limits, self._producer = tables, beginnings, limits, producer

    async def handle(self, inbound: Inbound) -> None:
        """One event. The same event again asks for the same command again, which has the same id."""
        match inbound.message:
            case TicketCreated() as created:
                self._beginnings.remember(created)
            case MessageAdded() as added if added.message.direction == "in":
                created_before = await self._beginnings.of(added.ticket_id)
                if created_before is not None:
                    await self._first_mail(created_before, added, inbound.traceparent)
                    if added.message.receipt_id == created_before.receipt_id:
                        self._beginnings.settled(added.ticket_id)

    async def _first_mail(self, created: TicketCreated, added: MessageAdded, traceparent: str | None) -> None:
        now = datetime.now(UTC)
        address = self._tables.book.addresses.get(added.message.address_id or created.address_id)
        portal = self._tables.book.portals.get(created.portal_id)
        ours = partial(self._tables.book.is_house, portal_id=created.portal_id)
        decision = decide(created, added, address=address, portal=portal, is_ours=ours, now=now)
        if isinstance(decision, Silence):
            self._silent(created, decision.reason)
            return
        assert address is not None  # decide() answers for a known address only
        allowance = await self._limits.ask(created.ticket_id, address.id, decision.sender)
        if allowance is not Allowance.ALLOWED:
            self._silent(created, allowance.value)
            return
        queue = self._tables.book.queues.get(created.queue_id)
        try:
            order = command(
                created,
                address=address,
                queue=queue,
                not_after=decision.not_after,
                now=now,
                hours=portal.office_hours if portal is not None else None,
            )
        except TemplateBroken as error:
            log.error("autoreply.template_broken", address_id=address.id, reason=str(error))
            self._silent(created, "template_broken")
            return
        await self._producer.send(
            topics.TICKET_COMMANDS, order, causation_id=added.id, traceparent=traceparent
        )  # fmt: skip
        _count("sent")
        log.info("autoreply.requested", ticket_id=created.ticket_id, command_id=order.id, address_id=address.id)

    def _silent(self, created: TicketCreated, reason: str) -> None:
        if reason == "not_the_first_mail":
            return
        _count(reason)
        log.info("autoreply.silent", ticket_id=created.ticket_id, reason=reason)


def _count(outcome: str) -> None:
    metrics.counter("mailroom_autoreply_decisions_total", "First mails by what was decided", ["outcome"]).labels(
        outcome
    ).inc()


async def app(service: Service[AutoreplySettings]) -> None:
    """Run until the service stops."""
    settings = service.settings
    service.health.set("kafka", False, "connecting to Kafka")
    tables = ConfigTables(settings, [Portal, Address, Queue, Agent])
    client = connect(settings.redis)
    try:
        async with Producer(settings, source="autoreply", linger_ms=5) as producer:
            await tables.start(service)
            limits = Limits(
                client, settings, interval_s=settings.autoreply_interval_s, per_hour=settings.autoreply_per_hour
            )
            beginnings = Beginnings(Shared(client), settings.topic_prefix)
            autoreply = Autoreply(tables, beginnings, limits, producer)
            await consume(
                service,
                [topics.TICKET_EVENTS],
                group="autoreply",
                handle=autoreply.handle,
                producer=producer,
                max_in_flight=50,  # of different tickets: their round trips are shared
                kinds=HANDLED,
                before_commit=beginnings.keep,
                gather_ms=150,
            )
    finally:
        await client.aclose()
