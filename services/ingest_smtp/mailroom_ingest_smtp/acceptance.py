"""Taking a mail in: one `email.received` per portal, stored and acknowledged before anybody says 250."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from mailroom_contracts import Envelope, Verdicts, topics
from mailroom_runtime import pieces
from mailroom_runtime.blobs.store import BlobsDown, BlobStore
from mailroom_runtime.bus.kafka import BusDown, Producer, RecordTooLarge
from mailroom_runtime.bus.patience import Patience
from mailroom_runtime.bus.pulse import Pulse
from mailroom_runtime.bus.tracing import new_traceparent
from mailroom_runtime.intake import Understood, normalise, understand
from mailroom_runtime.process import metrics
from mailroom_runtime.process.logs import get_logger

from . import replies
from .recipients import Recipient
from .replies import Reply
from .session import Delivery

log = get_logger()


class Judge(Protocol):
    """Says what sender authentication makes of a mail. Never fails and never takes longer than its time limit."""

    async def verdicts(self, delivery: Delivery, understood: Understood) -> Verdicts: ...


class Acceptance:
    """Stores and publishes mails; what fails is answered 451, so that the sender keeps the mail and comes again."""

    def __init__(
        self,
        producer: Producer,
        blobs: BlobStore,
        judge: Judge,
        pulse: Pulse,
        *,
        inline_limit: int,
        timeout_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`pulse` is waited for before a mail is stored: what comes within a moment goes on together."""
        self._producer, self._blobs, self._judge, self._pulse = producer, blobs, judge, pulse
        self._inline_limit, self._patience, self._now = inline_limit, Patience(timeout_s), now
        self._taken = metrics.counter("mailroom_mail_accepted_total", "Mails accepted", ["source"])
        self._failed = metrics.counter("mailroom_mail_deferred_total", "Mails answered 451", ["reason"])
        self._seconds = metrics.histogram("mailroom_mail_accept_seconds", "From the last byte to the 250")
        self._bytes = metrics.counter("mailroom_mail_bytes_total", "Bytes of accepted mail")

    async def take(self, delivery: Delivery) -> list[Reply]:
        """A reply for each recipient, in their order."""
        began = time.perf_counter()
        portals: dict[str, list[Recipient]] = {}
        for recipient in delivery.recipients:
            portals.setdefault(recipient.portal_id, []).append(recipient)
        understood = await understand(delivery.raw, delivery.mail_from)
        verdicts = await self._judge.verdicts(delivery, understood)
        await self._pulse.next(delivery.connection)
        outcome: dict[str, Reply] = {}
        for portal_id, recipients in portals.items():
            outcome[portal_id] = await self._publish(
                delivery, delivery.raw, portal_id, recipients, understood, verdicts
            )
        self._seconds.observe(time.perf_counter() - began)
        return [outcome[recipient.portal_id] for recipient in delivery.recipients]

    async def _publish(
        self,
        delivery: Delivery,
        raw: bytes,
        portal_id: str,
        recipients: list[Recipient],
        understood: Understood,
        verdicts: Verdicts,
    ) -> Reply:
        """Store and publish one mail of one portal, and with the last piece of a mail in pieces that mail as well."""
        envelope = Envelope(
            mail_from=delivery.mail_from,
            rcpt_to=list(dict.fromkeys(recipient.email for recipient in recipients)),
            client_ip=delivery.client_ip or None,
            client_name=delivery.client_name or None,
            tls=delivery.tls,
        )
        source = "lmtp" if delivery.lmtp else "smtp"
        traceparent = new_traceparent()
        try:
            async with self._patience.lasting():
                event = await normalise(
                    raw,
                    blobs=self._blobs,
                    portal_id=portal_id,
                    envelope=envelope,
                    address_ids=list(dict.fromkeys(recipient.address_id for recipient in recipients)),
                    source=source,
                    received_at=self._now(),
                    verdicts=verdicts,
                    inline_limit=self._inline_limit,
                    trusted_front=delivery.from_front,
                    understood=understood,
                )
                await self._producer.send(topics.EMAIL_RECEIVED, event, traceparent=traceparent)
                whole = await pieces.whole(self._blobs, event, understood) if understood.mail.partial else None
        except (BlobsDown, BusDown, RecordTooLarge, TimeoutError) as error:
            reason = type(error).__name__
            self._failed.labels(reason).inc()
            log.warning("mail.not_stored", portal_id=portal_id, reason=str(error) or reason, size=len(raw))
            return replies.LATER
        self._taken.labels(source).inc()
        self._bytes.inc(len(raw))
        log.info(
            "mail.accepted",
            receipt_id=event.id,
            identity=event.identity,
            portal_id=portal_id,
            size=event.size,
            recipients=len(envelope.rcpt_to),
            client_ip=delivery.client_ip,
            defects=len(event.content.defects),
            traceparent=traceparent,
        )
        if whole is not None:
            joined = await understand(whole, delivery.mail_from)
            if not joined.mail.partial:  # pieces of pieces are not put together
                reply = await self._publish(delivery, whole, portal_id, recipients, joined, verdicts)
                if reply is replies.LATER:
                    return reply  # the sender comes again with the last piece, which is known by then
        return replies.accepted(event.id)
