"""HTML for a plain text. Pure."""

from __future__ import annotations

import html as html_escape
import re

_LINK = re.compile(r"\bhttps?://[^\s<>\"']{1,1000}[^\s<>\"'.,;:!?)\]]")


def text_to_html(text: str) -> str:
    """HTML that shows a plain text as it is: line breaks, indentation and links kept."""
    out: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        pieces: list[str] = []
        position = 0
        for found in _LINK.finditer(line) if "://" in line else ():
            pieces.append(html_escape.escape(line[position : found.start()]))
            link = html_escape.escape(found.group(0))
            pieces.append(f'<a href="{link}">{link}</a>')
            position = found.end()
        pieces.append(html_escape.escape(line[position:]))
        shown = "".join(pieces).replace("\t", "&nbsp; &nbsp; ")
        if shown.startswith(" ") or "  " in shown:
            shown = re.sub(r"(?<= ) |^ ", "&nbsp;", shown)
        out.append(shown)
    return "<div>" + "<br>\r\n".join(out) + "</div>"
