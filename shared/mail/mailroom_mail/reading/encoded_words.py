"""RFC 2047: encoded words in headers, read as leniently as senders write them."""

from __future__ import annotations

import binascii
import re

from . import charsets
from .defect_names import add

MAX_LENGTH = 1 << 17  # characters of one header that are decoded

# The text may hold spaces and question marks though RFC 2047 section 2 forbids both: many senders write them.
# Every alternative is bounded by question marks, so that no header takes more than linear time.
WORD = re.compile(r"=\?([^?\s=]{0,60})\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*){0,20}?)\?=")
_UNCLOSED = re.compile(r"=\?([^?\s=]{1,60})\?([bBqQ])\?([^?\s]+)\??$")
_BASE64_JUNK = re.compile(r"[^A-Za-z0-9+/]+")


def decode(value: str, defects: list[str], hint: str | None = None) -> str:
    """`value` with its encoded words decoded. Text between two encoded words that is only white space disappears
    (RFC 2047 section 6.2); neighbours of one charset are joined as bytes first, since some senders split characters.
    """
    if "=?" not in value:
        return value
    if len(value) > MAX_LENGTH:
        add(defects, "too-long-header")
        return decode(value[:MAX_LENGTH], defects, hint) + value[MAX_LENGTH:]
    out: list[str] = []
    pending: list[bytes] = []
    label = ""
    position = 0
    for match in WORD.finditer(value):
        between = value[position : match.start()]
        charset, encoding, text = match.groups()
        data = _payload(encoding, text, defects)
        glued = position > 0 and (not between or between.isspace())
        if not (glued and pending and charset.lower() == label):
            if pending:
                out.append(charsets.decode(b"".join(pending), label or None, defects, hint))
                pending = []
            if not glued:
                out.append(between)
        pending.append(data)
        label = charset.lower()
        position = match.end()
    if pending:
        out.append(charsets.decode(b"".join(pending), label or None, defects, hint))
    rest = value[position:]
    if "=?" in rest:
        rest = _unclosed(rest, defects, hint)
    if position and rest.isspace():
        rest = ""
    out.append(rest)
    return "".join(out)


def _unclosed(rest: str, defects: list[str], hint: str | None) -> str:
    """A word that a length limit cut off: decoded as far as it goes."""
    match = _UNCLOSED.search(rest)
    if match is None:
        return rest
    add(defects, "unclosed-encoded-word")
    charset, encoding, text = match.groups()
    return rest[: match.start()] + charsets.decode(_payload(encoding, text, defects), charset, defects, hint)


def _payload(encoding: str, text: str, defects: list[str]) -> bytes:
    if encoding in "qQ":
        data = text.encode("utf-8", "replace").replace(b"_", b" ")
        return data if b"=" not in data else binascii.a2b_qp(data)
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        add(defects, "bad-encoded-word")
    pieces = []
    for piece in text.split("="):
        clean = _BASE64_JUNK.sub("", piece)
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        pieces.append(binascii.a2b_base64(clean + "=" * (-len(clean) % 4)))
    return b"".join(pieces)
