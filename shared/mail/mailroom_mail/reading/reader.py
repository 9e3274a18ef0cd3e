"""Bytes of a mail to its record: the fast way where the mail is plain, else the careful way."""

from __future__ import annotations

from . import careful, fast
from .model import Attachment, Mail


def read(raw: bytes) -> Mail:
    """Read one mail. Any bytes give a result, in bounded time and memory; what is wrong with them is in `defects`."""
    try:
        mail = fast.read(raw)
        return mail if mail is not None else careful.read(raw)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # No input is known that comes here (the fuzz tests see to it). An accepted mail must become a ticket all the
        # same: with its source attached, and the defect saying what kind of mistake of ours it met.
        return Mail(
            message_id=None,
            from_=None,
            attachments=(Attachment("message.eml", "message/rfc822", raw),),
            defects=(f"reader-failed:{type(error).__name__}",),
            size=len(raw),
        )
