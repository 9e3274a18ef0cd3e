"""The MIME tree (RFC 2046 section 5.1) in one pass over the bytes, whatever the nesting.

Parts hold offsets into the raw message, never copies. Delimiters are looked up among all open boundaries, so a parent's
delimiter ends a child that was never closed, and thousands of levels cost no more than thousands of lines.
"""

from __future__ import annotations

import re

from . import parameters, transfer
from .defect_names import add
from .header_block import find_end, read_block, said_language

_UNSAID_MULTIPART = re.compile(rb"--[^\r\n]{1,200}\r?\nContent-[A-Za-z-]+:", re.IGNORECASE)
_AFTER_DELIMITER = re.compile(rb"\r?\n(?:\r?\n|[!-9;-~]+[ \t]*:)")
MAX_PARTS = 2000
MANY_DASHES = 20000  # lines that look like delimiters and are none, after which the search goes by whole boundaries
_GUESS = re.compile(rb"^--([^\s-][^\r\n]{0,200}?)[ \t]*\r?$", re.MULTILINE)
_SLICE = 400


class Part:
    """One node: its header fields, media type and the range of its body in the raw message."""

    __slots__ = (
        "children",
        "disposition",
        "end",
        "fields",
        "first",
        "head",
        "in_alternative",
        "kind",
        "parameters",
        "start",
        "transfer_encoding",
        "within",
    )

    def __init__(self, fields: list[tuple[str, str]], default: str, start: int, end: int, defects: list[str]) -> None:
        first: dict[str, str] = {}
        for name, value in fields:
            first.setdefault(name.lower(), value)
        self.fields = fields
        self.first = first
        self.kind, self.parameters = parameters.content_type(first.get("content-type"), default, defects)
        self.disposition = parameters.disposition(first.get("content-disposition"), defects)
        self.transfer_encoding = transfer.name(first.get("content-transfer-encoding"), defects)
        self.start = start
        self.end = end
        self.head = (start, start)  # where its header section stands
        self.children: list[Part] = []
        self.within = ""
        self.in_alternative = False

    @property
    def is_multipart(self) -> bool:
        return self.kind.startswith("multipart/")

    @property
    def filename(self) -> str | None:
        return parameters.filename(self.disposition, parameters.Value(self.kind, self.parameters))


def parse(raw: bytes, start: int, end: int, defects: list[str], default: str = "text/plain") -> Part:
    """The tree of the entity that begins at `start`."""
    stop, body = find_end(raw, start, end)
    block = read_block(raw, start, stop, body, defects)
    root = Part(block.fields, default, block.body, end, defects)
    root.head = (start, stop)
    if "content-type" not in root.first and _UNSAID_MULTIPART.match(raw, root.start, min(end, root.start + 400)):
        # The line that names the boundary was lost, the parts are there.
        boundary = _guess(raw, root, end)
        if boundary:
            add(defects, "no-content-type")
            root.kind = "multipart/mixed"
    if not root.is_multipart:
        return root
    boundary = _boundary(root)
    if boundary:
        _Tree(raw, root, boundary, end, defects).build()
    if not root.children:
        guessed = _guess(raw, root, end)
        if guessed and guessed != boundary:
            add(defects, "wrong-boundary" if boundary else "no-boundary")
            _Tree(raw, root, guessed, end, defects).build()
    if not root.children:
        add(defects, "multipart-without-parts")
    return root


def read_headers(root: Part, raw: bytes, language: str) -> None:
    """Read raw 8-bit headers once more, the root's and the parts' (names of files), now that the mail's language is known,
    and with it the charset that its text has."""
    language = language or said_language(raw[slice(*root.head)])
    parts = [root]
    while parts:
        part = parts.pop()
        parts += part.children
        start, stop = part.head
        if raw[start:stop].isascii():
            continue
        part.fields = read_block(raw, start, stop, root.start, [], language).fields
        part.first = {}
        for name, value in part.fields:
            part.first.setdefault(name.lower(), value)
        part.parameters = parameters.content_type(part.first.get("content-type"), part.kind, []).parameters
        part.disposition = parameters.disposition(part.first.get("content-disposition"), [])


def _boundary(part: Part) -> bytes:
    return part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")


def _guess(raw: bytes, root: Part, end: int) -> bytes:
    """The boundary that the body itself uses where the header names none or another one."""
    for count, match in enumerate(_GUESS.finditer(raw, root.start, end)):
        candidate = match.group(1)
        if _AFTER_DELIMITER.match(raw, match.end()) and (
            raw.find(b"--" + candidate, match.end(), end) >= 0
            or raw.startswith(b"--" + candidate + b"--", match.start())
        ):
            return candidate.removesuffix(b"--")
        if count > 20:
            break
    return b""


