"""Writing mail (RFC 5322, RFC 2045 ff.): stable bytes, so that a resend is the same mail. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mailroom_mail.reading.model import Attachment, Mailbox

from . import header_writing as write
from .plain_html import text_to_html
from .quotation import QuotedMail, quoted_html, quoted_text

_MOST_REFERENCES = 30
_REFERENCES_LENGTH = 6000  # characters; far below what servers take for one field
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_AUTO = re.compile(r"[A-Za-z0-9-]{1,40}(?:; ?[A-Za-z0-9=_ -]{1,60})?")
_MAILROOM_ID = "X-Mailroom-Id"


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail to write. `bcc` belongs to the envelope and is never written; ids stand without angle brackets.

    `text` empty is made from `html`; `html` None is made from `text` only where a quoted mail has HTML or pictures are
    shown. `references` are the ids that the answered mail had, oldest first. `date` is aware. Attachments with a
    content id that the HTML shows (`cid:`) become part of it.
    """

    message_id: str
    from_: Mailbox
    date: datetime
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    sender: Mailbox | None = None
    subject: str = ""
    text: str = ""
    html: str | None = None
    quote: QuotedMail | None = None
    earlier: tuple[QuotedMail, ...] = ()  # more history, below `quote`
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    auto_submitted: str | None = None  # RFC 3834: auto-replied, auto-generated
    headers: tuple[tuple[str, str], ...] = ()


def needs_smtputf8(mail: OutgoingMail) -> bool:
    """Whether the mail can only go where SMTPUTF8 (RFC 6531) is offered: a local part is not ASCII."""
    boxes = (mail.from_, *mail.to, *mail.cc, *mail.bcc, *mail.reply_to, *((mail.sender,) if mail.sender else ()))
    return any(not box.email.rpartition("@")[0].isascii() for box in boxes)


def trimmed_references(references: tuple[str, ...], in_reply_to: str | None) -> tuple[str, ...]:
    """References for an answer (RFC 5322 section 3.6.4), in the order of time; they end with the parent, and the root and
    the latest stay.

    Ids that could not be written (white space, not ASCII, longer than 900 characters) are left out.
    """
    parent = (in_reply_to or "").strip("<> \t\r\n")
    named = dict.fromkeys(value.strip("<> \t\r\n") for value in references)
    named.pop(parent, None)
    chain = [value for value in (*named, parent) if write.is_usable_id(value)]
    while len(chain) > _MOST_REFERENCES or (
        len(chain) > 2 and sum(map(len, chain)) + 3 * len(chain) > _REFERENCES_LENGTH
    ):
        del chain[1]
    return tuple(chain)


def compose(mail: OutgoingMail) -> bytes:
    """The mail as bytes with CRLF line ends; equal input gives equal bytes.

    Raises ValueError, naming the field, for a line break or NUL in a header field, for what is not an address, for a
    message id or media type that could not stand in a header, and for a date without zone.
    """
    if mail.date.tzinfo is None:
        raise ValueError("date: needs a time zone")
    own = write.message_id("message_id", mail.message_id)
    head = [
        f"Date: {format_datetime(mail.date)}\r\n",
        write.mailboxes("From", (mail.from_,)),
        write.mailboxes("Sender", (mail.sender,)) if mail.sender else "",
        write.mailboxes("Reply-To", mail.reply_to),
        write.mailboxes("To", mail.to),
        write.mailboxes("Cc", mail.cc),
        write.unstructured("Subject", mail.subject),
        f"Message-ID: {own}\r\n",
    ]
    for box in mail.bcc:
        write.address("Bcc", box.email)
    parent = mail.in_reply_to.strip("<> \t") if mail.in_reply_to else ""
    write.checked("In-Reply-To", parent)
    if parent and write.is_usable_id(parent):
        head.append(f"In-Reply-To: <{parent}>\r\n")
    for value in mail.references:
        write.checked("References", value)
    # Never our own id: who answers adds it, and would have it twice.
    chain = [value for value in trimmed_references(mail.references, parent or None) if f"<{value}>" != own]
    if chain:
        head.append(write.tokens("References", [f"<{value}>" for value in chain]))
    head.append(write.tokens(_MAILROOM_ID, [own]))
    if mail.auto_submitted:
        if not _AUTO.fullmatch(mail.auto_submitted):
            raise ValueError("auto_submitted: not a keyword of RFC 3834")
        head.append(f"Auto-Submitted: {mail.auto_submitted}\r\nX-Auto-Response-Suppress: All\r\n")
    head += [write.further(name, value) for name, value in mail.headers]
    head.append("MIME-Version: 1.0\r\n")
    if not mail.to and not mail.cc and mail.bcc:
        head.insert(4, "To: undisclosed-recipients:;\r\n")
    return "".join(head).encode("utf-8") + _body(mail)


def _body(mail: OutgoingMail) -> bytes:
    text, html = _versions(mail)
    shown: list[Attachment] = []
    attached: list[Attachment] = []
    for part in mail.attachments:
        is_shown = html is not None and part.content_id is not None and f"cid:{part.content_id.strip('<>')}" in html
        (shown if is_shown else attached).append(part)
    seed = hashlib.blake2b(mail.message_id.encode(), digest_size=12).hexdigest()
    body = _text_part("text/plain", text)
    if html is not None:
        rich = _text_part("text/html", html)
        if shown:
            rich = _multipart(
                "related", seed, [rich, *(_file_part(part, True) for part in shown)], '; type="text/html"'
            )
        body = _multipart("alternative", seed, [body, rich])
    if attached:
        body = _multipart("mixed", seed, [body, *(_file_part(part, False) for part in attached)])
    return body


