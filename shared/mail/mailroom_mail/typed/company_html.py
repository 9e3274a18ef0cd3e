"""A gateway's banner and its legal notice in HTML: where they stand, so that they can be folded or left out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .company_words import above_notice, below_banners
from .html_lines import Line, lines_of, source

_LOOKED_AT = 20_000  # characters at each end
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:[^"'<>]|"[^"]*"|'[^']*')*>""")
_OPENING_BEFORE = re.compile(r"<(?!br\b|hr\b|img\b|wbr\b|body\b|html\b)[a-zA-Z][^<>]*>\s*\Z")
_CLOSING_AFTER = re.compile(r"\s*</[a-zA-Z][^<>]*>")
_RULE = re.compile(r"(?:\s|&nbsp;|\xa0|<br\s*/?>|<hr\b[^<>]*>)*", re.IGNORECASE)
_RULE_BEFORE = re.compile(r"(?:\s|&nbsp;|\xa0|<br\s*/?>|<hr\b[^<>]*>)+\Z", re.IGNORECASE)
_SEEN = re.compile(r"(?:<[^<>]*>|\s|&nbsp;|\xa0)*")
_VOID = frozenset({"br", "hr", "img", "wbr", "col", "input", "meta", "link"})

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CompanyRanges:
    """Offsets of what nobody typed; each a piece of HTML whose elements are whole, or None where there is none."""

    banner: Range | None = None
    notice: Range | None = None


def company_ranges(html: str) -> CompanyRanges:
    """Where a banner begins the document and a legal notice ends it. Bounded: both ends are looked at only."""
    banner, notice = _banner(html), _notice(html)
    if banner is not None and notice is not None and notice[0] < banner[1]:
        notice = None
    return CompanyRanges(banner, notice)


def without_company_html(html: str) -> str:
    """The HTML without both; all of it where nothing would be left."""
    found = company_ranges(html)
    rest = html
    for one in (found.notice, found.banner):
        if one is not None:
            rest = rest[: one[0]] + rest[one[1] :]
    return rest


def _banner(html: str) -> Range | None:
    rows = lines_of(html[:_LOOKED_AT])
    text = "\n".join(row.text for row in rows)
    rest = below_banners(text)
    used = len(text) - len(rest)
    if not used or not rest.strip():
        return None
    for row in rows:
        if used < len(row.text):
            end = row.start if used <= 0 else source(html, row.pieces, row.text[:used])
            return None if end is None else _whole(html, rows[0].start, _after_rule(html, end))
        used -= len(row.text) + 1
    return None


def _notice(html: str) -> Range | None:
    start = max(0, len(html) - _LOOKED_AT)
    if start:
        start = html.find("<", start)
        if start < 0:
            return None
    rows: list[Line] = lines_of(html[start:])
    text = "\n".join(row.text for row in rows)
    above = above_notice(text)
    if above == text or (not above.strip() and not start):
        return None
    first = above.count("\n") + 1 if above else 0
    while first < len(rows) and not rows[first].text.strip(" -_=*"):
        first += 1  # a rule
    if first >= len(rows):
        return None
    begin, end = start + rows[first].start, start + rows[-1].pieces[-1][1]
    rule = _RULE_BEFORE.search(html, max(0, begin - 500), begin)
    found = _whole(html, begin if rule is None else rule.start(), end)
    return None if found is None else (found[0], _after_rule(html, found[1]))


def _after_rule(html: str, at: int) -> int:
    """Behind the rule and the empty lines that follow."""
    found = _RULE.match(html, at, at + 500)
    return at if found is None else found.end()


def _whole(html: str, start: int, end: int) -> Range | None:
    """The range, moved so that every element in it begins and ends there; None where that cannot be."""
    opened: list[int] = []
    lacking: list[int] = []  # closing tags whose opening one stands before the range
    for tag in _TAG.finditer(html, start, end):
        if tag.group(2).lower() in _VOID:
            continue
        if not tag.group(1):
            opened.append(tag.end())
        elif opened:
            opened.pop()
        else:
            lacking.append(tag.start())
    while lacking and (before := _OPENING_BEFORE.search(html, max(0, start - 1000), start)) is not None:
        start = before.start()
        lacking.pop(0)
    while opened and (after := _CLOSING_AFTER.match(html, end)) is not None:
        end = after.end()
        opened.pop()
    if opened:  # what holds the rest of the mail, too
        if _SEEN.fullmatch(html, start, opened[-1]) is None:
            return None
        start = opened[-1]
    if lacking:
        if _SEEN.fullmatch(html, lacking[0], end) is None:
            return None
        end = lacking[0]
    return (start, end) if start < end else None
