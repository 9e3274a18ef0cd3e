"""HTML as runs of tags with text between them, found in linear time however broken it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# No alternative runs past the next "<", so that unclosed quotes and brackets cost linear time.
_REST = r"[a-zA-Z/!?][^<>\"']*(?:(?:\"[^\"<]*\"|'[^'<]*')[^<>\"']*){0,60}>|[a-zA-Z/!?][^<>]*>"
_RUN = re.compile(rf"(<(?:{_REST})(?:[ \t\r\n\f]*<(?:{_REST})){{0,40}}[ \t\r\n\f]*)")
# The same where no attribute holds a bracket, which is nearly always.
_PLAIN_RUN = re.compile(r"(<[a-zA-Z/!?][^<>]*>(?:[ \t\r\n\f]*<[a-zA-Z/!?][^<>]*>){0,40}[ \t\r\n\f]*)")
_BRACKET_IN_VALUE = re.compile(r"=[ \t\r\n]*[\"'][^\"'<>]*[<>]")
# A value whose first bracket opens: what is in it until the same quote, before the next attribute or the tag's end, is no tag.
_OPEN_IN_VALUE = re.compile(r"""(=[ \t\r\n]*)("[^"<>]*<[^"]{0,2000}"|'[^'<>]*<[^']{0,2000}')(?=[\s/>])""")
TAG = re.compile(f"<(?:{_REST})")
PARTS = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)")
_ATTRIBUTE = re.compile(r"\b([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))")


def without_open_values(html: str, stand_in: str = "&lt;") -> str:
    """The document with something else for each "<" within quoted attribute values: it opens no tag there."""
    if _BRACKET_IN_VALUE.search(html) is None:
        return html
    return _OPEN_IN_VALUE.sub(lambda found: found[1] + found[2].replace("<", stand_in), html)


def pieces(html: str) -> Iterable[tuple[str, str]]:
    """Text and the run of tags after it, in turn."""
    if len(html) < 200_000:
        split = (_RUN if _BRACKET_IN_VALUE.search(html) else _PLAIN_RUN).split(html)
        split.append("")
        return zip(split[::2], split[1::2], strict=True)
    return _pieces_of_long(html)


def _pieces_of_long(html: str) -> Iterator[tuple[str, str]]:
    position = 0
    for match in _RUN.finditer(html):
        yield html[position : match.start()], match.group()
        position = match.end()
    yield html[position:], ""


def attribute(tag: str, name: str) -> str:
    """The value of a tag's attribute as it stands there, character references and all; "" where it has none."""
    for match in _ATTRIBUTE.finditer(tag):
        if match[1].lower() == name:
            return match[2] or match[3] or match[4] or ""
    return ""
