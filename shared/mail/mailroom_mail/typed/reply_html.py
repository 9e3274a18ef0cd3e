"""The reply in HTML: history is found by the marks that mail clients leave, else by the words that plain text uses.

No tree is built: positions in the source are found and cut, so that depth and size cost no more than a few passes.
What stays may have elements open that only closed in the history; `sanitize` closes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from itertools import islice

from mailroom_mail.kinds.automatic import names_any
from mailroom_mail.reading.bodies import PLAIN_PART

from .attribution import apart
from .html_lines import lines_of, split_shared
from .line_marks import FORWARDED, HEADER, OWN
from .quote_words import FORWARD_DIVIDER
from .reply_text import has_history, is_header_block, mark, only_footers, own_lines
from .signature import body_end

# From these marks on, all is history: Outlook (web, desktop, mobile), Hotmail, Zimbra, Yahoo, Samsung, Zoho, NetEase …
_TO_END = (
    "divRplyFwdMsg", "appendonsend", "stopSpelling", "OutlookMessageHeader", "_MailOriginal", "zwchr", "__QUOTED_TEXT__",
    "__DIVIDER__", "mail-editor-reference-message-container", "ms-outlook-mobile-reference-message", "yahoo_quoted",
    "zmail_extra", "isReplyContent", "_origContent", "_origMsg", "protonmail_quote", "tutanota_quote", "mailmateQuote",
    "hiri_quote", "front-blockquote", "missive_quote", "messageReplySection", "original-content", "J_quote", "ntes-mailmaster-quote",
    "QuotedMessage", "OLK_SRC_BODY_SECTION", "mail_android_quote", "ydp_quoted", "replyForwardContainer", "quotedTextContainer", "aolReplyContent", "AOL_quote",
)  # fmt: skip
# Elements that are a quotation, next to which a person may have written.
_ELEMENTS = (
    "gmail_quote",
    "gmail_extra",
    "moz-cite-prefix",
    "reply-intro",
    'type="cite"',
    "type='cite'",
    "type=cite",
    "<blockquote",
    "<BLOCKQUOTE",
)
_SIGNATURES = (
    "gmail_signature", "moz-signature", 'id="Signature"', 'id="x_Signature"', "AppleMailSignature", "ms-outlook-mobile-signature",
    "ymail_android_signature", "protonmail_signature", "signature_old", 'id="signature"', "LEOSIGN", "mail-signature", "tutanota_signature",
)  # fmt: skip
MARKS = tuple(wanted for wanted in (*_TO_END, *_ELEMENTS, *_SIGNATURES) if wanted[0] != "<")
# One of these stands in each of the marks, so that most mails are looked through for a few words only.
STEMS = (
    "uote", "ignature", "essage", "rigin", "_orig", "cite", "eply", "_extra", "Fwd", "append", "Spelling", "zwchr", "QUOTED", "DIVIDER",
    "OLK_", "LEOSIGN",
)  # fmt: skip
_SAMSUNG = "<!-- originalMessage -->"
_TAG = re.compile(r"<[^<>]*>")
_ATTRIBUTES = re.compile(r"<[a-zA-Z][^<>\s]*\s([^<>]{0,3000})")
_UNSEEN = re.compile(r"<(style|script|head|title)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
_QUOTE_TAG = re.compile(r"<(/?)blockquote\b[^<>]*>", re.IGNORECASE)
_BORDER = re.compile(r"<(?:div|p|td)\b[^<>]*border-top\s*:\s*(?:solid|1(?:\.0)?p[tx])[^<>]*>", re.IGNORECASE)
_RULE_BEFORE = re.compile(
    r"(?:<hr\b[^<>]*>|<br\s*/?>|&nbsp;|<(?:div|p|span)\b[^<>]*>\s*(?:&nbsp;|<br\s*/?>)?\s*</(?:div|p|span)>|\s)+\Z",
    re.IGNORECASE,
)
_MOST_BORDERS = 50  # ruled blocks that are looked at
_MAX_SLOW = 2 << 20  # characters that the line-wise way looks at


@dataclass(frozen=True, slots=True)
class HtmlReply:
    """The HTML of a reply, whether history was set apart, and the HTML of the signature that the client marked."""

    html: str
    quoted: bool
    signature: str = ""


def html_reply(html: str, look_closely: bool, names: Sequence[str] = (), *, answers: bool = True) -> HtmlReply:
    """The reply in an HTML body, the whole where nothing of it is one's own.

    `look_closely` asks for the line-wise search even where no client's mark is found; `names` are those of the people
    whom the mail answers (`glued`). `answers` False: nothing in the mail's header speaks of an answer, so that a header
    block is what it forwards.
    """
    present = _present(html)
    start = _first_mark(html, _TO_END, present)
    samsung = html.find(_SAMSUNG)
    if samsung >= 0:
        start = samsung if start < 0 else min(start, samsung)
    border = _outlook_border(html)
    if border >= 0:
        start = border if start < 0 else min(start, border)
    element = _first_mark(html, _ELEMENTS, present)
    if element >= 0 and FORWARD_DIVIDER.match(_TAG.sub(" ", html[element : element + 1000]).lstrip()):
        return HtmlReply(html, False)  # what is forwarded is what the mail is about
    if not answers and start >= 0 and _is_header(html, start):
        return HtmlReply(html, False)
    if element >= 0 and (start < 0 or element < start):
        if _is_plain_quote(html, element) and not _holds_own_words(html, element, names):
            start = element
        else:
            return _by_lines(html, present, names, answers)
    if start >= 0:
        kept = html[:start]
        if has_content(kept) and not _is_footer_only(kept):
            return _unsigned(_trimmed(kept), present, True)
        return _by_lines(html, present, names, answers)
    if look_closely:
        return _by_lines(html, present, names, answers)
    return _unsigned(html, present, False)


def has_content(html: str) -> bool:
    """Whether a person sees anything in a piece of HTML: a word or a picture."""
    if "<!--" in html or "<style" in html or "<head" in html or "<STYLE" in html or "<HEAD" in html or "<title" in html:
        html = _UNSEEN.sub("", html)
    text = _TAG.sub("", html)
    if "&" in text:
        text = unescape(text)
    return bool(text.strip("\u200b\u200c\u200d\ufeff \t\r\n\xa0")) or "<img" in html


def _is_footer_only(html: str) -> bool:
    """Whether all that a short piece of HTML says is "Sent from my phone"."""
    if len(html) > 5000 or len(_TAG.sub("", html).strip()) > 160:
        return False
    return only_footers([row.text for row in lines_of(html)]) and "<img" not in html


def _present(html: str) -> frozenset[str]:
    """The marks that stand in attributes: most mails have more text than attributes, and some have none at all."""
    attributes = "\n".join(_ATTRIBUTES.findall(html)) if "=" in html else ""
    if not attributes or not names_any(attributes, STEMS):
        return frozenset()
    return frozenset([wanted for wanted in MARKS if wanted in attributes])


def _first_mark(html: str, marks: tuple[str, ...], present: frozenset[str]) -> int:
    """The offset of the earliest tag with one of the marks in it, or -1."""
    best = -1
    for wanted in marks:
        if wanted[0] != "<" and wanted not in present:
            continue
        position = html.find(wanted)
        for _ in range(20):
            if position < 0 or 0 <= best <= position:
                break
            if wanted[0] == "<":
                best = position
                break
            opening = html.rfind("<", 0, position)
            if (
                opening >= 0
                and position - opening < 3000
                and html[opening + 1 : opening + 2].isalpha()
                and ">" not in html[opening:position]
            ):
                best = opening
                break
            position = html.find(wanted, position + 1)
    return best


def _outlook_border(html: str) -> int:
    """The offset of Outlook's ruled block with From, Sent, To and Subject, or -1."""
    if "order-top" not in html and "ORDER-TOP" not in html:
        return -1
    for found in islice(_BORDER.finditer(html), _MOST_BORDERS):
        lines = [line.text for line in lines_of(html[found.start() : found.start() + 2500])[:6]]
        if len(lines) >= 2 and mark(["x", *lines])[1] <= 2:
            return found.start()
    return -1


