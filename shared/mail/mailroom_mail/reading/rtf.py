"""Rich text as winmail.dat holds it: decompressed ([MS-OXRTFCP]), its HTML taken out again where it has any ([MS-OXRTFEX])."""

from __future__ import annotations

import re
import struct

import compressed_rtf
from striprtf.striprtf import rtf_to_text

from . import charsets
from .charset_labels import codec_name

MAX_BYTES = 4 << 20  # of rich text that is read: what is longer is no letter
_TOKEN = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\([^a-zA-Z\r\n])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_SPOKEN = {b"par": "\n", b"line": "\n", b"tab": "\t", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”",
           b"bullet": "•", b"endash": "–", b"emdash": "—", b"~": "\xa0", b"_": "\xad"}  # fmt: skip
_FONT_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_HIDDEN = frozenset({b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"pntext", b"htmlrtf"})
_MAX_DEPTH = 500


def read(compressed: bytes) -> tuple[str | None, str | None]:
    """Text and HTML of a compressed rich text; (None, None) where it cannot be read."""
    if len(compressed) < 16:
        return None, None
    size = struct.unpack_from("<I", compressed, 4)[0]
    if size > MAX_BYTES or len(compressed) > MAX_BYTES:
        return None, None
    try:
        data = compressed_rtf.decompress(compressed)
    except (ValueError, IndexError, struct.error, TypeError, AssertionError, EOFError, OverflowError):
        return None, None
    head = data[:400]
    if b"\\fromhtml" in head:
        return None, _encapsulated(data, tags=True) or None
    if b"\\fromtext" in head:
        return _encapsulated(data, tags=False).strip("\n") or None, None
    try:
        return rtf_to_text(data.decode("latin-1"), encoding=_codepage(data), errors="replace") or None, None  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, IndexError, TypeError, KeyError, RecursionError):
        return None, None


def _codepage(data: bytes) -> str:
    found = re.search(rb"\\ansicpg(\d{1,5})", data[:2000])
    return (codec_name(f"cp{found.group(1).decode()}") if found else None) or "cp1252"


def _encapsulated(data: bytes, *, tags: bool) -> str:
    """What was made into rich text: `tags` says that it was HTML, whose tags stand in \\*\\htmltag groups."""
    codepage = _codepage(data)
    fonts: dict[bytes, str] = {}
    encoding = codepage
    out: list[str] = []
    pending = bytearray()
    # What holds within the open group: whether it is hidden, how many characters follow a \\u, the encoding, the font table.
    stack: list[tuple[bool, int, str, bool]] = []
    hidden, skip, in_fonts = False, 1, False
    suppressed = False  # between \\htmlrtf and \\htmlrtf0: only for programs that cannot read HTML
    left = 0  # replacement characters after a \\u still to be passed over
    font = b"0"
    starred = False
    opened = False

    def flush() -> None:
        if pending:
            out.append(charsets.decode(bytes(pending), encoding, []))
            pending.clear()

    for match in _TOKEN.finditer(data[:MAX_BYTES]):
        byte, word, number, symbol, brace, text = match.groups()
        if brace == b"{":
            flush()
            if len(stack) < _MAX_DEPTH:
                stack.append((hidden, skip, encoding, in_fonts))
            starred, opened = False, True
            left = 0
            continue
        if brace == b"}":
            flush()
            if stack:
                hidden, skip, encoding, in_fonts = stack.pop()
            starred = opened = False
            left = 0
            continue
        if symbol == b"*":
            starred = True
            continue
        if word is not None:
            if word == b"htmltag":
                flush()
                hidden = not tags
                encoding = codepage
            elif word == b"htmlrtf":
                flush()
                suppressed = number != b"0"
            elif word == b"fonttbl":
                hidden, in_fonts = True, True
            elif word in _HIDDEN or (starred and opened):
                hidden = True
            elif word == b"f" and number:
                flush()
                font = number
                encoding = fonts.get(font, codepage) if not in_fonts else encoding
            elif word == b"fcharset" and in_fonts and number:
                fonts[font] = _FONT_CHARSETS.get(int(number), codepage)
            elif word == b"uc" and number:
                skip = min(int(number), 8)
            elif word == b"u" and number and not hidden and not suppressed:
                flush()
                out.append(chr(int(number) % 0x10000))
                left = skip
            elif word in _SPOKEN and not hidden and not suppressed:
                flush()
                out.append(_SPOKEN[word])
            starred = opened = False
            continue
        starred = opened = False
        if hidden or suppressed:
            continue
        if left and (byte is not None or text is not None):
            if byte is not None:
                left -= 1
                continue
            text = text[left:]
            left = 0
        if byte is not None:
            pending.append(int(byte, 16))
        elif symbol is not None:
            if symbol in _SPOKEN:
                flush()
                out.append(_SPOKEN[symbol])
            else:
                pending += symbol
        elif text:
            pending += text
    flush()
    joined = "".join(out)
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "")
