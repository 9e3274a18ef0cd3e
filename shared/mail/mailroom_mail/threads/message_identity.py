"""Which mail is the same mail: an identity derived from what it says, stable over a re-encoded resend."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from mailroom_mail.reading.model import Mail

_SPACE = re.compile(r"\s+")
_FOLD = re.compile(rb"\r\n|\r|\n")
_EMPTY_LINE = re.compile(rb"(?:\A|(?>\r\n|\r|\n))(?>\r\n|\r|\n)")
PIECE = 65_536  # characters
# Fields that each hop adds or rewrites (RFC 5321 section 4.4 and custom): two copies of one mail differ in them.
_TRACE = re.compile(
    rb"^(?:received|return-path|delivered-to|x-original-to|x-received|x-forwarded-\w+|arc-[\w-]+|dkim-signature|"
    rb"authentication-results|received-spf|x-spam-[\w-]+|x-virus-[\w-]+|envelope-to|delivery-date)[ \t]*:",
    re.IGNORECASE,
)


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip() if not text.isascii() or "  " in text or "\n" in text else text.strip()


def _plain(text: str) -> Iterator[bytes]:
    """Text without what re-encoding changes: line ends, white space at the end of lines and of the text. In pieces, since
    the lines of a large mail take several times its memory."""
    text, at = text.strip(), 0
    while at < len(text):
        end = text.find("\n", at + PIECE) + 1 or len(text)
        piece, at = text[at:end], end
        if "\r" in piece:
            piece = piece.replace("\r\n", "\n").replace("\r", "\n")
        yield "\n".join([line.rstrip() for line in piece.split("\n")]).encode("utf-8", "surrogatepass")


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
    for name, text in (b"text", "" if mail.text_from_html else mail.text), (b"html", mail.html):
        if text:
            digest.update(b"\0%s\0" % name)
            for piece in _plain(text):
                digest.update(piece)
            empty = False
    for attachment in mail.attachments:
        content = attachment.content
        if attachment.content_type.startswith(("text/", "message/")):
            content = _one_line_end(content).rstrip()  # relays change line ends of what is text
        digest.update(b"\0part\0%d\0" % len(content))
        digest.update(content)
        empty = False
    if empty and not message_id:
        digest.update(b"\0raw\0")
        for part in _untraced(raw):
            digest.update(part)
    return digest.hexdigest()


def _one_line_end(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _untraced(raw: bytes) -> Iterator[bytes]:
    """The bytes without trace fields, line ends made one kind: the head, then the body in pieces."""
    empty = _EMPTY_LINE.search(raw)
    kept: list[bytes] = []
    dropping = False
    for line in _FOLD.split(raw[: empty.start()] if empty else raw):
        if line[:1] not in b" \t":
            dropping = _TRACE.match(line) is not None
        if line and not dropping:
            kept.append(line)
    begin = b"".join(line + b"\n" for line in kept)
    at, stop = (empty.end(), len(raw.rstrip())) if empty else (0, 0)
    if at >= stop:
        yield begin.rstrip()
        return
    yield begin + b"\n"
    while at < stop:
        end = min(raw.find(b"\n", at + PIECE) + 1 or stop, stop)
        yield _one_line_end(raw[at:end])
        at = end