def _is_plain_quote(html: str, start: int) -> bool:
    """Whether from an element mark on there is nothing but quotation, and above it no attribution that must go too."""
    end = html.find(">", start)
    tag = html[start:end]
    if "gmail_extra" in tag and not html[start : start + 4000].count("gmail_quote"):
        return False
    if not any(mark_ in tag for mark_ in ("moz-cite-prefix", "gmail_quote", "gmail_extra", "reply-intro")):
        # A bare blockquote: a client's own says "cite", and has its attribution inside unless a colon stands above.
        above = _TAG.sub("", html[max(0, start - 1500) : start]).replace("&nbsp;", " ").rstrip()
        if "cite" not in tag or above.endswith((":", "：", "&gt;", ">")):
            return False
    depth = 0
    last = -1
    for found in _QUOTE_TAG.finditer(html, start):
        if found.group(1):
            depth = max(0, depth - 1)
            if depth == 0:
                last = found.end()
        else:
            if depth == 0 and last >= 0 and has_content(html[last : found.start()]):
                return False
            depth += 1
    if last < 0:
        return "gmail_quote" in tag
    return not has_content(html[last:])


def _holds_own_words(html: str, start: int, names: Sequence[str]) -> bool:
    """Whether the element that introduces a quotation holds words that were typed into it, above or beside the attribution."""
    quote = _QUOTE_TAG.search(html, start + 1, start + 5000)
    texts = [row.text for row in lines_of(html[start : quote.start() if quote else start + 2000])][:50]
    if not texts or texts[0].startswith(">"):
        return False
    followed = [*texts, "> "]
    if apart(followed, names):
        return True
    marks, _ = mark(followed)
    return HEADER in marks and OWN in marks[: len(texts)]


