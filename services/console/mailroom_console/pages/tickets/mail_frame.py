"""A mail's HTML as its own small page: sanitised, quotes folded, remote pictures off until asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailroom_mail import introduction_start, sanitize
from markupsafe import escape

# Tags of nh3's output. Values are always quoted there, and may hold < and >.
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^"'>]|"[^"]*"|'[^']*')*)>""")
_OPENING_BEFORE = re.compile(r"<(?!br\b|hr\b|img\b|wbr\b)[a-zA-Z][^<>]*>\s*\Z")
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_AFTER_QUOTE = 400  # characters that may follow a quote that is still the mail's end: a signature


def page(html: str, inline: Mapping[str, str], remote_images: bool, style: str, title: str) -> str:
    """The whole document. `inline`: content id -> address of the picture; `style`: address of the style sheet."""
    safe = sanitize(html, inline=inline, remote_images=remote_images)
    blocked = ""
    if safe.blocked_remote:
        told = "1 picture" if safe.blocked_remote == 1 else f"{safe.blocked_remote} pictures"
        one = safe.blocked_remote == 1
        blocked = (
            f'<div class="mailroom-blocked"><span>{told} from elsewhere {"is" if one else "are"} not loaded, so that the '
            f'sender does not learn that the mail was opened.</span><a href="?images=1" target="_self">Show '
            f"{'it' if one else 'them'}</a></div>"
        )
    return _document(f"{blocked}{fold_quote(safe.html)}", style, title)


def as_text(text: str, *, style: str, title: str) -> str:
    """The document of a mail whose HTML is too much for us: its text, and why it looks so."""
    told = "The formatting of this mail is too complicated to be shown. This is its text."
    return _document(f'<div class="mailroom-blocked"><span>{told}</span></div><pre>{escape(text)}</pre>', style, title)


def _document(body: str, style: str, title: str) -> str:
    return (
        f'<!doctype html><html lang=""><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="{escape(style)}"></head><body>{body}</body></html>'
    )


def fold_quote(html: str) -> str:
    """Put the last quote (blockquote), with the line that introduces it, into a closed details element, when nothing but a
    signature follows it.

    Tags are found as tokens, never inside attribute values, so that a mail cannot use the change to break out of one.
    """
    depth, start = 0, -1
    last: tuple[int, int] | None = None
    for tag in _TAG.finditer(html):
        if tag.group(2).lower() != "blockquote":
            continue
        if not tag.group(1):
            if depth == 0:
                start = tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                last = (start, tag.end())
    if last is None:
        return html
    last = (_with_introduction(html, last[0]), last[1])
    before, quote, after = html[: last[0]], html[last[0] : last[1]], html[last[1] :]
    if not _words(before) or len(_words(after)) > _AFTER_QUOTE:
        return html
    return f'{before}<details class="mailroom-quote"><summary>Show quoted text</summary>{quote}</details>{after}'


def _with_introduction(html: str, quote: int) -> int:
    """Where the line that introduces the quote begins ("On …, Ann wrote:"), where its elements can be folded whole."""
    start = introduction_start(html, quote)
    lacking = depth = 0
    for tag in _TAG.finditer(html, start, quote):
        if tag.group(2).lower() in _VOID:
            continue
        if not tag.group(1):
            depth += 1
        elif depth:
            depth -= 1
        else:
            lacking += 1
    while lacking and not depth and (opening := _OPENING_BEFORE.search(html, max(0, start - 1000), start)) is not None:
        start, lacking = opening.start(), lacking - 1
    return quote if lacking or depth else start


def _words(html: str) -> str:
    return " ".join(_TAG.sub(" ", html).split())
