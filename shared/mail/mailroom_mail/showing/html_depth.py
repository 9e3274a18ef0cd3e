"""Nesting of hostile HTML kept within what a tree builder survives; ordinary documents pass through unchanged.

HTML parsers keep a tree and reopen unclosed formatting in every new block (HTML Standard, section 13.2.4.3), so a few
megabytes of unclosed tags can cost them their stack or gigabytes.
"""

from __future__ import annotations

import re

MAX_DEPTH = 600
MAX_FORMATTING = 40  # formatting elements open at once
MAX_REOPENED = 400_000  # copies of formatting elements that a parser would make
MAX_TAGS = 600_000

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)[^<>]*>?")
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
# Elements that close themselves or hold nothing: their count says nothing of depth.
_FLAT = frozenset(
    {"p", "li", "td", "th", "tr", "dt", "dd", "tbody", "thead", "tfoot", "option", "br", "img", "hr", "input", "meta",
     "link", "area", "base", "col", "wbr", "source", "embed", "html", "head", "body", "param", "colgroup"}
)  # fmt: skip


def limit(html: str) -> str:
    """`html` without the tags that nest too deeply."""
    if html.count("<") <= MAX_FORMATTING:
        return html
    out: list[str] = []
    position = depth = dropped = reopened = 0
    formatting: list[str] = []
    exhausted = changed = False
    for tags, match in enumerate(_TAG.finditer(html)):
        closing, name = match[1], match[2].lower()
        keep = tags < MAX_TAGS
        if name in _FORMATTING:
            if closing:
                if name in formatting:
                    formatting.remove(name)
            elif exhausted or len(formatting) >= MAX_FORMATTING:
                keep = False
            else:
                formatting.append(name)
        elif name in _FLAT:
            reopened += len(formatting)
        elif closing:
            if dropped:
                dropped -= 1
                keep = False
            else:
                depth = max(0, depth - 1)
        elif depth >= MAX_DEPTH:
            dropped += 1
            keep = False
        else:
            depth += 1
            reopened += len(formatting)
        if reopened > MAX_REOPENED and not exhausted:
            exhausted = changed = True
            out.append(html[position : match.start()] + "".join(f"</{open_}>" for open_ in reversed(formatting)))
            position = match.start()
            formatting.clear()
        if not keep:
            changed = True
            out.append(html[position : match.start()])
            position = match.end()
    if not changed:
        return html
    out.append(html[position:])
    return "".join(out)
