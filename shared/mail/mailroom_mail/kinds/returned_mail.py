"""The mail that a report or a notice is about: its copy, whole or header only, as a part or below the notice. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailroom_mail.reading.model import Attachment, Bounce, Mail

from . import bounce_words as words
from .status_fields import ADDRESS

COPY_TYPES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
    "message/partial",
)
HEAD = 20_000  # characters of a notice that are looked at
_MESSAGE_ID = re.compile(r"^[ \t>|]*message-id[ \t]*:\s*<?([^<>\s]{3,900})>?", re.IGNORECASE | re.MULTILINE)


def halves(text: str) -> tuple[str, str]:
    """The notice itself, and what follows the separator before the copy of the original mail."""
    found = words.ORIGINAL.search(text, 40)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])


def original(mail: Mail, copy: str = "") -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Message-ID and header fields of the mail that a bounce is about, from the copy or part of it that came along."""
    part: Attachment | None = next((part for part in mail.attachments if part.content_type in COPY_TYPES), None)
    text = copy if part is None else decoded(part.content[:200_000])
    if part is None and not text:
        text = mail.text[:HEAD]
    headers = header_fields(text) if part is not None else header_fields(_copied_header(copy))
    message_id = next((value.strip("<> ") for name, value in headers if name.lower() == "message-id"), None)
    if not message_id:
        found = _MESSAGE_ID.search(text) or _MESSAGE_ID.search(mail.text[: 4 * HEAD])
        if found is None:
            for other in mail.attachments:
                if other.content_type.startswith("text/") and (
                    found := _MESSAGE_ID.search(decoded(other.content[:50_000]))
                ):
                    break
        message_id = found.group(1) if found is not None else None
    if not message_id:
        message_id = next((value.strip("<> ") for value in (*mail.in_reply_to, *reversed(mail.references))), None)
    return message_id or None, headers


def _copied_header(copy: str) -> str:
    """The header of our mail within a plain notice, from its first line that looks like a field on."""
    found = words.FIRST_FIELD.search(copy[:HEAD])
    return "" if found is None else copy[found.start() : found.start() + HEAD]


def copied_recipients(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The addresses (lower-case) to which the returned mail went, by its own header."""
    return frozenset(
        address.lower()
        for name, value in headers
        if len(name) <= 3 and name.lower() in ("to", "cc", "bcc")
        for word in value[:HEAD].replace("<", " ").replace(",", " ").split()
        if "@" in word  # in others nothing is looked for, which takes longer than all the rest
        for address in ADDRESS.findall(word)
    )


def returned_people(bounce: Bounce) -> tuple[str | None, tuple[str, ...]]:
    """Author and visible recipients of the returned mail, by its own header: what must not contradict a match."""
    author = next(
        (found.group(0) for name, value in bounce.original_headers if name.lower() == "from"
         and (found := ADDRESS.search(value[:HEAD])) is not None),
        None,
    )  # fmt: skip
    return author, tuple(sorted(copied_recipients(bounce.original_headers)))


def header_fields(text: str) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n").split("\n")[:500]:
        if not line.strip():
            break
        if line[0] in " \t" and fields:
            name, value = fields[-1]
            if len(value) < 8000:
                fields[-1] = (name, value + " " + line.strip())
        else:
            name, colon, value = line.partition(":")
            name = name.rstrip(" \t")
            # as FIELD has it, in a third of the time
            if colon and 0 < len(name) <= 76 and name.isascii() and name.isprintable() and " " not in name:
                fields.append((name, value.strip()))
    return tuple(fields)


def decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