class _Tree:
    def __init__(self, raw: bytes, root: Part, boundary: bytes, end: int, defects: list[str]) -> None:
        self._raw = raw
        self._end = end
        self._defects = defects
        self._levels: list[tuple[Part, bytes]] = [(root, boundary)]
        self._index: dict[bytes, int] = {boundary: 0}
        self._blank = (-1, -1)
        self._count = 0
        self._tried = 0
        self._ahead: dict[bytes, int] = {}

    def build(self) -> None:
        raw, end = self._raw, self._end
        position = self._levels[0][0].start - 1
        leaf: Part | None = None
        while True:
            hit = self._next(position, end)
            if hit is None:
                break
            line_start, after, level, closing = hit
            if leaf is not None:
                leaf.end = max(leaf.start, _line_end(raw, line_start))
                leaf = None
            self._pop(level)
            parent = self._levels[level][0]
            if closing:
                position = after - 1
                continue
            if self._count >= MAX_PARTS:
                add(self._defects, "too-many-parts")
                leaf = parent.children[-1] if parent.children else None
                break
            self._count += 1
            leaf = self._open(parent, after)
            position = max(after, leaf.start) - 1
            if leaf.is_multipart:
                boundary = _boundary(leaf)
                if not boundary or boundary in self._index:
                    add(self._defects, "no-boundary" if not boundary else "boundary-used-twice")
                else:
                    self._index[boundary] = len(self._levels)
                    self._levels.append((leaf, boundary))
                    # The text before the first delimiter is a preamble, after the last an epilogue: both are no content.
        if leaf is not None:
            leaf.end = end
            add(self._defects, "unclosed-multipart")

    def _open(self, parent: Part, after: int) -> Part:
        """The part whose header begins at `after`; it ends where the next delimiter is found."""
        raw = self._raw
        if self._blank[0] < after:
            self._blank = find_end(raw, after, self._end)
        stop, body = self._blank
        if raw.startswith((b"\n", b"\r\n"), after):
            stop, body = find_end(raw, after, self._end)
        # A delimiter inside what looks like the header ends the part: it has no body.
        hit = self._next(after - 1, stop)
        if hit is not None and hit[0] < stop:
            stop = body = max(after, hit[0] + 1)
        block = read_block(raw, after, stop, body, self._defects)
        default = "message/rfc822" if parent.kind == "multipart/digest" else "text/plain"
        part = Part(block.fields, default, min(block.body, self._end), self._end, self._defects)
        part.head = (after, stop)
        part.within = parent.kind
        part.in_alternative = parent.in_alternative or parent.kind == "multipart/alternative"
        parent.children.append(part)
        return part

    def _pop(self, level: int) -> None:
        while len(self._levels) > level + 1:
            _, boundary = self._levels.pop()
            del self._index[boundary]
            self._ahead.pop(boundary, None)

    def _next(self, position: int, end: int) -> tuple[int, int, int, bool] | None:
        """The next delimiter line from `position` (that of a newline): (newline before it, offset after it, level,
        whether it closes)."""
        raw, index = self._raw, self._index
        search = max(position, 0)
        first = position < 0 or (position == self._levels[0][0].start - 1 and raw[position : position + 1] != b"\n")
        while True:
            if first:
                found, first = position, False
                if not raw.startswith(b"--", found + 1):
                    continue
            else:
                found = raw.find(b"\n--", search, end) if self._tried < MANY_DASHES else self._sparse(search, end)
                if found < 0:
                    return None
            token = raw[found + 3 : min(found + 3 + _SLICE, end)]
            newline = token.find(b"\n")
            if newline >= 0:
                token = token[:newline]
            elif found + 3 + _SLICE < end:
                newline = raw.find(b"\n", found + 3, min(found + 3000, end))
                token = raw[found + 3 : newline if newline >= 0 else min(found + 3000, end)]
            after = found + 3 + len(token) + 1
            token = token.rstrip()
            level = index.get(token)
            if level is not None:
                return found, min(after, end), level, False
            if token.endswith(b"--"):
                level = index.get(token[:-2].rstrip())
                if level is not None:
                    return found, min(after, end), level, True
            self._tried += 1
            search = found + 3

    def _sparse(self, search: int, end: int) -> int:
        """The next line that begins as one of the open boundaries does: for bodies full of lines with two dashes."""
        if len(self._index) > 16 or self._tried > 10 * MANY_DASHES:
            add(self._defects, "too-many-delimiters")
            return -1
        best = -1
        for boundary in self._index:
            found = self._ahead.get(boundary, -2)
            if found != -1 and found < search:
                found = self._ahead[boundary] = self._raw.find(b"\n--" + boundary, search, self._end)
            if found >= 0 and (best < 0 or found < best):
                best = found
        return best if best < end else -1


def _line_end(raw: bytes, newline: int) -> int:
    """Where the content before a delimiter ends: the line break belongs to the delimiter (RFC 2046 section 5.1.1)."""
    while newline > 0 and raw[newline - 1] == 13:
        newline -= 1
    return newline
