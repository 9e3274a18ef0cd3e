"""What a person wrote in a mail, as text and as HTML, apart from quoted history and signature. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mailroom_mail.reading.model import Mail
from mailroom_mail.showing.rendering import to_text

from .quote_words import FORWARD_SUBJECT
from .reply_html import html_reply
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
    if mail.subject and FORWARD_SUBJECT.match(mail.subject):
        return Reply(mail.text.strip("\n").rstrip(), mail.html, False)
    plain = plain_reply(mail.text)
    if not mail.html:
        return Reply(plain.text, mail.html, plain.quoted)
    shown = html_reply(mail.html, look_closely=plain.quoted)
    text = plain.text
    if shown.html is not mail.html and (mail.text_from_html or (shown.quoted and not plain.quoted)):
        # The client's own marks say more than the words of a rendering.
        text = plain_reply(to_text(shown.html)).text or plain.text
    return Reply(text, shown.html, plain.quoted or shown.quoted)
