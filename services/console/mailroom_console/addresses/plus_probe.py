"""Whether an address's own server takes plus addresses: a second probe, sent with each check of the forwarding.

It goes to `local+token@domain`, with the signed id of a check of its own. When it comes back like the first one, answers from the address
carry a plus address as Reply-To (`plus_replies`): a customer's answer then names its ticket in a way that no program on
the way drops. When it does not, they carry none. The check is remembered beside the forwarding's, in states of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailroom_contracts import OutboundMail, Person, ids, topics
from mailroom_mail import plus_address
from mailroom_mail.threads.signed_ids import sign_message_id
from mailroom_runtime.process.logs import get_logger
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.access import audit
from mailroom_console.context import Console
from mailroom_console.storage.outbox import publish
from mailroom_console.storage.schema import addresses as addresses_table
from mailroom_console.storage.schema import forwarding_checks

from .publication import publish_address

log = get_logger()
PENDING = "plus_pending"


async def begin(
    connection: AsyncConnection, row: Any, target: Any, check_id: str, probe: str, keys: Mapping[str, bytes], now: int,
    not_after: int,
) -> None:  # fmt: skip
    """Send the probe that belongs to the forwarding check `check_id`, within its transaction. Times in microseconds."""
    own = ids.derive("plus-check", check_id)
    to = plus_address(row.email, own, dict(keys))
    if to == row.email:
        return  # the local part has no room for it
    message_id = sign_message_id(own, probe, target.email.rpartition("@")[2], dict(keys))
    await connection.execute(
        insert(forwarding_checks).values(id=own, portal_id=row.portal_id, address_id=row.id, message_id=message_id,
                                         state=PENDING, started_at=now)
    )  # fmt: skip
    await publish(
        connection, topics.EMAIL_OUTBOUND,
        OutboundMail(
            id=ids.derive("probe", own), portal_id=row.portal_id, ticket_id=row.id, message_id=own,
            address_id=target.id, kind="probe", from_=Person(email=target.email, name="Mailroom"),
            to=[Person(email=to)], subject="Mailroom looks whether plus addresses arrive", rfc_message_id=message_id,
            auto_submitted="auto-generated",
            text=f"This mail was sent to {to} to see whether the server of {row.email} takes such addresses.\n"
                 "You need not do anything; it can be deleted.\n",
            created_at=times.moment(now), not_after=times.moment(not_after),
        ),
        now=times.moment(now),
    )  # fmt: skip


async def finish(console: Console, row: Any, works: bool) -> None:
    """Keep what the check `row` found: answers of the address carry a plus address from now on, or none."""
    now = console.now()
    async with console.database.write() as connection:
        done = await connection.execute(
            update(forwarding_checks)
            .where(forwarding_checks.c.id == row.id, forwarding_checks.c.state == PENDING)
            .values(state="plus_works" if works else "plus_fails", finished_at=now)
        )
        address = (
            await connection.execute(
                select(addresses_table).where(addresses_table.c.id == row.address_id).with_for_update()
            )
        ).one_or_none()
        if done.rowcount != 1 or address is None:
            return
        answering = address.answering | {"plus_replies": works, "plus_checked_at": times.rfc3339(now)}
        await connection.execute(
            update(addresses_table).where(addresses_table.c.id == address.id)
            .values(answering=answering, revision=address.revision + 1, updated_at=now)
        )  # fmt: skip
        await audit.record(
            connection, portal_id=row.portal_id, by=None, action="address.plus_replies_checked", kind="address",
            subject_id=address.id, name=address.email, revision=address.revision + 1,
            changes={"plus_replies": [bool(address.answering.get("plus_replies")), works]}, now=now,
        )  # fmt: skip
        await publish_address(connection, address.id, now)
    log.info("plus_replies.checked", address_id=row.address_id, works=works)
