"""What companies' gateways put above and below a mail, in HTML: apart from what was typed, and whole elements only."""

from __future__ import annotations

import re
import time
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail import extract_reply, html_to_text, read
from mailroom_mail.typed.company_html import company_ranges, without_company_html

from .test_company_words import BANNERS, NOTICES

TYPED = "<p>Where is my <b>order</b> 42?</p><p>The link on your page is broken.</p>"
WORDS = "Where is my order 42?\n\nThe link on your page is broken."
QUOTE = '<div class="gmail_quote">On Mon, 30 Nov 2026 at 04:20, Acme &lt;support@acme.example&gt; wrote:<blockquote type="cite">thank you</blockquote></div>'
# How gateways set a banner or a notice: alone, in a box, a table, with words marked, in an element around all of the mail.
FORMS = {
    "p": "<p>{}</p>",
    "box": '<div style="background:#ffeb9c;border:1px solid"><span><strong>{}</strong></span></div><br>',
    "table": '<table border="0"><tbody><tr><td style="width:4px"></td><td><div>{}</div></td></tr></tbody></table>',
    "bare": "{}<br><br>",
    "rule": "<div>{}</div><hr>",
}
AROUND = {
    "": "{}",
    "body": "<html><head><style>p{{margin:0}}</style></head><body>{}</body></html>",
    "div": "<div><div class='w'>{}</div></div>",
}
TAG = re.compile(r"<(/?)([a-z]+)[^<>]*>")


def lines(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")


def reply(html: str, text: str | None = None) -> tuple[str, str]:
    head = "From: a@b.example\nIn-Reply-To: <x@acme.example>\nMIME-Version: 1.0\n"
    if text is None:
        raw = f"{head}Content-Type: text/html; charset=utf-8\n\n{html}\n"
    else:
        raw = (
            f"{head}Content-Type: multipart/alternative; boundary=q\n\n--q\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
            f"--q\nContent-Type: text/html; charset=utf-8\n\n{html}\n--q--\n"
        )
    found = extract_reply(read(raw.encode()))
    return found.text, html_to_text(found.html or "")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("banner", BANNERS)
def test_banners_are_apart(banner: str, form: str, around: str) -> None:
    html = AROUND[around].format(FORMS[form].format(lines(banner)) + TYPED + QUOTE)
    for text in (
        None,
        f"{banner}\n\n{WORDS}\n\nOn Mon, 30 Nov 2026 at 04:20, Acme <support@acme.example> wrote:\n> thank you\n",
    ):
        typed, shown = reply(html, text)
        assert typed.split() == shown.split() == WORDS.split()


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("notice", NOTICES)
def test_legal_notices_are_apart(notice: str, form: str, around: str) -> None:
    set_in = FORMS[form].format(lines(notice))
    for inner in (TYPED + set_in, TYPED + QUOTE + set_in, TYPED + set_in + QUOTE):
        typed, shown = reply(AROUND[around].format(inner))
        assert typed.split() == shown.split() == WORDS.split()


def test_what_people_type_stays_and_nothing_is_left_empty() -> None:
    for html in (TYPED, "<p>Caution, the external part is hot.</p>", "<p>Is this confidential?</p><p>Jo</p>"):
        assert without_company_html(html) == html
    for banner in BANNERS:
        assert html_to_text(without_company_html(f"<p>{lines(banner)}</p>")).strip()


_PIECES = st.sampled_from(
    [*BANNERS[:6], *NOTICES[:4], TYPED, QUOTE, "<div>", "</div>", "<p>", "</p>", "<td>", "<br>", "<b>", "</b>", "<a title='>'>x</a>", "a.", "<", ">", '"']
)  # fmt: skip


@given(st.lists(_PIECES, max_size=10))
def test_ranges_hold_whole_elements_at_the_ends(pieces: list[str]) -> None:
    html = "".join(pieces)
    found = company_ranges(html)
    for one in (found.banner, found.notice):
        if one is None:
            continue
        assert 0 <= one[0] < one[1] <= len(html)
        open_: list[str] = []
        for closing, name in TAG.findall(html[slice(*one)]):
            if name in ("br", "hr"):
                continue
            if not closing:
                open_.append(name)
            else:
                assert open_, "an element that begins before the range"
                open_.pop()
        assert not open_, "an element that ends behind the range"


@pytest.mark.parametrize(
    "piece", ["<p>external", "<div title='", "</div>confidential", '<a "', "<td>", "this email is external ", "&"]
)
def test_time_is_linear(piece: str) -> None:
    html = piece * 30_000
    began = time.process_time()
    company_ranges(html)
    assert time.process_time() - began < 1.0
