"""Header sections (RFC 5322 section 2.2): bytes to fields, unfolded, as sent; nothing is lost to a bad line."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import charsets
from .defect_names import add

MAX_FIELDS = 5000  # a section with more is no mail of a person; the raw source keeps the rest

_BLANK = re.compile(rb"\n\r*\n")
_NAME = re.compile(r"[!-9;-~]+")
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_ANY_FIELD = re.compile(rb"([^\s:]+)[ \t]*:[ \t]")
_LINE = re.compile(rb"[^\n]*\n?")
# What makes a line after a bad one still a header: only names that no text begins with by chance.
_KNOWN_FIELD = re.compile(
    rb"(?:from|to|cc|bcc|subject|date|sender|reply-to|message-id|in-reply-to|references|received|return-path|"
    rb"mime-version|delivered-to|dkim-signature|list-[a-z-]+|x-[!-9;-~]+|content-[a-z-]+|auto-submitted|precedence)"
    rb"[ \t]*:",
    re.IGNORECASE,
)
_CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s\";]{1,40})", re.IGNORECASE)


class Block(NamedTuple):
    """Fields in order (name as sent, value unfolded and stripped) and the offset at which the body begins."""

    fields: list[tuple[str, str]]
    body: int


def find_end(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header section's last line ends and where its body begins; both `end` when no blank line follows."""
    if raw.startswith((b"\r\n", b"\n"), start):
        return start, start + (2 if raw.startswith(b"\r\n", start) else 1)
    blank = raw.find(b"\n\r\n", start, end)
    plain = raw.find(b"\n\n", start, blank + 1 if blank >= 0 else end)  # it may share its second newline
    if plain >= 0:
        blank = plain
    elif blank < 0:
        match = _BLANK.search(raw, start, end)
        if match is None:
            return end, end
        return match.start() + 1, match.end()
    return blank + 1, blank + (2 if plain >= 0 else 3)


def read_block(raw: bytes, start: int, stop: int, body: int, defects: list[str]) -> Block:
    """The fields in `raw[start:stop]`; `body` is where the body begins unless the section turns out to end sooner."""
    data = raw[start:stop]
    if b"\0" in data:
        add(defects, "nul-in-header")
        data = data.replace(b"\0", b" ")  # the same length: offsets stay right
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        text = _eight_bit(data, defects)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", " " if "\n" in text else "\n")
    if text[:1] in (" ", "\t"):
        return _odd_block(data, start, body, defects)
    fields: list[tuple[str, str]] = []
    fullmatch = _NAME.fullmatch
    lines = text.replace("\n ", " ").replace("\n\t", "\t").split("\n", MAX_FIELDS)
    if len(lines) > MAX_FIELDS:
        add(defects, "too-many-headers")
        del lines[-1]
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not fullmatch(name):
            if not line:
                continue
            stripped = name.rstrip(" \t")
            if colon and fullmatch(stripped):
                name = stripped
            else:
                return _odd_block(data, start, body, defects)
        fields.append((name, value.strip()))
    return Block(fields, body)


def _odd_block(data: bytes, start: int, body: int, defects: list[str]) -> Block:
    """A section with lines that are no fields: those are skipped while real fields follow, else the body begins."""
    kept: list[bytes] = []
    position = 0
    for count, match in enumerate(_LINE.finditer(data)):
        if count > 20 * MAX_FIELDS:
            add(defects, "too-many-headers")
            position = len(data)
            break
        line = match.group()
        if not line:
            break
        if (line[:1] in b" \t" and kept) or _FIELD.match(line):
            kept.append(line)
        elif not line.strip():
            continue
        elif line.startswith((b"From ", b">From ")):
            add(defects, "mbox-line")
        elif _nearly_field(line) or _followed_by_field(data, match.end()):
            add(defects, "bad-header-line")
        else:
            add(defects, "no-blank-line-after-header")
            position = match.start()
            break
    else:
        position = len(data)
    if position < len(data) and "no-blank-line-after-header" in defects:
        body = start + position
    joined = b"".join(kept)
    if not joined or joined == data:
        return Block([], body)
    fields: list[tuple[str, str]] = []
    text = joined.decode("ascii") if joined.isascii() else _eight_bit(joined, defects)
    text = text.replace("\r\n", "\n").replace("\r", " ")
    for field in text.replace("\n ", " ").replace("\n\t", "\t").split("\n", MAX_FIELDS):
        name, colon, value = field.partition(":")
        name = name.rstrip(" \t")
        if colon and _NAME.fullmatch(name):
            fields.append((name, value.strip()))
        if len(fields) >= MAX_FIELDS:
            add(defects, "too-many-headers")
            break
    return Block(fields, body)


def _nearly_field(line: bytes) -> bool:
    """Whether only bytes that are not ASCII keep it from being a field."""
    found = _ANY_FIELD.match(line)
    return found is not None and not found.group(1).isascii()


def _followed_by_field(data: bytes, position: int) -> bool:
    """Whether one of the next lines is surely a header; looks a bounded distance ahead."""
    for _ in range(8):
        if position >= len(data):
            return False
        if _KNOWN_FIELD.match(data, position):
            return True
        newline = data.find(b"\n", position, position + 2000)
        if newline < 0:
            return False
        position = newline + 1
    return False


def _eight_bit(data: bytes, defects: list[str]) -> str:
    """Raw 8-bit headers: UTF-8 (RFC 6532) as a whole, else each line by itself, with the mail's own charset as hint."""
    try:
        text = data.decode("utf-8")
        add(defects, "8bit-header")
        return text
    except UnicodeDecodeError:
        add(defects, "8bit-header-not-utf8")
    found = _CHARSET.search(data)
    hint = found.group(1).decode("latin-1") if found else None
    lines = []
    guesses = 0
    for line in data.split(b"\n"):
        if line.isascii():
            lines.append(line.decode("ascii"))
        elif guesses < 200:
            guesses += 1
            lines.append(charsets.decode(line, hint, [], hint))
        else:
            lines.append(charsets.windows_1252(line))
    return "\n".join(lines)
