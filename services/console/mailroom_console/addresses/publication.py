"""An address as other services know it, and its way to them."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import Address, AutoReply, Forwarder, GmailAccount, SmtpAccount, topics
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailroom_console import times
from mailroom_console.context import Console
from mailroom_console.storage.outbox import publish
from mailroom_console.storage.schema import addresses


async def as_published(console: Console, address_id: str) -> Address:
    """The address as other services know it."""
    async with console.database.read() as connection:
        return _published((await connection.execute(select(addresses).where(addresses.c.id == address_id))).one())


async def publish_address(connection: AsyncConnection, address_id: str, now: int) -> None:
    """Put the address as it is now into the outbox."""
    row = (await connection.execute(select(addresses).where(addresses.c.id == address_id))).one()
    await publish(connection, topics.ADDRESSES, _published(row), now=times.moment(now))


def _published(row: Any) -> Address:
    return Address(
        id=row.id, portal_id=row.portal_id, kind=row.kind, email=row.email, full_name=row.full_name,
        queue_id=row.queue_id, prefer_online=row.prefer_online, active=row.active,
        auto_reply=AutoReply.model_validate(row.auto_reply),
        smtp=SmtpAccount.model_validate(row.smtp) if row.smtp else None,
        gmail=GmailAccount.model_validate(row.gmail) if row.gmail else None,
        signature=row.answering.get("signature", ""),
        number_in_subject=bool(row.answering.get("number_in_subject", False)),
        plus_replies=bool(row.answering.get("plus_replies", False)),
        forwards_to=row.forwards_to, forwarders=[Forwarder.model_validate(f) for f in row.forwarders],
        revision=row.revision, updated_at=times.moment(row.updated_at),
    )  # fmt: skip
