"""What charset labels in mail mean.

They are read as the WHATWG Encoding Standard reads them (iso-8859-1 means windows-1252, gb2312 means gb18030, and so
on), since that is what senders mean.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

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
_NOT_WORD = re.compile(r"[^a-z0-9.]+")


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
