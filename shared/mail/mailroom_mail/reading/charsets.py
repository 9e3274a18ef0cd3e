"""Bytes to text under charset labels that may be missing, unknown or lying: what the bytes contradict is not believed."""

from __future__ import annotations

import re

from . import japanese
from .charset_labels import codec_name
from .defect_names import add

# windows-1252 leaves five bytes undefined; browsers show them as the C1 controls of the same number.
_C1 = {n: bytes([n]).decode("cp1252") for n in range(0x80, 0xA0) if n not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_STRAY = {0xDC00 + n: _C1.get(n, chr(n)) for n in range(0x80, 0x100)}
_ISO_2022 = re.compile(rb"\x1b(?:\$[@B()A]|\([BIJH]|\$\([A-Q]|\$\)[CAG]|N|O)")
_LOST_ESCAPE = re.compile(rb"\$[@B](?:[!-~]{2}){1,60}\([BJ]")


def windows_1252(data: bytes) -> str:
    """Decode as browsers do: no byte is an error."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1").translate(_C1)


def decode(data: bytes, label: str | None, defects: list[str], hint: str | None = None) -> str:
    """Decode `data` under `label`; never raises.

    `hint` is a label that stands elsewhere in the same mail, tried where this one fails. Defects named:
    `charset-unknown:x`, `charset-wrong:x` (the bytes contradict the label), `charset-missing` (8-bit without a label).
    """
    codec = codec_name(label) if label else "ascii"
    if codec in ("utf-8", "ascii", "cp1252", None):
        if b"\x1b" in data and data.isascii() and _ISO_2022.search(data):
            _name(defects, label, codec)
            return guess(data, hint, defects)
        if codec != "utf-8" and data.isascii():
            return data.decode("ascii")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            if codec is None and b"\x1b" in data and _ISO_2022.search(data):
                return guess(data, hint, defects)
            if codec != "utf-8":
                _name(defects, label, codec)
            return text[1:] if text.startswith("\ufeff") else text
        if codec == "cp1252":
            return windows_1252(data)
        if codec == "utf-8":
            return _broken_utf8(data, label, hint, defects)
        _name(defects, label, codec)
        return guess(data, hint, defects)
    assert codec is not None
    return _decode_as(data, codec, label or "", hint, defects)


def _name(defects: list[str], label: str | None, codec: str | None) -> None:
    shown = (label or "").strip().lower()[:40]
    add(defects, f"charset-{'wrong' if codec else 'unknown'}:{shown}" if shown else "charset-missing")


def _decode_as(data: bytes, codec: str, label: str, hint: str | None, defects: list[str]) -> str:
    ascii_only = data.isascii()
    if ascii_only and not codec.startswith(
        ("utf-16", "utf-32", "utf-7", "utf_", "iso2022", "hz", "cp037", "cp500", "cp10")
    ):
        return data.decode("ascii")
    if codec.startswith(("utf-16", "utf-32")):
        return _wide(data, codec, label, hint, defects)
    if codec == "utf-7":
        return _utf7(data, label, hint, defects)
    try:
        text = data.decode(codec)
    except (UnicodeDecodeError, UnicodeError):
        pass
    else:
        if codec == "iso2022_jp_3" and (
            b"\x1b(I" in data or b"\x0e" in data or (b"\x1b" not in data and _LOST_ESCAPE.search(data))
        ):
            return japanese.iso2022(data)
        if not ascii_only and _is_utf8(data) and _looks_utf8(data, codec):
            _name(defects, label, codec)
            return data.decode("utf-8")
        return text
    windows = _windows_japanese(data, codec)
    if windows is not None:
        return windows
    if codec == "big5hkscs":
        try:
            return data.decode("cp950")
        except UnicodeDecodeError:
            pass
    _name(defects, label, codec)
    if _is_utf8(data) and not ascii_only:
        return data.decode("utf-8")
    if not ascii_only and codec.startswith("iso2022"):
        return guess(data, None, defects)
    try:
        text = data.decode(codec, "replace")
    except (UnicodeError, ValueError):
        return guess(data, hint, defects)
    if text.count("\ufffd") * 8 <= len(text):
        return text
    return guess(data, hint, defects, last=text)


def _windows_japanese(data: bytes, codec: str) -> str | None:
    """Text that the standard's codec refuses, read as Windows writes it; None where too much of it is none."""
    if codec == "iso2022_jp_3":
        for other in ("iso2022_jp_2004", "iso2022_jp_2"):
            try:
                return data.decode(other)
            except UnicodeDecodeError:
                continue
        if not data.isascii() and not _ISO_2022.search(data):
            return None
        text = japanese.iso2022(data)
    elif codec == "euc_jp" and not _is_utf8(data):
        text = japanese.euc(data)
    else:
        return None
    return text if text.count("\ufffd") * 8 <= len(text) else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _looks_utf8(data: bytes, codec: str) -> bool:
    """Whether valid UTF-8 under another label is more likely a lie than chance.

    Single-byte text is hardly ever valid UTF-8; in the double-byte charsets of East Asia short runs can be both.
    """
    if codec.startswith(("gb", "big5", "cp932", "cp949", "euc")):
        # Three-byte sequences throughout and enough of them: chance falls off quickly.
        high = len(data) - len(data.translate(None, bytes(range(0x80, 0x100))))
        return high >= 12 and data.decode("utf-8").encode("utf-8") == data and _mean_length(data) > 2.5
    return True


def _mean_length(data: bytes) -> float:
    leads = sum(1 for byte in data[:4096] if byte >= 0xC0)
    high = sum(1 for byte in data[:4096] if byte >= 0x80)
    return high / leads if leads else 0.0


def _broken_utf8(data: bytes, label: str | None, hint: str | None, defects: list[str]) -> str:
    """UTF-8 with a few broken places stays UTF-8; bytes that are mostly something else are guessed."""
    _name(defects, label, "utf-8")
    text = _mostly_utf8(data)
    return text if text is not None else guess(data, hint, defects)


def _mostly_utf8(data: bytes) -> str | None:
    """UTF-8 with broken places, where more characters are whole than broken."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    wide = [char for char in text[:20000] if char > "\x7f" and char != "\ufffd"]
    if not wide or (len(wide) <= broken and broken > 2):
        return None
    if all(char < "\u0250" or "\u2000" <= char < "\u2140" or char == "\ufeff" for char in wide):
        # Text of Latin letters that other software added to: its bytes are most likely windows-1252.
        text = data.decode("utf-8", "surrogateescape").translate(_STRAY)
    return text.removeprefix("\ufeff")


def _wide(data: bytes, codec: str, label: str, hint: str | None, defects: list[str]) -> str:
    if b"\0" not in data[:2000] and _is_utf8(data):  # UTF-16 of any Latin text has NULs; this is something else
        _name(defects, label, codec)
        return data.decode("utf-8")
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except (UnicodeDecodeError, UnicodeError):
        _name(defects, label, codec)
        return data.decode(codec, "replace").removeprefix("\ufeff") if len(data) > 3 else guess(data, hint, defects)


def _utf7(data: bytes, label: str, hint: str | None, defects: list[str]) -> str:
    if not data.isascii():
        _name(defects, label, "utf-7")
        return guess(data, hint, defects)
    try:
        text = data.decode("utf-7")
    except UnicodeDecodeError:
        _name(defects, label, "utf-7")
        text = data.decode("utf-7", "replace")
    # Python's decoder lets single surrogates through, which no UTF-8 may carry.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def guess(data: bytes, hint: str | None, defects: list[str], last: str | None = None) -> str:
    """Text of unknown charset: escapes of ISO-2022, UTF-8, the mail's other charset, then what looks like language."""
    if _ISO_2022.search(data):
        for codec in ("iso2022_jp_3", "iso2022_kr", "iso2022_jp_2004", "iso2022_jp_2"):
            try:
                text = data.decode(codec)
            except UnicodeDecodeError:
                continue
            if "\x1b" not in text:
                return text
        windows = _windows_japanese(data, "iso2022_jp_3")
        if windows is not None:
            return windows
    if _is_utf8(data):
        return data.decode("utf-8")
    if hint:
        codec_of_hint = codec_name(hint)
        if codec_of_hint and codec_of_hint not in ("ascii", "utf-8", "cp1252"):
            try:
                return data.decode(codec_of_hint)
            except (UnicodeDecodeError, UnicodeError):
                pass
    mostly = _mostly_utf8(data)
    if mostly is not None:
        return mostly
    from .charset_guess import likeliest

    found = likeliest(data)
    if found:
        return data.decode(found, "replace")
    return last if last is not None else windows_1252(data)
