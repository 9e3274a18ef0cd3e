"""HTML to the text that a person would read: one linear pass, no tree, so that no document is too deep or too broken."""

from __future__ import annotations

import re
from html import unescape

MAX_LENGTH = 4 << 20  # characters of HTML that are rendered; nobody reads more, and the HTML itself is kept whole

_TOKEN = re.compile(r"<!--.*?(?:-->|$)|<(/?)([a-zA-Z][a-zA-Z0-9:]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>|<[!?/][^>]*>", re.DOTALL)
_HIDDEN = re.compile(
    r"<(style|script|title|noscript|template|xml|textarea|object|select)\b[^>]*>.*?(?:</\1\s*>|$)", re.DOTALL | re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_DISPLAY_NONE = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.IGNORECASE)
_VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "area", "base", "col", "wbr", "source", "embed"})
# How many line breaks an element asks for before and after itself.
_BREAKS = {
    "p": 2, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "h5": 2, "h6": 2, "ul": 1, "ol": 1, "dl": 2, "blockquote": 1, "pre": 2,
    "div": 1, "tr": 1, "table": 1, "li": 1, "section": 1, "article": 1, "header": 1, "footer": 1, "center": 1,
    "address": 1, "form": 1, "fieldset": 1, "dt": 1, "dd": 1, "body": 1, "html": 1, "hr": 1, "main": 1, "nav": 1,
    "aside": 1, "figure": 1, "figcaption": 1, "caption": 1, "tbody": 1, "thead": 1, "tfoot": 1, "legend": 1,
    "details": 1, "summary": 1, "option": 1,
}


def to_text(html: str) -> str:
    """Plain text: paragraphs, lists, table rows, quotes ("> "), links with their address where it is not the text."""
    if len(html) > MAX_LENGTH:
        html = html[:MAX_LENGTH]
    if "<" not in html:
        return _SPACE.sub(" ", unescape(html)).strip()
    return _Renderer().render(html)


