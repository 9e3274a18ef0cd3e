"""History below a mail: quoted as replies do, or headed as forwards do. Pure."""

from __future__ import annotations

import html as html_escape
from dataclasses import dataclass
from datetime import UTC, datetime

from mailroom_mail.reading.model import Mailbox

from .plain_html import text_to_html


@dataclass(frozen=True, slots=True)
class QuotedMail:
    """A mail that another one quotes below itself. Its HTML is sanitised on the way out, unless it is `safe` already.

    `forwarded`: headed by From, Date, Subject, To and Cc, its text as it is; else quoted line by line below
    "On ..., ... wrote:".
    """

    from_: Mailbox | None = None
    date: datetime | None = None
    text: str = ""
    html: str | None = None
    safe: bool = False  # `html` is what `sanitize` gave
    attribution: str | None = None  # in place of "On …, … wrote:"
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    subject: str = ""
    forwarded: bool = False


def quoted_text(quote: QuotedMail) -> str:
    """The history as plain text."""
    lines = _plain(quote).replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    if quote.forwarded:
        head = "\n".join(f"{name}: {value}" for name, value in _head(quote))
        return f"{_FORWARDED}\n{head}\n\n" + "\n".join(lines)
    marked = "\n".join(">" + line if line.startswith(">") else f"> {line}".rstrip() for line in lines)
    return f"{_attribution(quote)}\n{marked}"


def quoted_html(quote: QuotedMail) -> str:
    """The history as HTML, under the class by which Gmail and others fold it away."""
    if quote.html:
        from mailroom_mail.showing.safe_html import sanitize

        inner = quote.html if quote.safe else sanitize(quote.html).html
    else:
        inner = text_to_html(quote.text)
    if quote.forwarded:
        head = "<br>".join(f"{name}: {html_escape.escape(value)}" for name, value in _head(quote))
        return (
            f'<div class="gmail_quote"><div class="gmail_attr">{_FORWARDED}<br>{head}<br><br></div>'
            f"<div>{inner}</div></div>"
        )
    return (
        f'<div class="gmail_quote"><div class="gmail_attr">{html_escape.escape(_attribution(quote))}</div><blockquote class="gmail_quote" '
        f'type="cite" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">{inner}</blockquote></div>'
    )


_FORWARDED = "---------- Forwarded message ---------"


def _head(quote: QuotedMail) -> list[tuple[str, str]]:
    named = [
        ("From", _named(quote.from_) if quote.from_ is not None else ""),
        ("Date", "" if quote.date is None else f"{quote.date.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"),
        ("Subject", quote.subject),
        ("To", ", ".join(_named(box) for box in quote.to)),
        ("Cc", ", ".join(_named(box) for box in quote.cc)),
    ]
    return [(name, " ".join(value.replace("\0", "").split())) for name, value in named if value]


def _named(box: Mailbox) -> str:
    return f"{box.name} <{box.email}>" if box.name else box.email


def _plain(quote: QuotedMail) -> str:
    if not quote.text and quote.html:
        from mailroom_mail.showing.rendering import to_text

        return to_text(quote.html)
    return quote.text


def _attribution(quote: QuotedMail) -> str:
    if quote.attribution is not None:
        return " ".join(quote.attribution.split())
    who = "" if quote.from_ is None else _named(quote.from_)
    when = "" if quote.date is None else f"On {quote.date.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"
    said = (
        " ".join(f"{when}, {who} wrote:".split())
        if when and who
        else f"{when or who} wrote:"
        if when or who
        else "Quoted:"
    )
    return said.replace("\0", "")
