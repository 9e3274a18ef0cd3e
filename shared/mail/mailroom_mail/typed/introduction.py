"""Where the line begins that introduces a quotation in HTML, so that both can be folded together. Pure."""

from __future__ import annotations

from .html_lines import lines_of, split_shared
from .line_marks import HEADER
from .reply_text import mark

_LOOK_BACK = 4000  # characters above the quotation that are looked at


def introduction_start(html: str, quote: int) -> int:
    """The offset of the attribution that stands right above the quotation at offset `quote`, else `quote` itself."""
    start = max(0, quote - _LOOK_BACK)
    if start:
        start = html.find("<", start, quote)
        if start < 0:
            return quote
    above = html[start:quote]
    rows = lines_of(above + "<blockquote>x</blockquote>")
    rows = split_shared(above, rows, ())
    marks, _ = mark([row.text for row in rows])
    index = len(rows) - 1
    while index and index <= len(marks) and marks[index - 1] == HEADER:
        index -= 1
    return start + rows[index].start if index < len(rows) - 1 else quote
