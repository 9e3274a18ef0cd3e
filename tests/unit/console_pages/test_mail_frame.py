"""A mail's HTML in its own page: quotes folded without opening a way out of an attribute, remote pictures counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from mailroom_console.pages.tickets.mail_frame import fold_quote, folded, page


def _page(html: str, **more: object) -> str:
    given = {"inline": {}, "remote_images": False, "style": "/static/1/mail.css", "title": "Hi"} | more
    return page(html, **given)  # type: ignore[arg-type]


def test_the_last_quote_is_folded_and_stays_whole() -> None:
    folded = fold_quote("<p>Yes.</p><blockquote>one<blockquote>two</blockquote></blockquote><p>-- Jo</p>")
    assert folded.count("<details") == 1
    inner = folded.partition("</summary>")[2].partition("</details>")[0]
    assert inner == "<blockquote>one<blockquote>two</blockquote></blockquote>"


@pytest.mark.parametrize(
    "html",
    [
        "<p>no quote</p>",
        "<blockquote>first</blockquote><p>" + "an answer below it " * 40 + "</p>",
        "<blockquote>nothing before it</blockquote>",
        "<p>text</p><blockquote>never closed",
        "<p>text</p></blockquote>",
    ],
)
def test_what_is_not_a_quote_at_the_end_stays(html: str) -> None:
    assert fold_quote(html) == html


def test_tags_within_attribute_values_are_no_tags() -> None:
    hostile = '<p title="<blockquote>">own</p><b title="</blockquote><img src=x onerror=alert(1)>">x</b>'
    assert fold_quote(hostile) == hostile
    shown = _page(f"{hostile}<blockquote title='</blockquote><i onclick=x>'>q</blockquote>")
    tree = lxml_html.fromstring(shown)
    assert not tree.xpath("//@onerror | //@onclick | //img")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(
    ["<blockquote>", "</blockquote>", "<p>", "</p>", "text", '<a title="<blockquote>">', "</a>", "<b title='\">'>", "</b>",
     "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "&lt;", '"', "'", ">", "<"]), max_size=14))  # fmt: skip
def test_folding_never_adds_anything_that_acts(parts: list[str]) -> None:
    tree = lxml_html.fromstring(_page("<p>x</p>" + "".join(parts)))
    assert not tree.xpath("//script | //@onerror | //@onclick | //@onload | //iframe | //form")
    assert len(tree.xpath("//details")) <= 1


def test_remote_pictures_are_told_and_inline_ones_shown() -> None:
    mail = '<img src="https://a.example/1.png"><img src="https://a.example/2.png"><img src="cid:logo@1">'
    shown = _page(mail, inline={"logo@1": "/messages/m/pictures/0"})
    assert "2 pictures from elsewhere are not loaded" in shown
    assert "https://a.example" not in shown
    assert "/messages/m/pictures/0" in shown
    assert "mailroom-blocked" not in _page(mail, remote_images=True)


def test_the_title_is_escaped() -> None:
    assert "<svg" not in _page("<p>x</p>", title="</title><svg onload=alert(1)>")


@pytest.mark.parametrize(
    "introduction",
    [
        '<div class="moz-cite-prefix">On 11/30/26 03:17, Shop Help wrote:<br></div>', "<div><div>Am 30.11.26 um 03:17 schrieb Shop Help &lt;a@b.example&gt;:<br></div></div>",
        "<p>Le 30/11/2026 à 03:17, Shop Help a écrit :</p>", "On 2026-11-30 03:15, Acme Support wrote:<br>&nbsp;",
    ],
)  # fmt: skip
def test_the_line_that_introduces_a_quote_is_folded_with_it(introduction: str) -> None:
    quote = "<blockquote>old</blockquote>"
    folded = fold_quote(f"<p>Hello</p>{introduction}{quote}")
    assert folded == (
        f'<p>Hello</p><details class="mailroom-quote"><summary>Show quoted text</summary>{introduction}{quote}</details>'
    )
    own = f"<p>Hello</p><p>See you on Monday</p>{quote}"
    assert "See you on Monday</p><details" in fold_quote(own)


def test_what_a_gateway_added_is_folded_and_the_quote_above_a_notice_too() -> None:
    banner = "<div><b>CAUTION:</b> This email originated from outside of the organization. Do not click links.</div>"
    notice = "<p>This email and any files transmitted with it are confidential and intended solely for the use of the individual to whom they are addressed. "  # fmt: skip
    notice += "If you have received this email in error please notify the sender. " * 8 + "</p>"
    quote = "<p>On Mon, 30 Nov 2026 at 04:20, Acme &lt;a@acme.example&gt; wrote:</p><blockquote>thank you</blockquote>"
    shown = folded(f"{banner}<p>Where is it?</p>{quote}{notice}")
    assert shown.count("<details") == shown.count("</details>") == 3
    plain = shown
    while "<details" in plain:
        before, _, rest = plain.partition("<details")
        plain = before + rest.partition("</details>")[2]
    assert plain == "<p>Where is it?</p>"
    assert folded("<p>Where is it?</p>") == "<p>Where is it?</p>"
