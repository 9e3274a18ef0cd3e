"""What a person wrote in a mail, as text and as HTML, apart from quoted history and signature. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from itertools import pairwise

from mailroom_mail.kinds.automatic import is_notice
from mailroom_mail.kinds.digests import is_digest
from mailroom_mail.reading.model import Mail
from mailroom_mail.showing.rendering import to_text

from .company_html import without_company_html
from .company_words import above_notice, without_company_words
from .quote_words import ANSWER_SUBJECT, FORWARD_SUBJECT
from .reply_html import html_reply
from .reply_text import plain_reply

_MOST_NAMES = 10
_WIDTHS = range(50, 100)  # characters at which programs break lines
_LAST_WORDS = 30  # characters of a line that are looked for in the HTML
_BREAK = re.compile(r"\s*(?:<br\b|</(?:div|p|li|td)>)", re.IGNORECASE)
_LIST_FOOTER = '<div style="white-space:pre-wrap">____________________'
_PICTURE_TEXT = re.compile(r"<img\b[^<>]{0,2000}?\salt=(?:\"([^\"<>]{1,200})\"|'([^'<>]{1,200})')", re.IGNORECASE)
_FORWARD_MARK = "moz-forward-container"


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply itself: `text`, `html` (unsafe as sent, None where the mail has none), and whether history was set apart.

    Where all of a mail is quoted, or it is a forward, `text` and `html` are the whole of it and `quoted` is False.
    """

    text: str
    html: str | None
    quoted: bool


def extract_reply(mail: Mail) -> Reply:
    """The reply of a mail, in time linear in its size; never empty where the mail has a body."""
    fields = {name.lower() for name, _ in mail.headers}
    answers = bool(
        not fields.isdisjoint(("in-reply-to", "references"))
        or mail.in_reply_to
        or mail.references
        or ANSWER_SUBJECT.match(mail.subject)
    )
    if _is_forward(mail, fields) or (not answers and (is_notice(mail, fields) or is_digest(mail, fields))):
        return _whole(mail)
    names = _answered(mail)
    said = without_company_words(mail.text)
    plain = plain_reply(said, names=names, answers=answers)
    if plain.forwards:
        return _whole(mail)
    typed = plain.text if said.rstrip().endswith(plain.text) else _typed(plain.text)
    if not mail.html:
        return Reply(typed, mail.html, plain.quoted)
    of_company = said != mail.text or typed != plain.text
    shown = html_reply(mail.html, plain.quoted, names, answers=answers)
    text = typed
    if shown.html is not mail.html and (mail.text_from_html or (shown.quoted and not plain.quoted)):
        # The client's own marks say more than the words of a rendering.
        rest = to_text(shown.html)
        plain = plain_reply(without_company_words(rest), names=names)
        text = _typed(plain.text) or text
    elif shown.signature:
        text = _typed(plain.without(to_text(shown.signature)))
    html = _without_list_footer(shown.html)
    if of_company:
        html = without_company_html(html)
    if not mail.text_from_html and "alt=" in html:
        text = _without_picture_texts(text, html)
    if not mail.text_from_html and (at := _wrapped_at(text)) and not _breaks_too(html, text[:at]):
        # Some programs break their plain text at a width and leave the HTML whole.
        unwrapped = to_text(html)
        if unwrapped.split() == text.split():
            text = unwrapped.rstrip()
    return Reply(text, html, plain.quoted or shown.quoted)


def _typed(text: str) -> str:
    """The words without a legal notice that stood above the history."""
    return above_notice(text).rstrip() or text


def _without_picture_texts(text: str, html: str) -> str:
    """The text without lines that only name a picture: programs write its `alt` into their plain text, where nobody sees it."""
    named = {unescape(one[1] or one[2]).strip() for one in _PICTURE_TEXT.finditer(html)} - {""}
    lines = text.split("\n")
    if named.isdisjoint(line.strip() for line in lines):
        return text
    named -= {line.strip() for line in to_text(html).split("\n")}
    kept = "\n".join(line for line in lines if line.strip() not in named)
    return kept.rstrip() if kept.strip() else text


def _without_list_footer(html: str) -> str:
    """The HTML without the footer that Mailman 3 appends to it, which the text loses as a signature."""
    at = html.rfind(_LIST_FOOTER)
    if at < 0:
        return html
    end = html.find("</div>", at)
    return html[:at] + html[end + 6 :] if end >= 0 and not to_text(html[end + 6 :]).strip() else html


def _whole(mail: Mail) -> Reply:
    return Reply(mail.text.strip("\n").rstrip(), mail.html, False)


def _is_forward(mail: Mail, fields: set[str]) -> bool:
    """Whether the program that wrote a mail says that it forwards another one."""
    return (
        (mail.subject != "" and FORWARD_SUBJECT.match(mail.subject) is not None)
        or "x-forwarded-message-id" in fields
        or (mail.html is not None and _FORWARD_MARK in mail.html)
    )


def _answered(mail: Mail) -> tuple[str, ...]:
    """Names and addresses of those to whom the mail goes: the attribution of an answer names one of them."""
    boxes = (*mail.to[:_MOST_NAMES], *mail.cc[:_MOST_NAMES])
    return tuple([word for box in boxes for word in (box.name, box.email) if word])


def _wrapped_at(text: str) -> int:
    """The offset of a line break that is there because the next word had no room in the line, or 0."""
    if "\n" not in text:
        return 0
    lines = text.split("\n")
    width = max(map(len, lines))
    if width not in _WIDTHS:
        return 0
    at = -1
    for line, following in pairwise(lines):
        at += len(line) + 1
        if len(line) * 3 > width * 2 and following and len(line) + 1 + len(following.split(" ", 1)[0]) > width:
            return at
    return 0


def _breaks_too(html: str, before: str) -> bool:
    """Whether the HTML breaks the line where the text does, after the words that end `before`: then it has no other lines,
    and need not be read. Plain words are looked for only, so that what is not found says nothing."""
    start = before.rfind("\n") + 1
    end = before[max(start, len(before) - _LAST_WORDS) :]
    at = html.find(end)
    return at >= 0 and _BREAK.match(html, at + len(end)) is not None
