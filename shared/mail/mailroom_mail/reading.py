"""Bytes of a mail to its record: the fast way where the mail is plain, else the careful way."""

from __future__ import annotations

from . import careful, fast
from .model import Mail


def read(raw: bytes) -> Mail:
    """Read one mail. Any bytes give a result, in bounded time and memory; what is wrong with them is in `defects`."""
    mail = fast.read(raw)
    return mail if mail is not None else careful.read(raw)
