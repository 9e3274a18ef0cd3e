"""The rules of a mail's style elements written into the elements they match (css-inline), so that those can go."""

from __future__ import annotations

import css_inline

MAX_LENGTH = 1 << 20  # longer documents keep only the styles that stand in their elements
# Characters of style sheets times elements: every rule may match every element, and both come from a stranger. Far more
# than newsletters have; 0.4 s at worst.
MAX_WORK = 40_000_000

# Nothing is fetched, from nowhere: neither sheets of the network nor files of this machine.
_INLINER = css_inline.CSSInliner(keep_style_tags=False, keep_link_tags=False, load_remote_stylesheets=False)


def inline(html: str) -> str:
    """`html` with what its style elements say in `style` attributes; as it is where that would be too much work.

    `html` must not nest too deeply (`html_depth.limit`).
    """
    lower = html.lower()
    if len(html) > MAX_LENGTH or "<style" not in lower:
        return html
    elements = lower.count("<") - lower.count("</")
    if _length_of_styles(lower) * elements > MAX_WORK:
        return html
    try:
        inlined = _INLINER.inline(html)
    except css_inline.InlineError:
        return html  # a style sheet that is none at all: the mail is shown without
    # a few rules can make a small mail a large one
    return inlined if len(inlined) <= 4 * len(html) + 100_000 else html


def _length_of_styles(lower: str) -> int:
    """At least the characters of all style elements: wherever one begins, it ends at the next end tag."""
    total, position = 0, 0
    while (begin := lower.find("<style", position)) >= 0:
        end = lower.find("</style", begin)
        position = end if end >= 0 else len(lower)
        total += position - begin
    return total
