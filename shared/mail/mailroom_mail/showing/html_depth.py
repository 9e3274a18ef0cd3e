"""Nesting of hostile HTML kept within what a tree builder survives; ordinary documents pass through unchanged.

HTML parsers keep a tree and reopen unclosed formatting in every new block (HTML Standard, section 13.2.4.3), so a few
megabytes of unclosed tags cost them their stack or gigabytes: html5ever, which nh3 and css-inline use, overflows it
from some 20,000 open elements on and takes the process along. So the tags are counted before any parser sees them.
An end tag counts only where a parser would obey it, and never inside an attribute, a comment or a script: else
`<div title="</div>">` would count as closed. What this still gets wrong costs a process of its own, never a service:
strangers' HTML is read apart (`mailroom_runtime`'s `apart`).
"""

from __future__ import annotations

import re
from collections import Counter

MAX_DEPTH = 400
MAX_FORMATTING = 40  # formatting elements open at once
MAX_REOPENED = 400_000  # copies of formatting elements that a parser would make
MAX_TAGS = 600_000

# Tokens as section 13.2.5 of the standard ends them: quotes count only behind "=", what is never closed ends with the
# document. Every quantifier is possessive, so no piece of the text is read twice.
_TAG = re.compile(
    r"<(?:!--(?:-?>|.*?(?:--!?>|\Z))|[!?][^>]*+(?:>|\Z)|/(?=[^a-zA-Z])[^>]*+(?:>|\Z)"
    r"|(/?)([a-zA-Z][^\s/>]*+)(?:[\s/]++|=?[^\s/>=]++|=[\s]*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^\s>\"'][^\s>]*+)?)*+(?:>|\Z))",
    re.DOTALL,
)
# Their content is text up to their own end tag (section 13.2.5.1); plaintext has no end.
_RAW = ("style", "script", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext")
_RAW_END = {name: re.compile(rf"</{name}(?=[\s/>])" if name != "plaintext" else r"\Z", re.IGNORECASE) for name in _RAW}
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
# Elements that close themselves or hold nothing: their count says nothing of depth, but within foreign content.
_FLAT = frozenset(
    {"p", "li", "td", "th", "tr", "dt", "dd", "tbody", "thead", "tfoot", "option", "br", "img", "hr", "input", "meta",
     "link", "area", "base", "col", "wbr", "source", "embed", "html", "head", "body", "param", "colgroup"}
)  # fmt: skip
_FOREIGN = frozenset({"svg", "math"})
# An end tag is obeyed up to the nearest of these only ("has an element in scope", section 13.2.4.2).
_BARRIERS = frozenset({"table", "caption", "object", "applet", "marquee", "template", "select", *_FOREIGN})


def limit(html: str) -> str:
    """`html` without the tags that nest too deeply."""
    if html.count("<") <= MAX_FORMATTING:
        return html
    out: list[str] = []
    kept_to = position = tags = reopened = 0
    formatting: list[str] = []
    tree = _Open()
    exhausted = changed = False
    search = _TAG.search
    while (match := search(html, position)) is not None:
        position = match.end()
        closing, name = match.groups()
        if name is None:
            continue
        name = name.lower()
        tags += 1
        keep = tags <= MAX_TAGS
        if name in _FLAT and not tree.foreign:
            reopened += len(formatting)
        elif name in _FORMATTING:
            if closing:
                if name in formatting:
                    formatting.remove(name)
            elif exhausted or len(formatting) >= MAX_FORMATTING:
                keep = False
            else:
                formatting.append(name)
        elif closing:
            keep = tree.close(name) and keep
        elif name in _RAW_END and not tree.foreign:
            end = _RAW_END[name].search(html, position)
            position = end.start() if end else len(html)
        else:
            keep = keep and tree.open(name)
            reopened += len(formatting)
        if reopened > MAX_REOPENED and not exhausted:
            exhausted = changed = True
            out.append(html[kept_to : match.start()] + "".join(f"</{open_}>" for open_ in reversed(formatting)))
            kept_to = match.start()
            formatting.clear()
        if not keep:
            changed = True
            out.append(html[kept_to : match.start()])
            kept_to = match.end()
    if not changed:
        return html
    out.append(html[kept_to:])
    return "".join(out)


class _Open:
    """The elements that a parser would have open."""

    def __init__(self) -> None:
        self.foreign = 0  # how many of SVG or MathML, where every element nests
        self._names: list[str] = []
        self._count: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def open(self, name: str) -> bool:
        """Whether this one may be opened too."""
        if len(self._names) >= MAX_DEPTH:
            self._dropped[name] += 1
            return False
        self._names.append(name)
        self._count[name] += 1
        self.foreign += name in _FOREIGN
        return True

    def close(self, name: str) -> bool:
        """Obey an end tag where a parser would; False where its start tag was dropped."""
        if self._dropped.get(name):
            self._dropped[name] -= 1
            return False
        if not self._count.get(name):
            return True
        names = self._names
        for depth in range(len(names) - 1, -1, -1):
            if names[depth] == name:
                # the end tag of a form takes the form away and leaves open what stands in it
                gone = slice(depth, depth + 1 if name == "form" else None)
                for each in names[gone]:
                    self._count[each] -= 1
                    self.foreign -= each in _FOREIGN
                del names[gone]
                break
            if names[depth] in _BARRIERS and name not in _BARRIERS:
                break
        return True