def _versions(mail: OutgoingMail) -> tuple[str, str | None]:
    """The text and the HTML that are sent, each made from the other where it is missing, history below."""
    html = mail.html
    text = mail.text
    quotes = ((mail.quote,) if mail.quote is not None else ()) + mail.earlier
    if not text and html:
        from mailroom_mail.showing.rendering import to_text

        text = to_text(html)
    if html is None and any(quote.html for quote in quotes):
        html = text_to_html(text)
    if not quotes:
        return text, html
    text = f"{text.rstrip()}\n\n" + "\n\n".join(quoted_text(quote) for quote in quotes) + "\n"
    if html is not None:
        html = f"{_without_end(html)}<br>" + "<br>".join(quoted_html(quote) for quote in quotes)
    return text, html


_END = re.compile(r"\s*(?:</body\s*>\s*)?(?:</html\s*>\s*)?\Z", re.IGNORECASE)


def _without_end(html: str) -> str:
    tail = html[-200:]
    found = _END.search(tail.rstrip())
    return html[: len(html) - len(tail)] + (tail.rstrip()[: found.start()] if found else tail)


def _text_part(kind: str, text: str) -> bytes:
    """A text part in UTF-8: as it is where it is short-lined ASCII, else quoted-printable or base64, whichever is shorter."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    data = text.encode("utf-8", "replace")
    if not data.endswith(b"\n"):
        data += b"\n"
    head = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: '
    if (
        data.isascii()
        and not data.startswith(b"From ")
        and b"\nFrom " not in data
        and max(map(len, data.split(b"\n"))) <= 78
        and b"=_" not in data
        and b" \n" not in data
    ):
        return f"{head}7bit\r\n\r\n".encode() + data.replace(b"\n", b"\r\n")
    rare = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if rare * 6 > len(data):
        return f"{head}base64\r\n\r\n".encode() + base64.encodebytes(data.replace(b"\n", b"\r\n")).replace(
            b"\n", b"\r\n"
        )
    quoted = binascii.b2a_qp(data, istext=True)
    if quoted.startswith(b"From ") or b"\nFrom " in quoted:
        quoted = re.sub(rb"(?m)^From ", b"=46rom ", quoted)
    return f"{head}quoted-printable\r\n\r\n".encode() + quoted.replace(b"\n", b"\r\n")


def _file_part(part: Attachment, shown: bool) -> bytes:
    kind = part.content_type.lower() or "application/octet-stream"
    if not _MEDIA_TYPE.fullmatch(kind):
        raise ValueError(f"attachment: {part.content_type[:60]!r} is not a media type")
    if kind.startswith(("multipart/", "message/")):
        # These may not be base64 (RFC 2046 section 5.2.1), and as they came they could hold anything.
        plain = (
            kind == "message/rfc822"
            and part.content.isascii()
            and b"\0" not in part.content
            and not _has_long_line(part.content)
        )
        if plain and b"=_" not in part.content:
            content = re.sub(rb"\r\n|\r|\n", b"\r\n", part.content)
            return _file_head(part, kind, "7bit", shown) + content + (b"" if content.endswith(b"\r\n") else b"\r\n")
        kind = "application/octet-stream"
    return _file_head(part, kind, "base64", shown) + base64.encodebytes(part.content).replace(b"\n", b"\r\n")


def _has_long_line(content: bytes) -> bool:
    return max(map(len, content.split(b"\n"))) > 998


def _file_head(part: Attachment, kind: str, encoding: str, shown: bool) -> bytes:
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Disposition: {'inline' if shown else 'attachment'}"
    if part.filename:
        head += write.parameter("filename", "filename", part.filename)
    head += "\r\n"
    if part.content_id:
        head += f"Content-ID: {write.message_id('content_id', part.content_id)}\r\n"
    return head.encode("utf-8") + b"\r\n"


def _multipart(kind: str, seed: str, parts: list[bytes], more: str = "") -> bytes:
    # "=_" can stand in no base64 and no quoted-printable; parts sent as they are were looked at for it.
    boundary = f"=_{kind[:3]}_{seed}"
    line = b"--" + boundary.encode("ascii")
    out = [f'Content-Type: multipart/{kind}; boundary="{boundary}"{more}\r\n\r\n'.encode("ascii")]
    for part in parts:
        out += [line, b"\r\n", part, b"\r\n"]
    out += [line, b"--\r\n"]
    return b"".join(out)


def dkim_sign(raw: bytes, domain: str, selector: str, private_key: bytes) -> bytes:
    """The mail with a DKIM signature (RFC 6376, rsa-sha256, relaxed/relaxed) on top. `private_key` is PEM.

    Raises ValueError where key, domain or mail cannot be used. The signature holds the present time, so sign what is
    sent, and keep the unsigned mail as the stable one.
    """
    import dkim

    try:
        field: bytes = dkim.sign(
            raw, selector.encode("ascii"), domain.encode("ascii"), private_key, canonicalize=(b"relaxed", b"relaxed")
        )
    except (dkim.DKIMException, UnicodeError, ValueError) as error:
        raise ValueError(f"the mail cannot be signed for {domain}: {error}") from error
    return field + raw
