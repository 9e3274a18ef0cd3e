"""Bytes to text under charset labels that may be missing, unknown or lying.

Labels are read as the WHATWG Encoding Standard reads them (iso-8859-1 means windows-1252, gb2312 means gb18030, and
so on), since that is what senders mean. A label that the bytes contradict is not believed.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

from . import japanese
from .defect_names import add

_ALIASES = {
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "x-unicode-2-0-utf-7": "utf-7",
    "unicode": "utf-16",
    "iso-10646-ucs-2": "utf-16",
    "ucs-2": "utf-16",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "csgb2312": "gb18030",
    "chinese": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "ms936": "gb18030",
    "windows-936": "gb18030",
    "euc-cn": "gb18030",
    "x-euc-cn": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "cp950": "big5hkscs",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "korean": "cp949",
    "uhc": "cp949",
    "x-windows-949": "cp949",
    "windows-949": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "ms932": "cp932",
    "cswindows31j": "cp932",
    "x-euc-jp": "euc_jp",
    "eucjp": "euc_jp",
    "eucjp-ms": "euc_jp",
    "eucjp-win": "euc_jp",
    "eucjp-open": "euc_jp",
    "cp51932": "euc_jp",
    "x-ms-cp932": "cp932",
    "ms-kanji": "cp932",
    "windows-932": "cp932",
    "ms949": "cp949",
    "cp51949": "cp949",
    "ks-c-5601": "cp949",
    "ksc5601-1987": "cp949",
    "ksc-5601-1987": "cp949",
    "iso-2022-jp": "iso2022_jp_3",
    "csiso2022jp": "iso2022_jp_3",
    "cp50220": "iso2022_jp_3",
    "iso-2022-jp-ms": "iso2022_jp_3",
    "iso-2022-jp-1": "iso2022_jp_3",
    "iso-2022-jp-3": "iso2022_jp_3",
    "cp50221": "iso2022_jp_3",
    "cp50222": "iso2022_jp_3",
    "windows-50220": "iso2022_jp_3",
    "windows-50221": "iso2022_jp_3",
    "x-windows-iso2022jp": "iso2022_jp_3",
    "x-windows-50221": "iso2022_jp_3",
    "jis": "iso2022_jp_3",
    "jis7": "iso2022_jp_3",
    "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "mac": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ce": "mac_latin2",
    "x-mac-greek": "mac_greek",
    "x-mac-turkish": "mac_turkish",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "logical": "iso-8859-8",
    "visual": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-6-e": "iso-8859-6",
    "iso-8859-9": "cp1254",
    "latin5": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "x-cp1250": "cp1250",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "win-1251": "cp1251",
    "win1251": "cp1251",
    "koi8": "koi8-r",
    "koi": "koi8-r",
    "koi8-ru": "koi8-u",
    "dos-874": "cp874",
    "iso-8859-1": "cp1252",
    "iso-8859-1-windows-3.1-latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-1:1987": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "l1": "cp1252",
    "cp819": "cp1252",
    "windows-1252": "cp1252",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "8859-1": "cp1252",
    "utf-8-sig": "utf-8",
    "utf-8n": "utf-8",
    "ansi_x3.4-1968": "ascii",
    "iso646-us": "ascii",
    "us": "ascii",
}
# Labels that say nothing: as good as no label.
_EMPTY_LABELS = frozenset(
    {
        "",
        "unknown-8bit",
        "x-unknown",
        "unknown",
        "default",
        "8bit",
        "7bit",
        "binary",
        "none",
        "x-user-defined",
        "default_charset",
        "_iso-2022-jp$esc",
        "iso-8859",
        "user-defined",
        "charset",
        "ansi",
        "utf",
        "undefined",
        "0",
    }
)
# Python's text codecs that are no mail charsets: they execute escapes, cost quadratic time or always fail.
_NOT_FOR_MAIL = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})

# windows-1252 leaves five bytes undefined; browsers show them as the C1 controls of the same number.
_C1 = {n: bytes([n]).decode("cp1252") for n in range(0x80, 0xA0) if n not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_STRAY = {0xDC00 + n: _C1.get(n, chr(n)) for n in range(0x80, 0x100)}
_NOT_WORD = re.compile(r"[^a-z0-9.]+")
_ISO_2022 = re.compile(rb"\x1b(?:\$[@B()A]|\([BIJH]|\$\([A-Q]|\$\)[CAG]|N|O)")
_LOST_ESCAPE = re.compile(rb"\$[@B](?:[!-~]{2}){1,60}\([BJ]")


@lru_cache(maxsize=1)
def _python_codecs() -> frozenset[str]:
    """Names and aliases of the codecs of the standard library."""
    more = "utf_8_sig koi8_u koi8_t cp720 cp737 cp856 cp874 cp875 cp1006 mac_arabic mac_croatian mac_farsi mac_romanian"
    return frozenset(aliases) | frozenset(aliases.values()) | frozenset(more.split())


@lru_cache(maxsize=512)
def codec_name(label: str) -> str | None:
    """The Python codec for a charset label as it stands in mail, or None where the label is unknown or says nothing."""
    clean = label.strip().strip("\"'<>;,. \t").lower()
    if ";" in clean:
        clean = clean.partition(";")[0].rstrip("\"' ")
    if "*" in clean:  # RFC 2231 section 5: a language may follow the charset
        clean = clean.partition("*")[0]
    if clean.startswith("charset="):
        clean = clean[8:]
    if clean in _EMPTY_LABELS:
        return None
    for form in (clean, clean.replace("_", "-"), clean.replace(" ", "-"), clean.removeprefix("x-")):
        name = _ALIASES.get(form)
        if name:
            return name
    for form in (
        clean,
        clean.replace("windows", "cp").replace("-", ""),
        clean.removeprefix("x-"),
        clean.replace(" ", ""),
    ):
        if not form.isascii() or "\0" in form:
            return None
        # Python remembers every unknown name that it is asked for, and looks for a module of that name: ask only for
        # what it has.
        python_name = _NOT_WORD.sub("_", form)
        if python_name not in _python_codecs():
            continue
        info = codecs.lookup(python_name)
        if not info._is_text_encoding or info.name in _NOT_FOR_MAIL:
            return None
        return _ALIASES.get(info.name, info.name)
    return None


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
