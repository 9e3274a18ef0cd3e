"""Check forwarding: a probe mail goes to the SMTP address and is awaited at the internal address it forwards to. A second one
(`plus_probe`) sees whether its server takes plus addresses.

The probe's Message-ID is signed like those of our other mail (the check id stands where a ticket id would), so that
nobody else can make a check succeed, and the router knows a probe from a customer's mail.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mailroom_contracts import (
    AddressStatus,
    DeliveryReport,
    EmailReceived,
    Forwarder,
    Message,
    OutboundMail,
    Person,
    Undecodable,
    decode,
    ids,
    topics,
)
from mailroom_contracts.topics import Topic
from mailroom_mail import comparable
from mailroom_mail.threads.signed_ids import sign_message_id, verify_message_id
from mailroom_runtime.bus.connection import connection
from mailroom_runtime.bus.kafka import partitions_for
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import insert, select, update

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import Problem, conflict
from mailroom_console.storage.notifications import OUTBOX
from mailroom_console.storage.outbox import publish
from mailroom_console.storage.schema import addresses as addresses_table
from mailroom_console.storage.schema import domains, forwarding_checks

from . import plus_probe
from . import records as addresses
from .forwarders import learned, merged
from .publication import publish_address

log = get_logger()
PROBE = "probe"  # first part of a probe's Message-ID
_WAITING = ("pending", plus_probe.PENDING)
_ENDED_BADLY = ("failed", "refused", "bounced", "cancelled")


async def check(console: Console, principal: Principal, address_id: str) -> dict[str, Any]:
    """Send a probe: `{check_id, state: pending}`. Raises `Problem` 409 when there is nothing to check."""
    principal.require(CONFIG)
    now = console.now()
    keys = console.settings.message_id_ring()
    if not keys:
        raise Problem(503, "not_configured", say("MAILROOM_MESSAGE_ID_KEYS is not set, so a probe cannot be signed."))
    async with console.database.write() as connection:
        row = await addresses.row_of(connection, principal, address_id)
        if row.kind != "smtp" or not row.forwards_to:
            raise conflict("no_forwarding", say("Say first which internal address this SMTP address forwards to."))
        target = (
            await connection.execute(select(addresses_table).where(addresses_table.c.id == row.forwards_to))
        ).one()
        if not row.active or not target.active:
            raise conflict("inactive_address", say("Both addresses must be active for the check."))
        check_id = ids.derive("forwarding-check", address_id, str(now))
        message_id = sign_message_id(check_id, PROBE, target.email.rpartition("@")[2], keys)
        await connection.execute(
            update(forwarding_checks).where(
                forwarding_checks.c.address_id == address_id, forwarding_checks.c.state.in_(_WAITING)
            ).values(state="replaced", finished_at=now)
        )  # fmt: skip
        await connection.execute(
            insert(forwarding_checks).values(id=check_id, portal_id=principal.portal_id, address_id=address_id,
                                             message_id=message_id, state="pending", started_at=now)
        )  # fmt: skip
        await audit.record(connection, portal_id=principal.portal_id, by=principal, action="address.forwarding_check",
                           kind="address", subject_id=address_id, name=row.email, now=now)  # fmt: skip
        await publish(
            connection, topics.ADDRESS_STATUS,
            AddressStatus(address_id=address_id, portal_id=principal.portal_id, aspect="forwarding", state="pending",
                          reason=f"A probe mail to {row.email} is on its way.", since=times.moment(now),
                          check_id=check_id),
            now=times.moment(now),
        )  # fmt: skip
        timeout_us = int(console.settings.forwarding_timeout_s * times.SECOND)
        await publish(
            connection, topics.EMAIL_OUTBOUND,
            OutboundMail(
                id=ids.derive("probe", check_id), portal_id=principal.portal_id, ticket_id=address_id,
                message_id=check_id, address_id=target.id, kind="probe",
                from_=Person(email=target.email, name="Mailroom"), to=[Person(email=row.email)],
                subject="Mailroom checks your forwarding", rfc_message_id=message_id, auto_submitted="auto-generated",
                text=f"This mail was sent to {row.email} to see whether it is forwarded to {target.email}.\n"
                     "You need not do anything; it can be deleted.\n",
                created_at=times.moment(now), not_after=times.moment(now + timeout_us),
            ),
            now=times.moment(now),
        )  # fmt: skip
        await plus_probe.begin(connection, row, target, check_id, PROBE, keys, now, now + timeout_us)
    await _until_shown(console, address_id, check_id)
    return {"check_id": check_id, "address_id": address_id, "state": "pending"}


async def resume(console: Console) -> None:
    """Watch for probes for ever: a consumer runs only while a check is pending."""
    wake = asyncio.Event()
    console.database.on_commit.append(wake.set)
    console.notifications.on(OUTBOX, lambda _: wake.set())  # another copy's check sends a probe
    while True:
        wake.clear()
        if await _pending(console):
            try:
                await _watch(console)
            except KafkaError as error:
                log.warning("forwarding.interrupted", error=type(error).__name__)
                await asyncio.sleep(1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), 60 if console.database.sqlite else 5)  # SQLite: no other copy


async def _watch(console: Console) -> None:
    """Read what came in since the oldest pending check began, until none is pending."""
    prefix = console.settings.topic_prefix
    followed: dict[str, Topic] = {t.full_name(prefix): t for t in (topics.EMAIL_RECEIVED, topics.EMAIL_DELIVERY)}
    pending = await _pending(console)
    since_ms = min(row.started_at for row in pending) // 1000 - 5000
    consumer = AIOKafkaConsumer(
        **connection(console.settings), enable_auto_commit=False, auto_offset_reset="latest",
        isolation_level="read_committed", client_id="mailroom-console-probes",
    )  # fmt: skip
    await consumer.start()
    try:
        parts = [TopicPartition(n, p) for n in followed for p in await partitions_for(consumer, n)]
        consumer.assign(parts)
        # the ends first: what comes between the two questions is then not passed over
        ends = await consumer.end_offsets(parts)
        found = await consumer.offsets_for_times(dict.fromkeys(parts, since_ms))
        for tp in parts:
            at = found.get(tp)
            consumer.seek(tp, ends[tp] if at is None else at.offset)
        while pending := await _pending(console):
            oldest = min(row.started_at for row in pending) // 1000 - 5000
            if oldest < since_ms:
                return  # an older one turned up: begin again from there
            batch = await consumer.getmany(timeout_ms=500)
            probes = [
                (followed[tp.topic], record)
                for tp, records in batch.items() for record in records if b"probe" in (record.value or b"")
            ]  # fmt: skip
            if probes:
                # asked after the records came: a check may have begun, and its mail come back, while they were awaited
                by_id = {row.id: row for row in await _pending(console)}
                for topic, record in probes:
                    await _take(console, topic, record, by_id)
            await _expire(console)
    finally:
        await consumer.stop()


async def _take(console: Console, topic: Topic, record: Any, by_id: dict[str, Any]) -> None:
    try:
        message: Message | None = decode(topic, record.value, record.headers)
    except Undecodable:
        return  # its own consumer buries it
    if isinstance(message, DeliveryReport):
        row = by_id.get(message.message_id)
        if row is not None and message.kind == "probe" and message.state in _ENDED_BADLY:
            if row.state == plus_probe.PENDING:
                await plus_probe.finish(console, row, False)
                by_id.pop(row.id)
                return
            reason = message.reason or "the server did not take it"
            await _finish(console, row, "failed", f"The probe mail could not be delivered: {reason}", [])
            by_id.pop(row.id)
    elif isinstance(message, EmailReceived):
        row = by_id.get(probe_check_id(message, console.settings.message_id_ring()) or "")
        if row is not None:
            await _arrived(console, row, message)
            by_id.pop(row.id, None)


def probe_check_id(received: EmailReceived, keys: dict[str, bytes]) -> str | None:
    """The check that a mail is the probe of, or None. Pure; providers may replace Message-ID, so both are looked at."""
    for candidate in (received.content.message_id, received.content.mailroom_id):
        if candidate and candidate.strip("<> ").lower().startswith(f"{PROBE}."):
            check_id = verify_message_id(candidate, keys)
            if check_id is not None:
                return check_id
    return None


async def _arrived(console: Console, row: Any, received: EmailReceived) -> None:
    async with console.database.read() as connection:
        address = (
            await connection.execute(select(addresses_table).where(addresses_table.c.id == row.address_id))
        ).one_or_none()
        if address is None:
            return
        target = (
            await connection.execute(select(addresses_table).where(addresses_table.c.id == address.forwards_to))
        ).one_or_none()
        ours = set(
            (await connection.execute(select(domains.c.domain).where(domains.c.portal_id == row.portal_id))).scalars()
        )
    recipients = {comparable(r) for r in received.envelope.rcpt_to}
    if row.state == plus_probe.PENDING:
        await plus_probe.finish(console, row, target is not None and target.email in recipients)
        return
    if target is None or target.email not in recipients:
        came = ", ".join(sorted(recipients)) or "nowhere"
        await _finish(console, row, "failed", f"The probe mail came back, but to {came} and not to "
                      f"{target.email if target else 'the internal address'}.", [])  # fmt: skip
        return
    found = learned(received, ours, allow_private=console.settings.allow_private_hosts)
    await _finish(console, row, "confirmed", f"The probe mail came back through {target.email}.", found)


async def _finish(console: Console, row: Any, state: str, reason: str, forwarders: list[Forwarder]) -> None:
    now = console.now()
    async with console.database.write() as connection:
        done = await connection.execute(
            update(forwarding_checks)
            .where(forwarding_checks.c.id == row.id, forwarding_checks.c.state == "pending")
            .values(state=state, reason=reason, finished_at=now)
        )
        if done.rowcount != 1:
            return
        await publish(
            connection, topics.ADDRESS_STATUS,
            AddressStatus(address_id=row.address_id, portal_id=row.portal_id, aspect="forwarding", state=state,
                          reason=reason, since=times.moment(now), check_id=row.id, forwarders=forwarders),
            now=times.moment(now),
        )  # fmt: skip
        if forwarders:
            address = (
                await connection.execute(
                    select(addresses_table).where(addresses_table.c.id == row.address_id).with_for_update()
                )
            ).one()
            known = merged(address.forwarders, forwarders)
            await connection.execute(
                update(addresses_table).where(addresses_table.c.id == row.address_id)
                .values(forwarders=known, revision=address.revision + 1, updated_at=now)
            )  # fmt: skip
            await audit.record(
                connection, portal_id=row.portal_id, by=None, action="address.forwarders_learned", kind="address",
                subject_id=row.address_id, name=address.email, revision=address.revision + 1,
                changes={"forwarders": [address.forwarders, known]}, now=now,
            )  # fmt: skip
            await publish_address(connection, row.address_id, now)
    log.info("forwarding.checked", address_id=row.address_id, check_id=row.id, state=state)


async def _expire(console: Console) -> None:
    limit = console.now() - int(console.settings.forwarding_timeout_s * times.SECOND)
    for row in await _pending(console):
        if row.started_at < limit and row.state == plus_probe.PENDING:
            await plus_probe.finish(console, row, False)
        elif row.started_at < limit:
            seconds = round(console.settings.forwarding_timeout_s)
            await _finish(
                console, row, "failed",
                f"The probe mail did not come back within {seconds} seconds. Is forwarding switched on at the provider, "
                "and confirmed where it asks for that?", [],
            )  # fmt: skip


async def _pending(console: Console) -> list[Any]:
    async with console.database.read() as connection:
        rows = await connection.execute(select(forwarding_checks).where(forwarding_checks.c.state.in_(_WAITING)))
        return list(rows.all())


async def _until_shown(console: Console, address_id: str, check_id: str) -> None:
    """Wait until this console shows the check; its status goes round through Kafka."""
    end = asyncio.get_running_loop().time() + console.settings.wait_s
    while asyncio.get_running_loop().time() < end:
        status = console.live.status_of(address_id).get("forwarding")
        if status is not None and status.check_id == check_id:
            return
        await asyncio.sleep(0.05)
