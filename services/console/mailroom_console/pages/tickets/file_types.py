"""Safe downloads: which type is said, under which name a file is saved, and what really is a picture. Pure."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
# What a browser might run or render as a page when it is opened after all
_ACTIVE = re.compile(r"html|xml|svg|script|flash|mathml|pdf-js|x-mixed|multipart|message/|java", re.IGNORECASE)
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
_LONGEST_NAME = 150


def served_type(declared: str) -> str:
    """The sender's type when it is harmless, else `application/octet-stream`."""
    bare = declared.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(bare) or (_ACTIVE.search(bare) and not bare.startswith("application/vnd.openxml")):
        return "application/octet-stream"
    return bare


def picture_type(content: bytes) -> str | None:
    """The type of a picture by its first bytes, or None. SVG is none: it can hold script."""
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def safe_name(filename: str) -> str:
    """The name without folders, control and direction characters, that hide an ending such as .exe."""
    name = unicodedata.normalize("NFC", filename).replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"))
    name = " ".join(name.split()).lstrip(".").rstrip(". ")
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: _LONGEST_NAME - 20]}.{ending[:19]}" if dot else name[:_LONGEST_NAME]
    return name or "attachment"


def download_name(filename: str) -> str:
    """Content-Disposition: attachment, with the name for old and new readers (RFC 6266)."""
    name = safe_name(filename)
    plain = "".join(c if c.isascii() and c not in '"\\%;' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
