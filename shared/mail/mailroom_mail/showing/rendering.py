"""HTML to the text that a person would read: one linear pass, no tree, so that no document is too deep or too broken.

Runs of tags between two texts are the unit. Most runs only break lines; what such a run puts between two texts depends on
the run alone, so it is worked out once and remembered.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

from .html_runs import PARTS, TAG, attribute, pieces, without_open_values

MAX_LENGTH = 1 << 20  # characters of HTML that are rendered; nobody reads more, and the HTML itself is kept whole

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.IGNORECASE)
_DATA_URL = re.compile(r"data:[\w/+.-]{1,60};base64,[A-Za-z0-9+/=]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_TIGHT = re.compile(r"class=[\"']?Mso(?:Normal|PlainText)|[\"';]\s*margin(?:-bottom)?\s*:\s*0[^.\d]", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:https?://|mailto:|tel:)", re.IGNORECASE)
_UNSHOWN = frozenset(
    {"style", "script", "title", "noscript", "template", "xml", "textarea", "object", "select", "head"}
)
_VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "area", "base", "col", "wbr", "source", "embed"})
# How many line breaks an element asks for before and after itself.
_BREAKS = {
    "p": 2, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "h5": 2, "h6": 2, "ul": 1, "ol": 1, "dl": 2, "blockquote": 1, "pre": 2,
    "div": 1, "tr": 1, "table": 1, "li": 1, "section": 1, "article": 1, "header": 1, "footer": 1, "center": 1,
    "address": 1, "form": 1, "fieldset": 1, "dt": 1, "dd": 1, "body": 1, "html": 1, "hr": 1, "main": 1, "nav": 1,
    "aside": 1, "figure": 1, "figcaption": 1, "caption": 1, "tbody": 1, "thead": 1, "tfoot": 1, "legend": 1,
    "details": 1, "summary": 1, "option": 1,
}  # fmt: skip
# Tags whose effect depends on more than the run they stand in, or lasts beyond it.
_STATEFUL = _UNSHOWN | {"a", "img", "li", "ul", "ol", "blockquote", "pre", "hr"}


def to_text(html: str) -> str:
    """Plain text: paragraphs, lists, table rows, quotes ("> "), links with their address where it is not the text."""
    if len(html) > MAX_LENGTH:
        html = _DATA_URL.sub("", html)[:MAX_LENGTH]  # images that stand in the document are no text
    if "<" not in html:
        return _SPACE.sub(" ", unescape(html)).replace("\xa0", " ").strip()
    if "<!--" in html:
        html = _COMMENT.sub("", html)
    html = without_open_values(html)
    renderer = _Renderer()
    text = renderer.render(html) or renderer.pictures
    if not text and renderer.skipping:
        # A style or head element that is never closed would hide the whole mail.
        text = _Renderer(show_all=True).render(html)
    return text


@lru_cache(maxsize=4096)
def _effect(run: str, space: bool) -> str | None:
    """What a run puts between two texts outside lists, quotes and preformatted text; None where that is not all."""
    for tag in TAG.findall(run):
        parts = PARTS.match(tag)
        if parts and (parts[2].lower() in _STATEFUL or "hid" in tag or "none" in tag):
            return None
        if parts and parts[1] and parts[2] in "pP" and run.startswith(tag):
            return None  # what closes a paragraph depends on how it was opened
    renderer = _Renderer()
    renderer.text("x " if space else "x")
    renderer.run(run)
    renderer.text("x")
    return renderer.finish()[1:-1]


class _Renderer:
    def __init__(self, *, show_all: bool = False) -> None:
        self._out: list[str] = []  # everything written; line breaks only as pieces of their own
        self._at_start = True  # of a line
        self._breaks = 0  # line breaks owed before the next text
        self._space = False  # a white space owed before the next text
        self._quotes = 0
        self._pre = 0
        self._lists: list[int] = []
        self._pictures: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._skip: list[str] = []
        self._show_all = show_all
        self._tight = False  # whether the open paragraph asks for no blank line

    @property
    def skipping(self) -> bool:
        """Whether a hidden element is still open."""
        return bool(self._skip)

    @property
    def pictures(self) -> str:
        """What stands in the place of pictures: told only where there is nothing else, as a reader sees the pictures."""
        return "\n".join(self._pictures)

    def render(self, html: str) -> str:
        out = self._out
        for text, run in pieces(html):
            if self._skip or self._quotes or self._pre or self._breaks or not text or len(run) > 300:
                if text and not self._skip:
                    self.text(text)
                if run:
                    self.run(run)
                continue
            if "&" in text or "\n" in text or "\t" in text or "  " in text or text[0] == " " or text[-1] == " ":
                self.text(text)
                if self._at_start:
                    self.run(run)
                    continue
            else:
                if self._space and not self._at_start:
                    out.append(" ")
                self._space = self._at_start = False
                out.append(text)
            if not run:
                continue
            effect = _effect(run, self._space)
            if effect is None:
                self.run(run)
            else:
                out.append(effect)
                self._space = False
                self._at_start = effect.endswith("\n")
        return self.finish()

    def finish(self) -> str:
        """The text, without blank lines at its ends and never two in a row."""
        text = "".join(self._out)
        if "\xa0" in text:
            text = text.replace("\xa0", " ")
        if " \n" in text or "\t\n" in text:
            # an expression would look from each space of a run on
            text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
        if "\n\n\n" in text:
            text = _BLANK_LINES.sub("\n\n", text)
        return text.strip("\n").rstrip()

    def text(self, text: str) -> None:
        """Running text between tags."""
        if "&" in text:
            text = unescape(text)
        if self._pre:
            lines = text.replace("\r\n", "\n").split("\n")
            self._emit(lines[0]) if lines[0] else None
            for line in lines[1:]:
                self._newline()
                if line:
                    self._emit(line)
            return
        if "\n" in text or "\r" in text or "\t" in text or "  " in text:
            text = _SPACE.sub(" ", text)
        if text[0] == " ":
            if text == " ":
                self._space = not self._at_start and not self._breaks
                return
            self._space = True
            text = text[1:]
        if text[-1] == " ":
            self._emit(text[:-1])
            self._space = True
        else:
            self._emit(text)

    def run(self, run: str) -> None:
        """Tags in a row, with white space before, between and after them."""
        position = 0
        for match in TAG.finditer(run):
            start = match.start()
            if start > position and not self._skip:
                self._white(run[position:start])
            position = match.end()
            tag = match.group()
            parts = PARTS.match(tag)
            if parts is None:
                continue
            name = parts[2].lower()
            if self._skip:
                if name == self._skip[-1]:
                    if parts[1]:
                        self._skip.pop()
                    elif name not in _UNSHOWN:
                        self._skip.append(name)
                elif name == "body" and self._skip == ["head"]:
                    self._skip.clear()
            elif parts[1]:
                self._close(name)
            else:
                self._open(name, tag)
        if position < len(run) and not self._skip:
            self._white(run[position:])

    def _white(self, text: str) -> None:
        if self._pre:
            self.text(text)
        elif not self._at_start and not self._breaks:
            self._space = True

    def _emit(self, text: str) -> None:
        out = self._out
        if self._breaks:
            if not self._at_start:
                out.append("\n")
            if self._breaks > 1 and out and out[-2:] != ["\n", "\n"]:
                out.append(self._prefix.rstrip() + "\n")
            self._breaks = 0
            self._at_start = True
        elif self._space and not self._at_start:
            out.append(" ")
        self._space = False
        if self._at_start:
            if self._quotes:
                out.append(self._prefix)
            self._at_start = False
        out.append(text)

    @property
    def _prefix(self) -> str:
        return "> " * min(self._quotes, 20)

    def _newline(self) -> None:
        """End the line, an empty one too."""
        if self._breaks:
            self._emit("")
            # The owed break began the line that this one ends.
        if self._at_start and self._quotes:
            self._out.append(self._prefix.rstrip())
        self._out.append("\n")
        self._at_start = True
        self._space = False

    def _break(self, owed: int) -> None:
        if self._out:
            if self._at_start and owed == 1:
                return
            self._breaks = max(self._breaks, owed)
        self._space = False

    def _settle(self) -> None:
        """Write the owed line end under the present quote depth, before that changes."""
        if self._breaks and not self._at_start:
            self._out.append("\n")
            self._at_start = True

    def _open(self, name: str, tag: str) -> None:
        if name == "br":
            self._newline()
            return
        if not self._show_all and (
            name in _UNSHOWN or ("style" in tag and name not in _VOID and name != "body" and _is_hidden(tag))
        ):
            if not tag.endswith("/>"):
                self._skip.append(name)
            return
        breaks = _BREAKS.get(name)
        if breaks:
            if name == "p":
                # Paragraphs without a margin of their own are how Outlook writes plain lines.
                self._tight = _TIGHT.search(tag) is not None
                if self._tight:
                    breaks = 1
            self._break(breaks)
            if name in ("blockquote", "pre"):
                self._settle()
                if name == "pre":
                    self._pre += 1
                else:
                    self._quotes += 1
            elif name in ("ul", "ol"):
                self._lists.append(0 if name == "ol" else -1)
            elif name == "li":
                self._item()
            elif name == "hr":
                self._emit("-" * 20)
                self._breaks = 1
        elif name in ("td", "th"):
            if not self._at_start and not self._breaks and self._out[-1] != "\t":
                self._out.append("\t")
                self._space = False
        elif name == "a":
            self._links.append((attribute(tag, "href"), len(self._out)))
        elif name == "img":
            alt = _SPACE.sub(" ", unescape(attribute(tag, "alt"))).strip()
            if alt and not alt.startswith("http"):
                self._pictures.append(f"[{alt}]")

    def _item(self) -> None:
        depth = max(0, min(len(self._lists), 8) - 1)
        mark = "- "
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}. "
        self._emit("  " * depth + mark)
        self._space = False

    def _close(self, name: str) -> None:
        if name == "a":
            if self._links:
                self._end_link(*self._links.pop())
            return
        breaks = _BREAKS.get(name)
        if not breaks:
            if name == "br":
                self._newline()
            return
        self._break(1 if name == "p" and self._tight else breaks)
        if name == "blockquote":
            self._settle()
            self._quotes = max(0, self._quotes - 1)
        elif name == "pre":
            self._settle()
            self._pre = max(0, self._pre - 1)
        elif name in ("ul", "ol") and self._lists:
            self._lists.pop()

    def _end_link(self, href: str, start: int) -> None:
        href = unescape(href).strip()
        if not href.lower().startswith(("http:", "https:", "mailto:", "tel:", "ftp:")):
            return
        shown = "".join(self._out[start : start + 200]).strip()
        if not shown or len(href) > 2000:
            return
        bare = _SCHEME.sub("", href).rstrip("/").lower()
        said = _SCHEME.sub("", shown).rstrip("/").lower()
        if bare == said or bare.partition("?")[0] == said:
            return
        self._space = True
        self._emit(f"<{href}>")


def _is_hidden(tag: str) -> bool:
    style = attribute(tag, "style")
    return bool(style and _HIDDEN_STYLE.search(style))
