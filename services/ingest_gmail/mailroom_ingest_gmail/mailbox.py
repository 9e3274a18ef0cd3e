"""From a message in Gmail to `email.received`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailroom_contracts import Address, EmailReceived, Envelope, GmailOrigin, Verdicts
from mailroom_gmail import RawMessage
from mailroom_mail import verify_message_id
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.intake import normalise, understand

from .plan import got_at, is_sent
from .verdict import of_google


async def received(
    message: RawMessage, address: Address, *, blobs: BlobStore, inline_limit: int, now: datetime,
    our_keys: Mapping[str, bytes], imported: bool = False,
) -> EmailReceived | None:  # fmt: skip
    """The event, its raw source and attachments stored; None for a mail that Mailroom itself sent.

    It counts as received when Gmail got it, however late it is read. `imported`: it was there before the connection.
    """
    return_path, verdicts = of_google(message.raw)
    understood = await understand(message.raw, return_path)
    sent = is_sent(message.label_ids)
    if sent and (
        understood.mail.header("X-Mailroom-Id") or verify_message_id(understood.mail.message_id or "", our_keys)
    ):
        return None
    return await normalise(
        message.raw,
        blobs=blobs,
        portal_id=address.portal_id,
        envelope=Envelope(mail_from=return_path or "", rcpt_to=[address.email]),
        address_ids=[address.id],
        source="gmail",
        received_at=got_at(message.internal_ms, now),
        verdicts=verdicts if not sent else Verdicts(source="gmail"),
        gmail=GmailOrigin(
            address_id=address.id,
            message_id=message.id,
            thread_id=message.thread_id,
            label_ids=list(message.label_ids),
            sent=sent,
            imported=imported,
        ),
        inline_limit=inline_limit,
        trusted_front=True,
        understood=understood,
    )
