"""Header sections (RFC 5322 section 2.2): bytes to fields, unfolded, as sent; nothing is lost to a bad line."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import charsets
from .charset_guess import likeliest, of_language
from .charset_labels import codec_name
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
_LANGUAGE = re.compile(
    rb"^(?:content|accept)-language[ \t]*:[ \t]*([a-z]{2})(?:-([a-z]{2,4}))?", re.IGNORECASE | re.MULTILINE
)
_LOOK_AHEAD = 8  # lines
_MOST_GUESSES = 200  # fields in one header
_NAMED_WITHIN = 64_000  # bytes of the body in which parts may name a charset
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


def read_block(raw: bytes, start: int, stop: int, body: int, defects: list[str], language: str = "") -> Block:
    """The fields in `raw[start:stop]`; `body` is where the body begins unless the section turns out to end sooner.

    `language` ("ja", "ko" …) is what the mail is written in, where that is known: raw 8-bit fields are read by it, or by the
    charset that is named from `body` on.
    """
    data = raw[start:stop]
    if b"\0" in data:
        add(defects, "nul-in-header")
        data = data.replace(b"\0", b" ")  # the same length: offsets stay right
    if not data.isascii() or b"\x1b" in data:
        text = _unlabelled(data, raw, body, defects, language)
    else:
        text = data.decode("ascii")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", " " if "\n" in text else "\n")
    if text[:1] in (" ", "\t"):
        return _odd_block(data, start, body, defects, raw, language)
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
                return _odd_block(data, start, body, defects, raw, language)
        fields.append((name, value.strip()))
    return Block(fields, body)


def _odd_block(data: bytes, start: int, body: int, defects: list[str], raw: bytes, language: str) -> Block:
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
    plain = joined.isascii() and b"\x1b" not in joined
    text = joined.decode("ascii") if plain else _unlabelled(joined, raw, body, defects, language)
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
    """Whether the lines that follow are surely a header: one of the next has a name that no text begins with, or all of
    them are fields. Looks a bounded distance ahead."""
    fields = 0
    for _ in range(_LOOK_AHEAD):
        if position >= len(data):
            break
        if _KNOWN_FIELD.match(data, position):
            return True
        newline = data.find(b"\n", position, position + 2000)
        if _FIELD.match(data, position):
            fields += 1
        elif not fields or data[position : position + 1] not in (b" ", b"\t"):
            fields = -_LOOK_AHEAD
        if newline < 0:
            break
        position = newline + 1
    return fields > 0


def _unlabelled(data: bytes, raw: bytes, body: int, defects: list[str], language: str) -> str:
    """Raw 8-bit fields, or raw escapes of ISO-2022: UTF-8 (RFC 6532) as a whole, else by the charset that the mail names
    elsewhere or its language has, else each line by itself."""
    if not data.isascii():
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            add(defects, "8bit-header-not-utf8")
        else:
            add(defects, "8bit-header")
            if "\x1b" not in text:
                return text
    hint = _charset_named(data, raw, body)
    language = language or said_language(data)
    odd = [line for line in data.split(b"\n") if not line.isascii()]
    codec = _codec_of_all(odd[:_MOST_GUESSES], hint, language) if odd else None
    lines = []
    guesses = 0
    for line in data.split(b"\n"):
        if line.isascii() and b"\x1b" not in line:
            lines.append(line.decode("ascii"))
            continue
        guesses += 1
        if codec is not None and b"\x1b" not in line:
            lines.append(line.decode(codec, "replace"))
        elif guesses < _MOST_GUESSES:
            lines.append(charsets.decode(line, None, [], hint).replace("\x1b", "").replace("\n", " "))
        else:
            lines.append(charsets.windows_1252(line).replace("\x1b", ""))
    return "\n".join(lines)


def said_language(header: bytes) -> str:
    """The language that a header names ("ja", "zh-tw"), or ""."""
    said = _LANGUAGE.search(header)
    if said is None:
        return ""
    language, region = (b"" if one is None else one.lower() for one in said.groups())
    if language == b"zh" and region:
        return "zh-tw" if region in (b"tw", b"hk", b"mo", b"hant") else "zh-cn"
    return language.decode("ascii")


def _codec_of_all(lines: list[bytes], hint: str | None, language: str) -> str | None:
    """The one charset that all fields are in: what the mail names for its text, else what its language is written in."""
    joined = b"\n".join(lines)
    named = codec_name(hint) if hint else None
    for codec in (named, of_language(joined, language) if language else None, likeliest(joined)):
        if codec is not None:
            try:
                joined.decode(codec)
            except (UnicodeDecodeError, UnicodeError):
                continue
            return codec
    return None


def _charset_named(data: bytes, raw: bytes, body: int) -> str | None:
    """The first charset that tells something, which the header names or, for want of that, what follows it."""
    for where, start, end in ((data, 0, len(data)), (raw, body, min(len(raw), body + _NAMED_WITHIN))):
        for count, found in enumerate(_CHARSET.finditer(where, start, end)):
            label = found.group(1).decode("latin-1")
            if codec_name(label) not in (None, "ascii", "utf-8", "cp1252"):
                return label
            if count > 20:
                break
    return None
