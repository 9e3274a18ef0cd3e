"""OpenPGP within text (RFC 9580 sections 6 and 7): the armour around signed words is taken away, encrypted blocks are set apart."""

from __future__ import annotations

import binascii
import re
from html import escape
from itertools import dropwhile, islice
from typing import NamedTuple

BEGIN = "-----BEGIN PGP "  # what stands in every text that has any armour
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_END = "-----END PGP SIGNATURE-----"
_SEALED = ("-----BEGIN PGP MESSAGE-----", "-----BEGIN PGP MESSAGE, PART")
_SEALED_END = "-----END PGP MESSAGE"
_ARMOUR_HEADER = re.compile(r"[A-Za-z][A-Za-z-]{1,20}: ")
_HTML_SEALED = re.compile(
    r"-----BEGIN PGP MESSAGE(?:, PART [0-9/]{1,9})?-----.*?(?:-----END PGP MESSAGE[^-<]{0,20}-----|\Z)", re.DOTALL
)
_HTML_OPENING = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----(?:<[^<>]*>|\s|&nbsp;|(?:Hash|Charset|Comment|Version): [^<\n]{0,200})*"
)
_HTML_SIGNATURE = re.compile(r"-----BEGIN PGP SIGNATURE-----.*?(?:-----END PGP SIGNATURE-----|\Z)", re.DOTALL)
_HTML_DASHED = re.compile(r"(?<=[>\n])- (?=-|From )")
_TAG = re.compile(r"<[^<>]*>")
_MOST_KEYS = 50
_CANNOT = "it cannot be read here"


class Opened(NamedTuple):
    """Text without armour, whether encrypted blocks stood in it (they are in the source), and whether any of it is signed."""

    text: str
    sealed: bool
    signed: bool


def open_text(text: str) -> Opened:
    """Take signed text out of its armour, dashes back included, and put a sentence in the place of what is encrypted."""
    out: list[str] = []
    sealed = signed = False
    lines = text.split("\n")
    index, count = 0, len(lines)
    within = False  # a signed text whose signature has not come yet
    while index < count:
        line = lines[index].rstrip()
        index += 1
        if line[:5] != "-----":
            out.append(lines[index - 1][2:] if within and line[:2] == "- " else lines[index - 1])
        elif line == _SIGNED:
            signed = within = True
            while index < count and _ARMOUR_HEADER.match(lines[index]):
                index += 1
            if index < count and not lines[index].strip():
                index += 1
        elif line == _SIGNATURE and signed:
            within = False
            index = _after(lines, index, _SIGNATURE_END)
        elif line.startswith(_SEALED):
            start, index = index - 1, _after(lines, index, _SEALED_END)
            block = "\n".join(lines[start:index]) + "\n"
            sealed = True
            out.append(note(block))
        else:
            out.append(lines[index - 1])
    return Opened("\n".join(out), sealed, signed)


def open_html(html: str) -> Opened:
    """The same for HTML, whose source the lines of the armour stand in."""
    html, sealed = _HTML_SEALED.subn(
        lambda found: escape(note(_TAG.sub("", found.group()).replace("&#43;", "+"))), html
    )
    signed = _SIGNED in html
    if signed:
        html = _HTML_SIGNATURE.sub("", _HTML_OPENING.sub("", html))
        html = _HTML_DASHED.sub("", html)
    return Opened(html, sealed > 0, signed)


def _after(lines: list[str], index: int, end: str) -> int:
    """The index after the line that ends a block; after the last line where none does."""
    while index < len(lines):
        index += 1
        if lines[index - 1].startswith(end):
            break
    return index


def note(block: str) -> str:
    """What a reader sees in the place of an encrypted block."""
    keys = key_ids(block)
    whom = f" for {', '.join(keys)}" if keys else ""
    return f"[This part is encrypted (OpenPGP){whom}: {_CANNOT}.]"


def key_ids(block: str) -> list[str]:
    """The keys that an armoured message is encrypted for, as "key 0123456789ABCDEF"; [] where it does not say so."""
    after_headers = dropwhile(lambda line: not line.strip() or ": " in line, block.strip().splitlines()[1:])
    body = "".join(line.strip() for line in islice(after_headers, 400) if line[:1] not in ("=", "-"))
    try:
        data = binascii.a2b_base64(body[: len(body) // 4 * 4])
    except (binascii.Error, ValueError):
        return []
    return _keys(data)


def _keys(data: bytes) -> list[str]:
    """The key ids of the public-key encrypted session key packets (tag 1) at the beginning."""
    found: dict[str, None] = {}
    position = 0
    while position + 12 < len(data) and len(found) < _MOST_KEYS:
        head = data[position]
        if head & 0x40:
            tag, length = head & 0x3F, data[position + 1]
            position += 2
            if 192 <= length < 224:
                length = ((length - 192) << 8) + data[position] + 192
                position += 1
            elif length >= 224:
                break
        else:
            tag, size = head >> 2 & 0x0F, head & 3
            if not head & 0x80 or size == 3:
                break
            width = 1 << size
            length = int.from_bytes(data[position + 1 : position + 1 + width], "big")
            position += 1 + width
        if tag != 1:
            break
        packet = data[position : position + length]
        if packet[:1] == b"\x03" and len(packet) > 9:
            found.setdefault("a hidden key" if not any(packet[1:9]) else f"key {packet[1:9].hex().upper()}")
        elif packet[:1] == b"\x06" and len(packet) > 2 and packet[1]:
            found.setdefault(f"key {packet[3 : 2 + packet[1]].hex().upper()}")
        position += length
    return list(found)
