"""The fast reader: plain mails only, the same answer as the careful one in a fraction of its time.

It gives up (None) at the first sign of anything odd: 8-bit headers, repeated or missing headers, unusual nesting, a label
that the bytes contradict, any defect at all. A property test holds that both readers agree wherever this one answers.
Measured beside it: fast-mail-parser, the Rust parser, takes half of this reader's time for less than half of its work, and
what has to be added in Python (headers in order, addresses, dates, references) makes up the difference.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailroom_mail.showing import rendering

from . import addresses, bodies, charsets, dates, encoded_words, names, parameters, tnef, transfer
from .careful import message_id, message_ids, unstructured
from .charset_labels import codec_name
from .model import Attachment, Mail, Mailbox

MAX_SIZE = 4 << 20
_MAX_DEPTH = 4
_NAME = re.compile(r"[!-9;-~]+")
_MULTIPART = re.compile(
    r'multipart/(alternative|mixed|related) ?; ?\t?boundary="?([\w.=+\'()/:?-]{3,80})"?(?:; ?\t?(?:charset|type)="?[\w./-]+"?)?;?',
    re.ASCII | re.IGNORECASE,
)
_ENCODINGS = {
    "7bit": "", "8bit": "", "base64": "base64", "quoted-printable": "quoted-printable", "binary": "",
    "7BIT": "", "8BIT": "", "BASE64": "base64", "QUOTED-PRINTABLE": "quoted-printable", "Base64": "base64",
    "Quoted-Printable": "quoted-printable",
}  # fmt: skip
_KNOWN = """
From To Cc Bcc Subject Date Sender Reply-To Message-ID Message-Id In-Reply-To References Received Return-Path
MIME-Version Mime-Version Content-Type Content-Transfer-Encoding Content-Disposition Content-ID Content-Language
Delivered-To DKIM-Signature Authentication-Results Received-SPF ARC-Seal ARC-Message-Signature User-Agent
ARC-Authentication-Results X-Mailer X-Received X-Google-DKIM-Signature X-Gm-Message-State X-Google-Smtp-Source
Thread-Topic Thread-Index Accept-Language List-Unsubscribe List-Id Precedence Auto-Submitted X-Originating-IP
Importance X-Priority
"""
_LOWER = {name: name.lower() for name in _KNOWN.split()}
_SINGLE = """
from sender reply-to to cc bcc subject date message-id in-reply-to references content-type content-transfer-encoding
content-disposition mime-version content-id
"""
_ONCE = frozenset(_SINGLE.split())
_BODY_KINDS = frozenset({"text/plain", "text/html"})
_SECURED = ("application/pkcs7-", "application/x-pkcs7-", "application/pgp", "application/ics")
_CONTAINERS = ("winmail.dat", ".p7m", ".p7s", ".ics")
_SELF_CONTAINED = ("text/", "message/", "multipart/")


class _Odd(Exception):
    """The mail is not plain: the careful reader has to read it."""


class _Leaf(NamedTuple):
    fields: dict[str, str]
    kind: str
    parameters: dict[str, str]
    encoding: str
    body: bytes


class _Found:
    __slots__ = ("attached", "html", "text")

    def __init__(self) -> None:
        self.text: _Leaf | None = None
        self.html: _Leaf | None = None
        self.attached: list[tuple[_Leaf, str, str | None]] = []

    @property
    def both(self) -> bool:
        """Whether there is a text and an HTML version."""
        return self.text is not None and self.html is not None


def read(raw: bytes) -> Mail | None:
    """The mail, or None when it is not plain enough."""
    if len(raw) > MAX_SIZE:
        return None
    lines = raw.replace(b"\r", b"")
    if len(raw) - len(lines) != raw.count(b"\r\n"):  # a bare CR somewhere
        return None
    try:
        return _read(lines, len(raw))
    except _Odd:
        return None


def _read(raw: bytes, size: int) -> Mail:
    """Read a mail whose lines end with LF."""
    fields, first, blank = _header(raw)
    if "from" not in first or "date" not in first or "message-id" not in first:
        raise _Odd
    defects: list[str] = []
    found = _Found()
    kind, hint = _place(raw, blank, fields=first, found=found, depth=0)
    text, html, from_html = _bodies(found, hint, defects)
    attachments = [_attachment(leaf, disposition, name, html, defects) for leaf, disposition, name in found.attached]
    if attachments:
        names.give(attachments)

    get = first.get
    parse = addresses.parse
    from_ = parse(first["from"], defects, hint)
    if not from_:
        raise _Odd
    sender = get("sender")
    senders = parse(sender, defects, hint) if sender else ()
    reply_to, to, cc, bcc = get("reply-to"), get("to"), get("cc"), get("bcc")
    none: tuple[Mailbox, ...] = ()
    subject = get("subject", "")
    date = dates.parse(first["date"], defects)
    for index, (name, value) in enumerate(fields):
        if "=?" in value:
            fields[index] = (name, encoded_words.decode(value, defects, hint))
    mail = Mail(
        message_id(first["message-id"]),
        from_[0],
        senders[0] if senders else None,
        parse(reply_to, defects, hint) if reply_to else none,
        parse(to, defects, hint) if to else none,
        parse(cc, defects, hint) if cc else none,
        parse(bcc, defects, hint) if bcc else none,
        unstructured(subject, defects, hint),
        date,
        message_ids(get("in-reply-to")),
        message_ids(get("references")),
        text,
        html,
        tuple(attachments),
        tuple(fields),
        kind,
        None,
        from_html,
        (),
        size,
    )
    if defects:
        raise _Odd
    return mail


def _header(raw: bytes) -> tuple[list[tuple[str, str]], dict[str, str], int]:
    """Fields in order, the first value by lower-case name, and where the body begins."""
    blank = raw.find(b"\n\n")
    block = raw[:blank]
    if blank <= 0 or not block.isascii() or block[:1] in b" \t\n" or len(block) > 200_000:
        raise _Odd
    text = block.decode("ascii")
    if "\0" in text or "\x1b" in text:
        raise _Odd
    fields: list[tuple[str, str]] = []
    first: dict[str, str] = {}
    known = _LOWER.get
    for line in text.replace("\n ", " ").replace("\n\t", "\t").split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise _Odd
        value = value.strip()
        fields.append((name, value))
        lower = known(name)
        if lower is None:
            if not _NAME.fullmatch(name):
                raise _Odd
            lower = name.lower()
        if lower not in first:
            first[lower] = value
        elif lower in _ONCE:
            raise _Odd
    if len(fields) > 500:
        raise _Odd
    return fields, first, blank + 2


def _place(raw: bytes, start: int, *, fields: dict[str, str], found: _Found, depth: int) -> tuple[str, str | None]:
    """Take one entity apart; its media type and charset. Only shapes whose body is beyond doubt are accepted."""
    value = fields.get("content-type", "")
    match = _MULTIPART.fullmatch(value)
    if match is None:
        leaf = _leaf(raw[start:], fields, value)
        disposition, name = _disposition(leaf)
        if leaf.kind not in _BODY_KINDS or disposition == "attachment" or name:
            raise _Odd
        _take(leaf, found)
        return leaf.kind, leaf.parameters.get("charset")
    if depth >= _MAX_DEPTH:
        raise _Odd
    subtype = match[1].lower()
    encoding = fields.get("content-transfer-encoding")
    if encoding and _ENCODINGS.get(encoding) != "":
        raise _Odd
    parts = _split(raw, start, match[2].encode("ascii"))
    if subtype == "alternative":
        _alternative(parts, found, depth)
    else:
        _first_and_rest(parts, found, depth)
    return f"multipart/{subtype}", None


def _split(raw: bytes, start: int, boundary: bytes) -> list[bytes]:
    """The parts between the delimiters, each with its header; anything unusual around a delimiter is odd."""
    pieces = raw[start - 1 :].split(b"\n--" + boundary)
    end = pieces.pop()
    if not 2 <= len(pieces) <= 50 or not end.startswith(b"--") or end[2:3] not in b"\n":
        raise _Odd
    parts = []
    for piece in pieces[1:]:
        if piece[:1] != b"\n":
            raise _Odd
        parts.append(piece[1:])
    return parts


def _alternative(parts: list[bytes], found: _Found, depth: int) -> None:
    """Exactly text/plain, then text/html (or multipart/related around it)."""
    if len(parts) != 2 or found.text is not None or found.html is not None:
        raise _Odd
    for index, piece in enumerate(parts):
        _, fields, blank = _header(piece)
        value = fields.get("content-type", "")
        related = index == 1 and value[:10].lower() == "multipart/"
        kind, _ = _place(piece, blank, fields=fields, found=found, depth=depth + 1)
        if kind != ("multipart/related" if related else ("text/plain", "text/html")[index]):
            raise _Odd
    if not found.both:
        raise _Odd


def _first_and_rest(parts: list[bytes], found: _Found, depth: int) -> None:
    """The body first, then attachments that are no text."""
    for index, piece in enumerate(parts):
        _, fields, blank = _header(piece)
        if index == 0:
            _place(piece, blank, fields=fields, found=found, depth=depth + 1)
            continue
        leaf = _leaf(piece[blank:], fields, fields.get("content-type", ""))
        disposition, name = _disposition(leaf)
        if leaf.kind.startswith(_SELF_CONTAINED) or leaf.kind in tnef.TYPES or leaf.encoding != "base64":
            raise _Odd
        if leaf.kind.startswith(_SECURED) or (name and name.lower().endswith(_CONTAINERS)):
            raise _Odd
        found.attached.append((leaf, disposition, name))


def _leaf(body: bytes, fields: dict[str, str], value: str) -> _Leaf:
    defects: list[str] = []
    kind, said = parameters.content_type(value, "text/plain", defects)
    encoding = fields.get("content-transfer-encoding")
    plain = _ENCODINGS.get(encoding) if encoding else ""
    if defects or plain is None:
        raise _Odd
    return _Leaf(fields, kind, said, plain, body)


def _disposition(leaf: _Leaf) -> tuple[str, str | None]:
    value = leaf.fields.get("content-disposition")
    if value is None and "name" not in leaf.parameters:
        return "", None
    defects: list[str] = []
    disposition = parameters.disposition(value, defects)
    name = parameters.filename(disposition, parameters.Value(leaf.kind, leaf.parameters))
    if defects:
        raise _Odd
    return disposition.kind, name


def _take(leaf: _Leaf, found: _Found) -> None:
    if leaf.kind == "text/html":
        if found.html is not None:
            raise _Odd
        found.html = leaf
    else:
        if found.text is not None or found.html is not None:
            raise _Odd
        found.text = leaf


def _bodies(found: _Found, hint: str | None, defects: list[str]) -> tuple[str, str | None, bool]:
    text = html = None
    if found.text is not None:
        text = _decoded(found.text, hint, defects)
        if "begin" in text and transfer.has_uuencoded(text):
            raise _Odd
        said = found.text.parameters
        if "format" in said and said["format"].lower() == "flowed":
            text = bodies.unflowed(text, said)
        if found.html is None and (not text.strip() or text.startswith("--")):
            raise _Odd  # perhaps what it forwards has words; perhaps it is a multipart that does not say so
    if found.html is not None:
        html = _decoded(found.html, hint, defects)
        if text is None or not text.strip():
            return rendering.to_text(html), html, True
    return text or "", html, False


def _decoded(leaf: _Leaf, hint: str | None, defects: list[str]) -> str:
    data = _content(leaf, defects)
    label = leaf.parameters.get("charset")
    html_may_say = leaf.kind == "text/html" and label and codec_name(label) in (None, "ascii")
    if not data.isascii() and (not label or html_may_say):
        raise _Odd
    text = charsets.decode(data, label, defects, hint)
    if "\0" in text or "-----BEGIN PGP " in text:
        raise _Odd
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            text = text.replace("\r", "\n")
    return text


def _content(leaf: _Leaf, defects: list[str]) -> bytes:
    if not leaf.encoding:
        return leaf.body
    return transfer.decode(leaf.body, leaf.encoding, defects, text=leaf.kind.startswith("text/"))


def _attachment(leaf: _Leaf, disposition: str, name: str | None, html: str | None, defects: list[str]) -> Attachment:
    return bodies.attachment(leaf.fields, leaf.kind, disposition, name, _content(leaf, defects), html)
