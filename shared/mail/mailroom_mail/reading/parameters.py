"""Content-Type and Content-Disposition values with their parameters (RFC 2045 section 5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import mimetypes
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from . import charsets, encoded_words
from .charset_labels import codec_name
from .defect_names import add

_TOKEN = re.compile(r"\s*([^\s;\"/,()<>=]+)\s*/\s*([^\s;\"/,()<>=]+)")
_PARAMETER = re.compile(r"\s*([^\s=;\"]+?)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;\"]*(?:\"[^;\"]*)*))[^;]*", re.DOTALL)
_SIMPLE_TYPE = re.compile(r'([a-zA-Z]+/[\w.+-]+)(?:; ?\t?charset="?([\w-]+)"?)?;?', re.ASCII)
_UNESCAPE = re.compile(r'\\(["\\])')
_NUMBERED = re.compile(r"(.+?)\*(\d{1,4})?(\*)?", re.DOTALL)
_STARRED_VALUE = re.compile(r"([A-Za-z][\w.:-]{1,40})'[\w-]{0,20}'(.*%[0-9A-Fa-f]{2}.*)", re.DOTALL)
_SPACES = re.compile(r"[\r\n\t ]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_PARAMETERS = 200
MAX_LENGTH = 1 << 15  # characters of one header value that are read


class Value(NamedTuple):
    """`kind` in lower case ("text/plain", "attachment") and its parameters, names in lower case, values decoded."""

    kind: str
    parameters: dict[str, str]


def content_type(value: str | None, default: str, defects: list[str]) -> Value:
    """Read a Content-Type; a missing or unreadable one means `default`."""
    if not value:
        return Value(default, {})
    simple = _SIMPLE_TYPE.fullmatch(value)
    if simple:
        kind, charset = simple.groups()
        return Value(kind.lower(), {"charset": charset} if charset else {})
    if value.startswith("=?"):
        value = encoded_words.decode(value, defects)
    match = _TOKEN.match(value)
    if match:
        kind = f"{match[1]}/{match[2]}".lower()
        rest = value[match.end() :]
    else:
        add(defects, "bad-content-type")
        head, _, rest = value.partition(";")
        if "=" in head and not rest:
            rest = head
        word = head.strip().strip('"').lower()
        kind = {"text": "text/plain", "html": "text/html", "plain": "text/plain", "multipart": "multipart/mixed"}.get(
            word, default
        )
        rest = ";" + rest
    return Value(kind, parameters(rest, defects))


def disposition(value: str | None, defects: list[str]) -> Value:
    """Read a Content-Disposition; kind "" when there is none."""
    if not value:
        return Value("", {})
    head, semicolon, rest = value.partition(";")
    word = head.strip().strip('"').lower()
    if "=" in head:  # the type itself is missing
        rest = value
        word = "attachment"
    elif not semicolon:
        if " " in word:
            word, _, rest = word.partition(" ")
        return Value(word, parameters(rest, defects) if rest else {})
    return Value(word, parameters(rest, defects))


def parameters(text: str, defects: list[str]) -> dict[str, str]:
    """`; name=value` pairs; RFC 2231 pieces joined and decoded, RFC 2047 words decoded where they do not belong."""
    found: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    position, count = 0, 0
    if len(text) > MAX_LENGTH:
        add(defects, "too-long-header")
        text = text[:MAX_LENGTH]
    while position < len(text) and count < MAX_PARAMETERS:
        if text[position] in "; \t\r\n,":
            position += 1
            continue
        match = _PARAMETER.match(text, position)
        if match is None:
            semicolon = text.find(";", position)
            if semicolon < 0:
                break
            position = semicolon + 1
            continue
        position = max(match.end(), position + 1)
        count += 1
        name, quoted, plain = match.groups()
        value = _UNESCAPE.sub(r"\1", quoted) if quoted is not None else plain.strip()
        name = name.lower()
        if "*" in name:
            numbered = _NUMBERED.fullmatch(name)
            if numbered:
                base, number, star = numbered.groups()
                encoded = star is not None or number is None
                pieces.setdefault(base, []).append((int(number or 0), encoded, value))
                continue
        if name not in found:
            found[name] = _loose(value, defects)
    for base, parts in pieces.items():
        found[base] = _joined(parts, defects)
    return found


def _loose(value: str, defects: list[str]) -> str:
    """A value without RFC 2231 marks, in which other encodings may stand all the same."""
    if "=?" in value:
        spaced = _SPACES.sub(" ", value)
        decoded = encoded_words.decode(spaced, defects)
        if decoded != spaced:  # else it is what somebody called a file
            add(defects, "encoded-word-in-parameter")
            return decoded
    if "'" in value and "%" in value:
        starred = _STARRED_VALUE.fullmatch(value)
        if starred and codec_name(starred[1]):
            add(defects, "unmarked-rfc2231-parameter")
            return charsets.decode(unquote_to_bytes(starred[2]), starred[1], defects)
    return value


def _joined(parts: list[tuple[int, bool, str]], defects: list[str]) -> str:
    parts.sort(key=lambda part: part[0])
    label: str | None = None
    out: list[bytes] = []
    any_encoded = False
    for index, (_, encoded, value) in enumerate(parts):
        if encoded:
            if index == 0 and value.count("'") >= 2:
                label, _, value = value.split("'", 2)
            any_encoded = True
            out.append(unquote_to_bytes(value))
        else:
            out.append(value.encode("utf-8", "replace"))
    data = b"".join(out)
    if not any_encoded:
        return _loose(data.decode("utf-8", "replace"), defects)
    text = charsets.decode(data, label or None, defects)
    return _loose(text, defects) if "=?" in text else text


def filename(disposition_value: Value, type_value: Value) -> str | None:
    """The name as sent: Content-Disposition's first (RFC 2183 section 2.3), then the old `name` of Content-Type."""
    for name in (disposition_value.parameters.get("filename"), type_value.parameters.get("name")):
        if name:
            clean = _CONTROL.sub("", _SPACES.sub(" ", name)).strip()
            if clean:
                return clean
    return None


def kind_of_name(name: str | None) -> str:
    """The media type that a file name stands for, where nothing else says it."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream" if name else "application/octet-stream"
