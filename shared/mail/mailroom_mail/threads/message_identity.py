"""Which mail is the same mail: an identity derived from what it says, stable over a re-encoded resend."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from mailroom_mail.reading.model import Mail

_SPACE = re.compile(r"\s+")
_FOLD = re.compile(rb"\r\n|\r|\n")
# Fields that each hop adds or rewrites (RFC 5321 section 4.4 and custom): two copies of one mail differ in them.
_TRACE = re.compile(
    rb"^(?:received|return-path|delivered-to|x-original-to|x-received|x-forwarded-\w+|arc-[\w-]+|dkim-signature|"
    rb"authentication-results|received-spf|x-spam-[\w-]+|x-virus-[\w-]+|envelope-to|delivery-date)[ \t]*:",
    re.IGNORECASE,
)


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip() if not text.isascii() or "  " in text or "\n" in text else text.strip()


def _plain(text: str) -> bytes:
    """Text without what re-encoding changes: line ends, white space at the end of lines and of the text."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return "\n".join([line.rstrip() for line in lines]).strip().encode("utf-8", "surrogatepass")


def _in_utc(date: datetime) -> str:
    try:
        return date.astimezone(UTC).isoformat(timespec="seconds")
    except OverflowError:  # the first or last hours that a date can say, in another zone
        return date.isoformat(timespec="seconds")


def identity(mail: Mail, raw: bytes) -> str:
    """The message identity: 32 hex digits over Message-ID, From, Date, decoded subject and decoded leaf parts.

    Two mails that share a Message-ID but say different things differ; a resend in another transfer encoding is the
    same. Without a Message-ID (or with a blank one) To and Cc take its place; a mail of which nothing could be read
    is known by its bytes, apart from the trace fields that each hop adds.
    """
    digest = hashlib.blake2b(digest_size=16)
    message_id = (mail.message_id or "").strip("<> \t\r\n")
    sender = mail.from_.email.lower() if mail.from_ is not None else ""
    date = "" if mail.date is None else _in_utc(mail.date)
    fields = [message_id, sender, date, _squeeze(mail.subject)]
    if not message_id:
        fields += ["to", *(box.email.lower() for box in mail.to), "cc", *(box.email.lower() for box in mail.cc)]
    digest.update("\0".join(fields).encode("utf-8", "surrogatepass"))
    empty = True
    if mail.text and not mail.text_from_html:
        digest.update(b"\0text\0" + _plain(mail.text))
        empty = False
    if mail.html:
        digest.update(b"\0html\0" + _plain(mail.html))
        empty = False
    for attachment in mail.attachments:
        content = attachment.content
        if attachment.content_type.startswith(("text/", "message/")):
            content = _FOLD.sub(b"\n", content).rstrip()  # relays change line ends of what is text
        digest.update(b"\0part\0%d\0" % len(content))
        digest.update(content)
        empty = False
    if empty and not message_id:
        digest.update(b"\0raw\0" + _untraced(raw))
    return digest.hexdigest()


def _untraced(raw: bytes) -> bytes:
    """The bytes without trace fields, line ends made one kind."""
    kept: list[bytes] = []
    dropping, in_headers = False, True
    for line in _FOLD.split(raw):
        if in_headers:
            if not line:
                in_headers = False
            elif line[:1] not in b" \t":
                dropping = _TRACE.match(line) is not None
            if in_headers and dropping:
                continue
        kept.append(line)
    return b"\n".join(kept).rstrip()
