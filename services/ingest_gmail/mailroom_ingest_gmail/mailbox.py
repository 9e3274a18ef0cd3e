"""From a message in Gmail to `email.received`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailroom_contracts import Address, EmailReceived, Envelope, GmailOrigin, Verdicts
from mailroom_gmail import RawMessage
from mailroom_mail import verify_message_id
from mailroom_runtime import pieces
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.intake import Understood, normalise, understand

from .plan import got_at, is_sent
from .verdict import of_google


async def received(
    message: RawMessage, address: Address, *, blobs: BlobStore, inline_limit: int, now: datetime,
    our_keys: Mapping[str, bytes], imported: bool = False,
) -> list[EmailReceived]:  # fmt: skip
    """The event, its raw source and attachments stored; none for a mail that Mailroom itself sent. With the last piece of a
    mail that was sent in pieces comes that mail, too.

    It counts as received when Gmail got it, however late it is read. `imported`: it was there before the connection.
    """
    return_path, verdicts = of_google(message.raw)
    understood = await understand(message.raw, return_path)
    sent = is_sent(message.label_ids)
    if sent and (
        understood.mail.header("X-Mailroom-Id") or verify_message_id(understood.mail.message_id or "", our_keys)
    ):
        return []

    async def event_of(raw: bytes, understood: Understood) -> EmailReceived:
        return await _event(
            raw, understood, message, address, return_path or "", verdicts if not sent else Verdicts(source="gmail"),
            blobs=blobs, inline_limit=inline_limit, now=now, imported=imported,
        )  # fmt: skip

    event = await event_of(message.raw, understood)
    whole = await pieces.whole(blobs, event, understood) if understood.mail.partial else None
    if whole is None:
        return [event]
    joined = await understand(whole, return_path)
    # pieces of pieces are not put together
    return [event] if joined.mail.partial else [event, await event_of(whole, joined)]


async def _event(
    raw: bytes, understood: Understood, message: RawMessage, address: Address, mail_from: str, verdicts: Verdicts, *,
    blobs: BlobStore, inline_limit: int, now: datetime, imported: bool,
) -> EmailReceived:  # fmt: skip
    return await normalise(
        raw,
        blobs=blobs,
        portal_id=address.portal_id,
        envelope=Envelope(mail_from=mail_from, rcpt_to=[address.email]),
        address_ids=[address.id],
        source="gmail",
        received_at=got_at(message.internal_ms, now),
        verdicts=verdicts,
        gmail=GmailOrigin(
            address_id=address.id,
            message_id=message.id,
            thread_id=message.thread_id,
            label_ids=list(message.label_ids),
            sent=is_sent(message.label_ids),
            imported=imported,
        ),
        inline_limit=inline_limit,
        trusted_front=True,
        understood=understood,
    )
