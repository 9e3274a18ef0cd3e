"""A mail's HTML as its own small page: sanitised, quotes folded, remote pictures off until asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailroom_mail import company_ranges, introduction_start, sanitize
from markupsafe import escape

from mailroom_console.languages import say

# Tags of nh3's output. Values are always quoted there, and may hold < and >.
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^"'<>]|"[^"]*"|'[^']*')*)>""")
_OPENING_BEFORE = re.compile(r"<(?!br\b|hr\b|img\b|wbr\b)[a-zA-Z][^<>]*>\s*\Z")
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_AFTER_QUOTE = 400  # characters that may follow a quote that is still the mail's end: a signature


@dataclass(frozen=True, slots=True)
class Words:
    """What the frame says besides the mail, in the reader's language: the frame is made in a process of its own."""

    one: str  # a picture is not loaded
    many: str  # "{n}" pictures are not
    show: str
    quote: str
    banner: str  # that a gateway put above the mail
    notice: str  # a legal one, below it
    too_much: str


def words() -> Words:
    """In the language of the context."""
    return Words(
        one=say("A picture from elsewhere is not loaded, so that the sender does not learn that the mail was opened."),
        many=say(
            "{n} pictures from elsewhere are not loaded, so that the sender does not learn that the mail was opened."
        ),
        show=say("Show what is not loaded"),
        quote=say("Show quoted text"),
        banner=say("Show what the mail system added"),
        notice=say("Show the legal notice"),
        too_much=say("The formatting of this mail is too complicated to be shown. This is its text."),
    )


ENGLISH = words()


def page(
    html: str, inline: Mapping[str, str], remote_images: bool, style: str, title: str, told: Words = ENGLISH
) -> str:
    """The whole document. `inline`: content id -> address of the picture; `style`: address of the style sheet."""
    safe = sanitize(html, inline=inline, remote_images=remote_images)
    blocked = ""
    if safe.blocked_remote:
        text = told.one if safe.blocked_remote == 1 else told.many.format(n=safe.blocked_remote)
        blocked = (
            f'<div class="mailroom-blocked"><span>{escape(text)}</span>'
            f'<a href="?images=1" target="_self">{escape(told.show)}</a></div>'
        )
    return _document(f"{blocked}{folded(safe.html, told)}", style, title)


def as_text(text: str, *, style: str, title: str, told: Words = ENGLISH) -> str:
    """The document of a mail whose HTML is too much for us: its text, and why it looks so."""
    blocked = f'<div class="mailroom-blocked"><span>{escape(told.too_much)}</span></div>'
    return _document(f"{blocked}<pre>{escape(text)}</pre>", style, title)


def _document(body: str, style: str, title: str) -> str:
    return (
        f'<!doctype html><html lang=""><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="{escape(style)}"></head><body>{body}</body></html>'
    )


def folded(html: str, told: Words = ENGLISH) -> str:
    """With the quotation, and what a company's gateway put above and below a mail, each in a closed details element."""
    found = company_ranges(html)
    start = found.banner[1] if found.banner is not None else 0
    end = found.notice[0] if found.notice is not None else len(html)
    above, below = html[:start], html[end:]
    if found.banner is not None:
        first = found.banner[0]
        above = f"{html[:first]}{_details(told.banner, html[first:start])}"
    if found.notice is not None:
        last = found.notice[1]
        below = f"{_details(told.notice, html[end:last])}{html[last:]}"
    return f"{above}{fold_quote(html[start:end], told.quote)}{below}"


def _details(summary: str, html: str) -> str:
    return f'<details class="mailroom-quote"><summary>{escape(summary)}</summary>{html}</details>'


def fold_quote(html: str, summary: str = "Show quoted text") -> str:
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
    return f"{before}{_details(summary, quote)}{after}"


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
