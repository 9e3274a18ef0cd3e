"""Japanese as Windows writes it under the labels of the standards: ISO-2022-JP with NEC's and IBM's rows and half-width kana
(code pages 50220 to 50222), EUC-JP with the same (code page 51932). Linear, never raises.

Python's codecs keep to the standards and refuse such text whole; each character is taken here through code page 932, which has them all.
"""

from __future__ import annotations

import re
from functools import cache

_LOST_ESCAPES = re.compile(rb"(?<!\x1b)\$([B@])((?:[!-~]{2}){1,60}?)\(([BJ])")
_ASCII, _ROMAN, _KANA, _KANJI, _SUPPLEMENT, _PLANE_1, _PLANE_2 = range(7)
_ESCAPES = {
    b"(B": _ASCII, b"(J": _ROMAN, b"(H": _ROMAN, b"(I": _KANA, b"$@": _KANJI, b"$B": _KANJI, b"$(@": _KANJI, b"$(B": _KANJI, b"$(D": _SUPPLEMENT,
    b"$(O": _PLANE_1, b"$(Q": _PLANE_1, b"$(P": _PLANE_2, b"&@": _ASCII,
}  # fmt: skip
# An escape sequence, a line end (which ends double-byte text whether it says so or not), shifts to kana and back, or text.
_PIECE = re.compile(
    rb"\x1b(\$\([@BDOPQ]|\$[@B]|\([BJHI]|&@|[ -/]{0,2}[0-~]?)|([\r\n]+)|([\x0e\x0f])|([^\x1b\r\n\x0e\x0f]+)"
)
_PAIR = re.compile(rb"[\x80-\xff]?[\x21-\x7e]{2}|[\s\S]")
_EUC = re.compile(rb"[\x00-\x7f]+|\x8e[\xa1-\xdf]|\x8f[\xa1-\xfe]{2}|[\xa1-\xfe]{2}|[\s\S]")
# IBM's characters that eucJP-ms puts behind JIS X 0212: small and great roman numerals and five signs.
_IBM = "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡"
_REPLACEMENT = "\ufffd"


def iso2022(data: bytes) -> str:
    """ISO-2022-JP with whatever Windows programs put into it; no escape sequence is left."""
    if b"\x1b" not in data and b"$" in data:
        data = _LOST_ESCAPES.sub(
            lambda m: b"\x1b$" + m[1] + m[2] + b"\x1b(" + m[3], data
        )  # a relay took the control characters away
    out: list[str] = []
    mode = _ASCII
    shifted = False
    for escape, line_end, shift, text in _PIECE.findall(data):
        if text:
            out.append(_segment(text, _KANA if shifted and mode in (_ASCII, _ROMAN) else mode))
        elif line_end:
            out.append(line_end.decode("ascii"))
            mode, shifted = _ASCII, False
        elif shift:
            shifted = shift == b"\x0e"
        else:
            mode = _ESCAPES.get(escape, mode)
    return "".join(out)


def _segment(text: bytes, mode: int) -> str:
    if mode in (_ASCII, _ROMAN):
        if text.isascii():
            return text.decode("ascii") if mode == _ASCII else text.decode("ascii").replace("\\", "¥").replace("~", "‾")
        return text.decode("cp932", "replace")  # half-width kana in eight bits, or Shift_JIS under a wrong label
    if mode == _KANA:
        return "".join(_kana(byte & 0x7F) for byte in text)
    out = []
    for pair in _PAIR.findall(text):
        if len(pair) != 2:
            out.append(" " if pair in (b" ", b"\t") else _REPLACEMENT)
        elif mode == _KANJI:
            out.append(kanji(pair[0], pair[1]))
        elif mode == _SUPPLEMENT:
            out.append(_by_codec(bytes([0x8F, pair[0] | 0x80, pair[1] | 0x80]), "euc_jp"))
        else:
            plane = b"\x8f" if mode == _PLANE_2 else b""
            out.append(_by_codec(plane + bytes([pair[0] | 0x80, pair[1] | 0x80]), "euc_jis_2004"))
    return "".join(out)


def _kana(byte: int) -> str:
    return chr(0xFF40 + byte) if 0x21 <= byte <= 0x5F else chr(byte) if byte < 0x21 else _REPLACEMENT


@cache
def kanji(row: int, cell: int) -> str:
    """The character in a row and cell of JIS X 0208 (0x21 to 0x7E each), Windows' own rows included."""
    lead = ((row + 1) >> 1) + (0x70 if row < 0x5F else 0xB0)
    trail = cell + (0x1F if cell < 0x60 else 0x20) if row & 1 else cell + 0x7E
    found = _by_codec(bytes([lead, trail]), "cp932")
    return found if found != _REPLACEMENT else _by_codec(bytes([row | 0x80, cell | 0x80]), "euc_jis_2004")


def _by_codec(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return _REPLACEMENT


def euc(data: bytes) -> str:
    """EUC-JP with Windows' characters; what is in no table is a replacement character."""
    out = []
    for piece in _EUC.findall(data):
        if piece[0] < 0x80:
            out.append(piece.decode("ascii"))
        elif len(piece) == 3:
            found = _by_codec(piece, "euc_jp")
            index = (piece[1] - 0xF3) * 94 + piece[2] - 0xF3
            if found == _REPLACEMENT and 0 <= index < len(_IBM):
                found = _IBM[index]
            out.append(found)
        elif len(piece) == 1:
            out.append(_REPLACEMENT)
        elif piece[0] == 0x8E:
            out.append(_kana(piece[1] & 0x7F))
        else:
            out.append(kanji(piece[0] & 0x7F, piece[1] & 0x7F))
    return "".join(out)
