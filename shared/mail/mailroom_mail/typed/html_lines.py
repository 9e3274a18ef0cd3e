"""The lines of an HTML document as a reader would see them, each with its place in the source. No tree is built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from mailroom_mail.showing.html_runs import without_open_values

from .attribution import apart

_TOKEN = re.compile(r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>|<[^<>]*>", re.DOTALL)
_CHARACTER = re.compile(r"&(?:#\w{1,8}|\w{2,32});?|.", re.DOTALL)
_BREAKING = frozenset(
    [
        "p",
        "div",
        "br",
        "tr",
        "table",
        "li",
        "ul",
        "ol",
        "blockquote",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "pre",
        "section",
        "article",
        "header",
        "footer",
        "center",
        "body",
        "html",
        "td",
        "dt",
        "dd",
    ]
)


@dataclass(slots=True)
class Line:
    text: str
    start: int  # offset of the tag or text that began the line
    pieces: list[tuple[int, int]]  # the ranges of its text
    quotes: list[int]  # the blockquotes open in it, outermost first, by offset


def lines_of(html: str) -> list[Line]:
    """The lines as a reader would see them, quotation marked with ">", each with its place in the source."""
    lines: list[Line] = []
    words: list[str] = []
    pieces: list[tuple[int, int]] = []
    quotes: list[int] = []
    began = 0
    position = 0
    hidden = ""

    def close(at: int) -> None:
        nonlocal words, pieces, began
        text = " ".join("".join(words).split())
        if text:
            prefix = ">" * min(len(quotes), 20)
            lines.append(Line(f"{prefix} {text}" if prefix else text, began, pieces, quotes[:1]))
            words, pieces, began = [], [], at
        elif pieces or not lines:
            words, pieces = [], []

    for found in _TOKEN.finditer(without_open_values(html, " ")):
        if found.start() > position and not hidden:
            piece = html[position : found.start()]
            words.append(unescape(piece) if "&" in piece else piece)
            pieces.append((position, found.start()))
        position = found.end()
        tag = (found.group(2) or "").lower()
        if not tag:
            continue
        closing = bool(found.group(1))
        if tag in ("style", "script", "title", "head"):
            hidden = "" if closing else (hidden or tag)
            continue
        if tag in ("body", "div", "p"):
            hidden = ""
        if hidden or tag not in _BREAKING:
            continue
        if not words or not "".join(words).strip():
            if not closing:
                began = min(began, found.start()) if words and "".join(words).strip() else found.start()
            elif tag == "br":
                began = found.end()
            words, pieces = [], []
        else:
            close(found.end() if closing or tag == "br" else found.start())
        if tag == "blockquote":
            if closing:
                if quotes:
                    quotes.pop()
            else:
                quotes.append(found.start())
    if position < len(html) and not hidden:
        words.append(unescape(html[position:]))
        pieces.append((position, len(html)))
    close(len(html))
    return lines


def split_shared(html: str, rows: list[Line], names: Sequence[str]) -> list[Line]:
    """The lines, with an attribution that shares a line with a person's words on a line of its own."""
    places = apart([row.text for row in rows], names)
    if not places:
        return rows
    out: list[Line] = []
    for index, row in enumerate(rows):
        at = places.get(index)
        offset = None if at is None else source(html, row.pieces, row.text[:at])
        if at is None or offset is None:
            out.append(row)
            continue
        before = [(start, min(end, offset)) for start, end in row.pieces if start < offset]
        after = [(max(start, offset), end) for start, end in row.pieces if end > offset]
        out.append(Line(row.text[:at].rstrip(), row.start, before, row.quotes))
        out.append(Line(row.text[at:], offset, after, row.quotes))
    return out


def source(html: str, pieces: list[tuple[int, int]], text: str) -> int | None:
    """The offset in the source after the first characters of a line, which `text` is; None where they are not there."""
    left = len("".join(text.split()))
    for start, end in pieces:
        for found in _CHARACTER.finditer(html, start, end):
            if left <= 0 and not found.group().isspace():
                return found.start()
            left -= len("".join(unescape(found.group()).split()))
    return None
