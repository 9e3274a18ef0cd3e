"""Names for the parts that came without one: people save what has a name, and programs open what has an extension."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import replace

from .encoded_words import decode
from .model import Attachment

_LONGEST = 80
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")
_SUBJECT = re.compile(rb"^subject[ \t]*:[ \t]*(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_EXTENSIONS = {
    "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "text/vcard": ".vcf", "text/x-vcard": ".vcf", "text/csv": ".csv", "text/rtf": ".rtf",
    "image/jpeg": ".jpg", "image/pjpeg": ".jpg", "image/jpg": ".jpg", "image/tiff": ".tif", "audio/mpeg": ".mp3", "audio/ogg": ".ogg",
    "application/pdf": ".pdf", "application/octet-stream": ".bin", "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m",
    "application/pgp-keys": ".asc", "application/pgp-encrypted": ".asc", "application/ics": ".ics", "application/zip": ".zip", "application/rtf": ".rtf",
    "text/rfc822-headers": ".txt",
}  # fmt: skip
_STEMS = {
    "text/calendar": "invitation", "application/ics": "invitation", "text/vcard": "contact", "text/x-vcard": "contact", "text/rfc822-headers": "headers",
    "message/delivery-status": "delivery-status", "message/disposition-notification": "receipt", "message/feedback-report": "feedback-report",
    "message/global-delivery-status": "delivery-status", "message/partial": "piece", "message/external-body": "link",
}  # fmt: skip
_GROUPS = {"image": "picture", "audio": "sound", "video": "video", "text": "text"}
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})


def give(attachments: list[Attachment]) -> None:
    """Name what has no name, in place; the same name twice gets a number."""
    taken = {one.filename.lower() for one in attachments if one.filename}
    for index, one in enumerate(attachments):
        if one.filename:
            continue
        stem, extension = name_of(one)
        name, number = stem + extension, 1
        while name.lower() in taken and number < 10_000:
            number += 1
            name = f"{stem}-{number}{extension}"
        taken.add(name.lower())
        attachments[index] = replace(one, filename=name)


def name_of(one: Attachment) -> tuple[str, str]:
    """Stem and extension: a message's subject, else what the part is."""
    kind = one.content_type
    if kind in _MESSAGES:
        return _subject(one.content) or "message", ".eml"
    if kind.startswith("message/"):
        return _STEMS.get(kind, "message"), ".txt"
    extension = _EXTENSIONS.get(kind) or mimetypes.guess_extension(kind) or (".txt" if kind[:5] == "text/" else ".bin")
    return _STEMS.get(kind) or _GROUPS.get(kind.partition("/")[0], "attachment"), extension


def _subject(message: bytes) -> str:
    """The subject of a message as a file can be called; "" where it has none."""
    head = message[:20_000]
    blank = re.search(rb"\n\r?\n", head)
    found = _SUBJECT.search(head[: blank.start() + 1] if blank else head)
    if found is None:
        return ""
    raw = found.group(1).replace(b"\r", b"").replace(b"\n", b"")
    text = decode(raw.decode("utf-8", "replace"), [])
    clean = " ".join(_UNSAFE.sub(" ", text).split()).strip(" .")
    return clean[:_LONGEST].rstrip(" .")
