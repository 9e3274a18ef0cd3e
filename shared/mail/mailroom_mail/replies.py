"""What a person wrote in a mail, as text and as HTML, apart from quoted history and signature. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Mail
from .reply_text import plain_reply


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply itself: `text`, `html` (unsafe as sent, None where the mail has none), and whether history was set apart.

    Where all of a mail is quoted, or it is a forward, `text` and `html` are the whole of it and `quoted` is False.
    """

    text: str
    html: str | None
    quoted: bool


def extract_reply(mail: Mail) -> Reply:
    """The reply of a mail, in time linear in its size; never empty where the mail has a body."""
    plain = plain_reply(mail.text, mail.subject)
    return Reply(plain.text, mail.html, plain.quoted)
