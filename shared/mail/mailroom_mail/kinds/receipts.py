"""Read receipts (message disposition notifications, RFC 8098): which mails they are about. Pure."""

from __future__ import annotations

from mailroom_mail.reading.model import Mail

from .refusals import RECEIPT_TYPES
from .returned_mail import COPY_TYPES, decoded, header_fields
from .status_fields import receipt_ids

_LONGEST = 50_000  # bytes of a part that are looked at
_MOST = 5


def about(mail: Mail) -> tuple[str, ...]:
    """The Message-IDs that a receipt names: its own field, then the header that it returns (ours beside the first)."""
    found: dict[str, None] = {}
    for part in mail.attachments:
        if part.content_type in RECEIPT_TYPES:
            found.update(dict.fromkeys(receipt_ids(decoded(part.content[:_LONGEST]))))
    for part in mail.attachments:
        if part.content_type in COPY_TYPES:
            for name, value in header_fields(decoded(part.content[:_LONGEST])):
                if name.lower() in ("message-id", "x-mailroom-id") and (value := value.strip(" <>\t")):
                    found.setdefault(value)
    return tuple(found)[:_MOST]