def _trimmed(html: str) -> str:
    """Without the rule and the empty lines that stood above the history. Bounded: only the end is looked at."""
    tail = html[-2000:]
    found = _RULE_BEFORE.search(tail)
    return html if found is None else html[: len(html) - len(tail) + found.start()]


def _without_footer(html: str) -> str:
    """Without the footer that a list put below as text (`bodies.Bodies.html` writes such a part as one element)."""
    start = html.rfind(PLAIN_PART)
    if start < 0 or not has_content(html[:start]):
        return html
    inner, closed, after = html[start + len(PLAIN_PART) :].partition("</div>")
    if not closed or "<" in inner or has_content(after):
        return html
    lines = unescape(inner).strip("\n").split("\n")
    return html[:start] if body_end(["x", "", *lines]) == 1 else html


def _unsigned(html: str, present: frozenset[str], quoted: bool) -> HtmlReply:
    """Without the elements that clients mark as signature; the whole where nothing else is left."""
    signature = ""
    if PLAIN_PART in html:
        html = _without_footer(html)
    for _ in range(4):
        start = _first_mark(html, _SIGNATURES, present)
        if start < 0:
            break
        end = _element_end(html, start)
        rest = html[:start] + html[end:]
        if not has_content(rest):
            break
        signature, html = html[start:end] + signature, rest
    return HtmlReply(html, quoted, signature)


def _is_header(html: str, start: int) -> bool:
    """Whether a block of From, Sent, To and Subject stands at the beginning of what follows."""
    texts = [row.text for row in lines_of(html[start : start + 4000])][:8]
    return any(is_header_block(texts, index) for index in range(min(3, len(texts))))


def _element_end(html: str, start: int) -> int:
    """The offset after the element that begins at `start`; the end of the text where it is never closed."""
    found = re.match(r"<([a-zA-Z][a-zA-Z0-9]*)", html[start : start + 40])
    if found is None:
        return start
    depth = 0
    for tag in re.finditer(rf"<(/?){found.group(1)}\b[^<>]*>", html[start:], re.IGNORECASE):
        depth += -1 if tag.group(1) else 1
        if depth <= 0:
            return start + tag.end()
    return len(html)


def _by_lines(html: str, present: frozenset[str], names: Sequence[str], answers: bool) -> HtmlReply:
    """The reply found line by line with the rules for plain text, then cut out of the source."""
    if len(html) > _MAX_SLOW:
        return HtmlReply(html, False)
    rows = split_shared(html, lines_of(html), names)
    texts = [row.text for row in rows]
    marks, cut = mark(texts, answers=answers)
    if FORWARDED in marks:
        return HtmlReply(html, False)
    if not has_history(texts, marks, cut):
        return _unsigned(html, present, False)
    kept = set(own_lines(texts[:cut], marks[:cut]))
    if only_footers([texts[index] for index in kept]):
        return HtmlReply(html, False)
    stop = rows[cut].start if cut < len(rows) else len(html)
    last = max(kept)
    if all(index in kept for index in range(last)) and last + 1 < len(rows):
        # Only the end is history: one cut, at the element that the first dropped line began.
        stop = min(stop, rows[last + 1].quotes[0] if rows[last + 1].quotes else rows[last + 1].start)
        return _unsigned(_trimmed(html[:stop]), present, True)
    drop: list[tuple[int, int]] = []
    for index, row in enumerate(rows[: min(cut, len(rows))]):
        if index in kept:
            continue
        if row.quotes:
            drop.append(
                (
                    row.quotes[0],
                    _element_end(html, row.quotes[0]) if not drop or drop[-1][0] != row.quotes[0] else drop[-1][1],
                )
            )
        else:
            drop += row.pieces
    out: list[str] = []
    position = 0
    for start, end in sorted(set(drop)):
        if start >= position:
            out.append(html[position:start])
        position = max(position, end)
    out.append(html[position:stop])
    return _unsigned("".join(out), present, True)