class _Renderer:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._breaks = 0  # line breaks owed before the next text
        self._space = False  # a white space owed before the next text
        self._quotes = 0
        self._pre = 0
        self._lists: list[int] = []
        self._links: list[tuple[str, int]] = []
        self._length = 0

    def render(self, html: str) -> str:
        html = _drop_hidden(html)
        position = 0
        hidden: list[str] = []
        for match in _TOKEN.finditer(html):
            start = match.start()
            if start > position and not hidden:
                self._text(html[position:start])
            position = match.end()
            tag = match[2]
            if tag is None:
                continue
            tag = tag.lower()
            if hidden:
                # Inside a hidden element only its own kind is counted, to find its end.
                if tag == hidden[0]:
                    if match[1]:
                        hidden.pop()
                    else:
                        hidden.append(tag)
                continue
            if match[1]:
                self._close(tag)
            else:
                attributes = match[3]
                if tag not in _VOID and "style" in attributes and tag != "body" and _is_hidden(attributes):
                    if "</" + tag in html[position : position + 200000].lower():
                        hidden.append(tag)
                    continue
                self._open(tag, attributes)
        if position < len(html) and not hidden:
            rest = html[position:]
            if not re.match(r"<[a-zA-Z/!][^>]*$", rest):
                self._text(rest)
        self._flush()
        while self._lines and not self._lines[-1].strip("> "):
            self._lines.pop()
        return "\n".join(self._lines).strip("\n")

    def _text(self, text: str) -> None:
        if "&" in text:
            text = unescape(text)
        if self._pre:
            for index, line in enumerate(text.replace("\r\n", "\n").split("\n")):
                if index:
                    self._break(0)
                if line:
                    self._emit(line)
            return
        words = _SPACE.sub(" ", text)
        if words == " ":
            self._space = bool(self._line) and not self._breaks
            return
        if not words:
            return
        if words[0] == " ":
            self._space = True
            words = words[1:]
        ends = words.endswith(" ")
        self._emit(words[:-1] if ends else words)
        self._space = ends

    def _emit(self, text: str) -> None:
        if self._breaks:
            self._flush()
            for _ in range(min(self._breaks, 2) - 1):
                if self._lines and self._lines[-1].strip("> "):
                    self._lines.append("> " * self._quotes if self._quotes else "")
            self._breaks = 0
        elif self._space and self._line and not self._line[-1].endswith(("\t", " ")):
            self._line.append(" ")
        self._space = False
        self._line.append(text)

    def _flush(self) -> None:
        if self._line:
            self._lines.append(self._prefix + "".join(self._line).rstrip(" \t"))
            self._line = []

    @property
    def _prefix(self) -> str:
        return "> " * min(self._quotes, 20) if self._quotes else ""

    def _break(self, owed: int) -> None:
        """End the line now (owed 0: an empty one counts, as <br> does) or before the next text."""
        if owed == 0:
            if self._breaks:
                self._emit("")
            if self._line:
                self._flush()
            elif self._lines:
                self._lines.append(self._prefix)
            self._space = False
            return
        if self._line or self._lines:
            self._breaks = max(self._breaks, owed)

    def _open(self, tag: str, attributes: str) -> None:
        if tag == "br":
            if self._breaks:
                self._emit("")
            if self._line:
                self._flush()
                self._line = []
            else:
                self._lines.append(self._prefix)
            self._space = False
            return
        breaks = _BREAKS.get(tag)
        if breaks:
            self._break(breaks)
            if tag == "blockquote":
                self._settle()
                self._quotes += 1
            elif tag == "pre":
                self._settle()
                self._pre += 1
            elif tag in ("ul", "ol"):
                self._lists.append(0 if tag == "ol" else -1)
            elif tag == "li":
                self._item()
            elif tag == "hr":
                self._emit("-" * 20)
                self._breaks = 1
        elif tag in ("td", "th"):
            if self._line and not self._breaks:
                self._line.append("\t")
                self._space = False
        elif tag == "a":
            self._links.append((_attribute(attributes, "href"), len(self._line)))
        elif tag == "img":
            alt = _attribute(attributes, "alt").strip()
            if alt and not alt.startswith("http"):
                self._text(f"[{alt}]")

    def _settle(self) -> None:
        """Write what is owed under the present quote depth before that changes."""
        if self._line:
            self._flush()

    def _item(self) -> None:
        depth = max(0, min(len(self._lists), 8) - 1)
        mark = "- "
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}. "
        self._emit("  " * depth + mark)

    def _close(self, tag: str) -> None:
        if tag == "a":
            if self._links:
                self._end_link(*self._links.pop())
            return
        breaks = _BREAKS.get(tag)
        if not breaks:
            return
        if tag == "blockquote":
            self._settle()
            self._quotes = max(0, self._quotes - 1)
        elif tag == "pre":
            self._settle()
            self._pre = max(0, self._pre - 1)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag == "li":
            breaks = 1
        self._break(breaks)

    def _end_link(self, href: str, start: int) -> None:
        href = unescape(href).strip()
        if not href.lower().startswith(("http:", "https:", "mailto:", "tel:", "ftp:")):
            return
        shown = "".join(self._line[start:]).strip()
        if not shown:
            return
        bare = re.sub(r"^(?:https?://|mailto:|tel:)", "", href, flags=re.IGNORECASE).rstrip("/").lower()
        said = re.sub(r"^(?:https?://|mailto:|tel:)", "", shown, flags=re.IGNORECASE).rstrip("/").lower()
        if bare == said or bare.partition("?")[0] == said:
            return
        self._emit(f" <{href}>" if not self._space else f"<{href}>")


def _drop_hidden(html: str) -> str:
    lowered = html.lower() if len(html) < 100 else html
    if "<" not in lowered:
        return html
    return _HIDDEN.sub(" ", html)


def _is_hidden(attributes: str) -> bool:
    style = _attribute(attributes, "style")
    return bool(style and _DISPLAY_NONE.search(style))


def _attribute(attributes: str, name: str) -> str:
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            return match[2] or match[3] or match[4] or ""
    return ""
