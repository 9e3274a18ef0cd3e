"""winmail.dat: Microsoft's TNEF ([MS-OXTNEF]), as Outlook sends it instead of MIME parts."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from . import charsets, parameters, rtf
from .charset_labels import codec_name
from .defect_names import add
from .model import Attachment

TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_SIGNATURE = 0x223E9F78
_MAX_ITEMS = 2000

_BODY, _MESSAGE_PROPERTIES, _CODEPAGE = 0x800C, 0x9003, 0x9007
_RENDERING, _TITLE, _DATA, _ATTACHMENT_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_P_BODY, _P_HTML, _P_RTF = 0x1000, 0x1013, 0x1009
_P_LONG_NAME, _P_NAME, _P_MIME, _P_CONTENT_ID, _P_OBJECT = 0x3707, 0x3704, 0x370E, 0x3712, 0x3701
# Sizes of MAPI property types (padded to 4 bytes); the others are counted and length-prefixed.
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_TEXT8, _TEXT16, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_VARIABLE = frozenset({_TEXT8, _TEXT16, _OBJECT, _BINARY})


@dataclass(frozen=True, slots=True)
class Opened:
    """What a TNEF stream held."""

    attachments: tuple[Attachment, ...]
    text: str | None
    html: str | None


@dataclass(slots=True)
class _File:
    name: str | None = None
    kind: str | None = None
    content: bytes = b""
    content_id: str | None = None


def read(data: bytes, defects: list[str]) -> Opened | None:
    """The files and bodies in a TNEF stream; what is damaged is left out and named; None when it is no TNEF."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        add(defects, "bad-tnef")
        return None
    files: list[_File] = []
    text: str | None = None
    html: str | None = None
    rich = b""
    codepage = "cp1252"
    position = 6
    count = 0
    while position + 9 <= len(data) and count < _MAX_ITEMS:
        count += 1
        attribute, length = struct.unpack_from("<xH2xI", data, position)
        content = data[position + 9 : position + 9 + length]
        if len(content) < length:
            add(defects, "bad-tnef")
        position += 9 + length + 2
        if attribute == _CODEPAGE and len(content) >= 4:
            number = struct.unpack_from("<I", content)[0]
            codepage = codec_name(f"cp{number}") or codepage
        elif attribute == _BODY:
            text = _text(content, codepage)
        elif attribute == _MESSAGE_PROPERTIES:
            found = _properties(content, codepage, defects)
            text = text or _as_text(found.get(_P_BODY), codepage)
            html = html or _as_text(found.get(_P_HTML), codepage)
            packed = found.get(_P_RTF)
            rich = packed if isinstance(packed, bytes) else rich
        elif attribute == _RENDERING:
            files.append(_File())
        elif attribute in (_TITLE, _DATA, _ATTACHMENT_PROPERTIES):
            if not files:
                files.append(_File())
            _fill(files[-1], attribute, content, codepage, defects)
    if rich and not (text or "").strip() and not html:
        text, html = rtf.read(rich)
        if text is None and html is None:
            add(defects, "bad-rtf")
    attachments = tuple(
        Attachment(file.name, file.kind or parameters.kind_of_name(file.name), file.content, file.content_id)
        for file in files
        if file.content or file.name
    )
    return Opened(attachments, text or None, html or None)


def _fill(file: _File, attribute: int, content: bytes, codepage: str, defects: list[str]) -> None:
    if attribute == _TITLE:
        file.name = file.name or _text(content, codepage)
    elif attribute == _DATA:
        file.content = content
    else:
        found = _properties(content, codepage, defects)
        file.name = _as_text(found.get(_P_LONG_NAME), codepage) or file.name or _as_text(found.get(_P_NAME), codepage)
        file.kind = _as_text(found.get(_P_MIME), codepage) or file.kind
        file.content_id = _as_text(found.get(_P_CONTENT_ID), codepage) or file.content_id
        embedded = found.get(_P_OBJECT)
        if isinstance(embedded, bytes) and not file.content:
            file.content = embedded[16:]  # after the interface identifier: a TNEF stream of its own, or a file
            if file.content[:4] == struct.pack("<I", _SIGNATURE):
                file.kind = file.kind or "application/ms-tnef"


def _properties(data: bytes, codepage: str, defects: list[str]) -> dict[int, bytes | str]:
    """MAPI properties that are text or bytes, by id; the first value of each."""
    found: dict[int, bytes | str] = {}
    if len(data) < 4:
        return found
    total = min(struct.unpack_from("<I", data)[0], _MAX_ITEMS)
    position = 4
    try:
        for _ in range(total):
            kind, number = struct.unpack_from("<HH", data, position)
            position += 4
            if number >= 0x8000:
                position = _skip_name(data, position)
            many, base = kind & 0x1000, kind & 0x0FFF
            if base in _VARIABLE:
                values = struct.unpack_from("<I", data, position)[0]
                position += 4
                for _ in range(min(values, _MAX_ITEMS)):
                    length = struct.unpack_from("<I", data, position)[0]
                    position += 4
                    value = data[position : position + length]
                    position += (length + 3) & ~3
                    if base == _TEXT16:
                        found.setdefault(number, value.decode("utf-16-le", "replace").rstrip("\0"))
                    elif base == _TEXT8:
                        found.setdefault(number, _text(value, codepage))
                    else:
                        found.setdefault(number, value)
            else:
                values = 1
                if many:
                    values = struct.unpack_from("<I", data, position)[0]
                    position += 4
                position += _FIXED[base] * values
    except (struct.error, KeyError):
        add(defects, "bad-tnef")
    return found


def _skip_name(data: bytes, position: int) -> int:
    """A named property carries its set's identifier and a number or a string."""
    kind = struct.unpack_from("<I", data, position + 16)[0]
    if kind == 0:
        return position + 24
    length = struct.unpack_from("<I", data, position + 20)[0]
    return int(position + 24 + ((length + 3) & ~3))


def _text(data: bytes, codepage: str) -> str:
    return charsets.decode(data.rstrip(b"\0"), codepage, []).replace("\0", "")


def _as_text(value: bytes | str | None, codepage: str) -> str | None:
    if isinstance(value, bytes):
        return _text(value, codepage) or None
    return value.replace("\0", "") or None if value else None
