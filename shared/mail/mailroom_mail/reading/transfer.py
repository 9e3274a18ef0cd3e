"""Content-Transfer-Encoding undone (RFC 2045 section 6), however damaged the encoded text is."""

from __future__ import annotations

import binascii
import re

from .defect_names import add

_TOKEN = re.compile(r"[A-Za-z0-9-]+")
_JUNK = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_ALLOWED = bytes(set(range(256)) - set(_JUNK)) + b"\r\n"
_SPACED_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_LINE = re.compile(rb"[^\n]*\n?")
MAX_PIECES = 50_000  # separately padded pieces of base64; what follows is taken for one
_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,4}(?: ([^\r\n]*\S))?[ \t]*\r?\n", re.MULTILINE)
_IDENTITY = frozenset({"7bit", "8bit", "binary", "", "7-bit", "8-bit", "none", "7bits", "8bits", "8it", "unknown"})
_ALIASES = {
    "quoted-printable": "quoted-printable",
    "quotedprintable": "quoted-printable",
    "quoted": "quoted-printable",
    "base64": "base64",
    "base-64": "base64",
    "b64": "base64",
    "x-uuencode": "uuencode",
    "x-uue": "uuencode",
    "uuencode": "uuencode",
    "uue": "uuencode",
}


def name(value: str | None, defects: list[str]) -> str:
    """`base64`, `quoted-printable`, `uuencode` or "" (as is); unknown ones are named in the defects and read as is."""
    if not value:
        return ""
    found = _TOKEN.search(value)
    word = found.group().lower() if found else ""
    known = _ALIASES.get(word)
    if known:
        return known
    if word not in _IDENTITY:
        add(defects, "unknown-transfer-encoding")
    return ""


def decode(data: bytes, encoding: str, defects: list[str], *, text: bool = False) -> bytes:
    """The bytes behind `data`; never raises. `text` says that words are expected, so that text which is not base64
    at all under a base64 label is recognised and left alone."""
    if encoding == "base64":
        return base64(data, defects, text=text)
    if encoding == "quoted-printable":
        if b"= " in data or b"=\t" in data:
            data = _SPACED_SOFT_BREAK.sub(b"=", data)
        if b"=\r" in data and data.count(b"=\r") != data.count(b"=\r\n"):
            # The decoder takes a bare CR for the start of a line end and drops what follows.
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return binascii.a2b_qp(data) if b"=" in data else data
    if encoding == "uuencode":
        return uuencoded(data, defects)
    return data


def base64(data: bytes, defects: list[str], *, text: bool = False) -> bytes:
    """Base64 with junk, missing padding, or several padded pieces one after the other."""
    padded = data.find(b"=")
    if (padded < 0 or len(data) - padded < 8) and _is_clean(data):
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            pass
    clean = data.translate(None, _JUNK)
    junk = len(data) - len(clean) - data.count(b"\n") - data.count(b"\r") - data.count(b" ") - data.count(b"\t")
    if text and (junk * 20 > len(data) or _reads_as_words(data)):
        add(defects, "not-base64")
        return data
    if junk:
        add(defects, "bad-base64")
    out = bytearray()
    position = count = 0
    while position < len(clean):
        # Each padding ends a piece that was encoded for itself.
        stop = clean.find(b"=", position) if count < MAX_PIECES else -1
        piece = clean[position : stop if stop >= 0 else len(clean)].replace(b"=", b"")
        position = stop + 1 if stop >= 0 else len(clean)
        count += 1
        if len(piece) % 4 == 1:
            add(defects, "bad-base64")
            piece = piece[:-1]
        elif stop < 0 and len(piece) % 4:
            add(defects, "bad-base64")
        if piece:
            out += binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))
    return bytes(out)


def _is_clean(data: bytes) -> bool:
    """Nothing but the alphabet and line ends."""
    return not data.translate(None, _ALLOWED)


def _reads_as_words(data: bytes) -> bool:
    """Base64 has long lines without spaces; prose has short words."""
    head = data[:400].split()
    return len(head) > 6 and sum(map(len, head)) < 12 * len(head)


def uuencoded(data: bytes, defects: list[str]) -> bytes:
    """The first uuencoded file in `data`, with or without its begin line."""
    begin = _BEGIN.search(data)
    return _uu_lines(data[begin.end() :] if begin else data, defects)[0]


def _uu_lines(data: bytes, defects: list[str]) -> tuple[bytes, int]:
    """Decoded bytes and the offset after the `end` line."""
    out = bytearray()
    position = 0
    for match in _LINE.finditer(data):
        line = match.group()
        position = match.end()
        bare = line.rstrip(b"\r\n")
        if bare.strip() == b"end":
            return bytes(out), position
        if not bare or bare in (b"`", b" "):
            continue
        try:
            out += binascii.a2b_uu(bare)
        except binascii.Error:
            count = (bare[0] - 32) & 63
            try:  # a line that lost or gained trailing spaces
                out += binascii.a2b_uu(bare[: 1 + (count * 8 + 5) // 6].ljust(1 + (count + 2) // 3 * 4))
            except binascii.Error:
                add(defects, "bad-uuencode")
    return bytes(out), position


def has_uuencoded(text: str) -> bool:
    """Whether a line looks like the beginning of a uuencoded file."""
    return _BEGIN.search(text.encode("utf-8", "replace")) is not None


def split_uuencoded(text: str, defects: list[str]) -> tuple[str, list[tuple[str, bytes]]]:
    """Text without the uuencoded files that stand in it, and those files (name, bytes)."""
    if "begin" not in text:
        return text, []
    data = text.encode("utf-8", "replace")
    kept: list[bytes] = []
    files: list[tuple[str, bytes]] = []
    position = 0
    while len(files) < 100:
        begin = _BEGIN.search(data, position)
        if begin is None:
            break
        first = data[begin.end() : data.find(b"\n", begin.end()) + 1 or len(data)].rstrip(b"\r\n")
        is_base64 = begin.group().startswith(b"begin-base64")
        if not is_base64 and not _is_uu_line(first):
            kept.append(data[position : begin.end()])
            position = begin.end()
            continue
        if is_base64:
            stop = data.find(b"\n====", begin.end())
            stop = len(data) if stop < 0 else stop
            content = base64(data[begin.end() : stop], defects)
            after = data.find(b"\n", stop + 1)
            after = len(data) if after < 0 else after + 1
        else:
            content, used = _uu_lines(data[begin.end() :], defects)
            after = begin.end() + used
        kept.append(data[position : begin.start()])
        files.append(((begin.group(1) or b"").decode("utf-8", "replace"), content))
        position = after
    if not files:
        return text, []
    kept.append(data[position:])
    return b"".join(kept).decode("utf-8", "replace"), files


def _is_uu_line(line: bytes) -> bool:
    """Whether a line's first character gives its length and all its characters belong to the alphabet."""
    if not line or not 32 <= line[0] <= 96:
        return False
    if line in (b"`", b" "):
        return True
    need = 1 + (((line[0] - 32) & 63) + 2) // 3 * 4
    return need - 3 <= len(line) <= need + 2 and all(32 <= byte <= 96 for byte in line)
