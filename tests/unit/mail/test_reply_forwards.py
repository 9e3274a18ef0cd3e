"""Forwards that are never cut down to their note, quotation by TAB, notices of programs, signatures that the HTML marks."""

from __future__ import annotations

import pytest
from mailroom_mail import Mail, Mailbox, extract_reply, html_to_text

from .test_reply_clients import LANGUAGES, ORIGINAL, OUTLOOK

NOTE = "Is this invoice from you? Please check it."
OUR = Mailbox("support@acme.example", "Acme Support")


def mail(text: str, html: str | None = None, subject: str = "Rechnung", **more: object) -> Mail:
    return Mail("a@b", Mailbox("kim@example.org"), to=(OUR,), subject=subject, text=text, html=html, **more)  # type: ignore[arg-type]


def block(language: str) -> str:
    sender, sent, to, subject, date = OUTLOOK[language]
    return f"{sender}: Jo <jo@vendor.example>\n{sent}: {date}\n{to}: kim@example.org\n{subject}: Rechnung\n\nSehr geehrte Frau Kim,\n\nanbei die Rechnung.\n\n-- \nJo"


DIVIDERS = ["-------------------- Start of forwarded message --------------------", "-------- Tin nhắn đã được chuyển tiếp --------", "--- nobody knows these words ---", "", "________________________________"]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("divider", [*DIVIDERS, "original"])
def test_a_header_block_in_a_mail_that_answers_nothing_is_forwarded(language: str, divider: str) -> None:
    line = f"-------- {ORIGINAL[language]} --------" if divider == "original" else divider
    text = f"{NOTE}\n\n-- \nKim\n\n{line}\n{block(language)}"
    html = f"<p>{NOTE}</p><div>{line}</div><p>{block(language).replace('<', '&lt;').replace(chr(10), '<br>')}</p>"
    reply = extract_reply(mail(text, html))
    assert reply.text == text
    assert reply.html == html
    assert not reply.quoted
    # The same below an answer is history.
    for answer in (
        mail(text, html, in_reply_to=("x@y",)),
        mail(text, html, references=("x@y",)),
        mail(text, html, subject="Re: Rechnung"),
    ):
        assert extract_reply(answer).text == NOTE


@pytest.mark.parametrize("mark", ["divRplyFwdMsg", "OutlookMessageHeader"])
def test_forwards_of_outlook_keep_their_html(mark: str) -> None:
    html = f'<p>{NOTE}</p><hr><div id="{mark}"><b>From:</b> Jo &lt;jo@vendor.example&gt;<br><b>Sent:</b> Monday, 5 January 2026<br><b>To:</b> kim@example.org<br><b>Subject:</b> Invoice</div><p>Here it is.</p>'
    assert extract_reply(mail(NOTE, html)).html == html
    assert "Here it is" not in (extract_reply(mail(NOTE, html, in_reply_to=("x@y",))).html or "")


def test_programs_that_name_what_they_forward() -> None:
    text = f"{NOTE}\n\nOn 2026-11-30 03:15, Jo wrote:\n> Here it is.\n"
    named = mail(text, headers=(("X-Forwarded-Message-Id", "<x@y>"), ("In-Reply-To", "<x@y>")), in_reply_to=("x@y",))
    assert extract_reply(named).text == text.strip()
    assert extract_reply(mail(text, in_reply_to=("x@y",))).text == NOTE


QUOTED = "Hello Kim,\n\nwhich size?\n\n- 41\n- 42"
TABBED = "\n".join("\t" + line for line in QUOTED.split("\n"))
FIELDS = "\tReturn-Path: <support@acme.example>\n\tFrom: Acme <support@acme.example>\n\tSubject: Re: x\n\t\n"


@pytest.mark.parametrize("above", [FIELDS, "On 2026-11-30 03:15, Acme wrote:\n", "Acme Support <support@acme.example> wrote on 2026-11-30:\n\n"])  # fmt: skip
@pytest.mark.parametrize("order", ["above", "below", "stripped"])
def test_quotation_by_tab(above: str, order: str) -> None:
    typed = "Thank you, 42 please.\n\nFrom tomorrow on I am away.\n\n- one pair\n\nKim"
    text = {
        "above": f"{typed}\n\n{above}{TABBED}\n", "below": f"{above}{TABBED}\n{typed}\n", "stripped": f"{above}{TABBED}\n\n{typed}".replace("\t\n", "\n"),
    }[order]  # fmt: skip
    reply = extract_reply(mail(text, in_reply_to=("x@y",)))
    assert reply.text.strip() == typed
    assert reply.quoted


def test_lists_set_in_by_tab_are_ones_own() -> None:
    text = "I need:\n\t- one pair in black\n\t- an invoice\n\nKim"
    assert extract_reply(mail(text, in_reply_to=("x@y",))).text == text


def test_the_html_knows_the_lines_that_a_program_broke() -> None:
    text = "I would like to have the chairs in black, please send them to my new\naddress that I told you on the telephone; the old one is no longer right,\nas I have moved.\n\nKim"
    html = f"<p>{text.split(chr(10) + chr(10))[0].replace(chr(10), ' ')}</p><p>Kim</p>"
    reply = extract_reply(mail(text, html))
    assert reply.text == html_to_text(html)
    assert "my new address that" in reply.text
    poem = "Roses are red,\nviolets are blue,\nsugar is sweet."
    assert extract_reply(mail(poem, f"<p>{poem}</p>")).text == poem


@pytest.mark.parametrize("closing", ["Viele Grüße\nKim Berger", "Kim", "Best regards,\nKim"])
@pytest.mark.parametrize("mark", ['id="signature"', 'class="gmail_signature"', 'class="moz-signature"'])
@pytest.mark.parametrize("rule", ["---", "-- "])
def test_a_signature_that_the_html_marks_goes_from_the_text_too(closing: str, mark: str, rule: str) -> None:
    signature = "Nguyễn Thị Kim\nTel. 0351 4960123"
    quote = "Vào ngày 2026-11-30 03:15, Acme Support viết:\n\n> Hello\n"
    text = f"Hello Ana,\n\nyes.\n\n{closing}\n\n{rule}\n{signature}\n\n{quote}"
    html = f'<p>Hello Ana,</p><p>yes.</p><p>{closing.replace(chr(10), "<br>")}</p><div {mark}>{rule}<br>{signature.replace(chr(10), "<br>")}</div><p id="reply-intro">Vào ngày 2026-11-30 03:15, Acme Support viết:</p><blockquote type="cite">Hello</blockquote>'
    reply = extract_reply(mail(text, html, in_reply_to=("x@y",)))
    assert "".join(reply.text.split()) == "".join(f"Hello Ana,yes.{closing}".split())
    assert "".join(html_to_text(reply.html or "").split()) == "".join(f"Hello Ana,yes.{closing}".split())


def test_three_dashes_above_contact_data_and_a_quotation() -> None:
    text = "Yes.\n\nKim\n\n---\nNguyễn Thị Kim\nTel. 0351 4960123\n\nOn 2026-11-30 03:15, Acme wrote:\n\n> Hello\n"
    assert extract_reply(mail(text, in_reply_to=("x@y",))).text == "Yes.\n\nKim"
    own = "Yes.\n\n---\nP.S. The second one too.\n\nOn 2026-11-30 03:15, Acme wrote:\n\n> Hello\n"
    assert "P.S." in extract_reply(mail(own, in_reply_to=("x@y",))).text


@pytest.mark.parametrize(
    "sender", ["plain-bounces@lists.example", "closed-owner@lists.example", "mailer-daemon@x.example"]
)
def test_notices_of_programs_are_shown_whole(sender: str) -> None:
    text = "The results of your command.\n\n- Original message details:\nFrom: Acme <support@acme.example>\nSubject: help\nDate: Mon, 30 Nov 2026 04:18:50 -0000\n\n- Results:\nhelp\n\n-- \nlists.example"
    notice = Mail("a@b", Mailbox(sender), subject="The results", text=text)
    assert extract_reply(notice).text == text
    answer = Mail(
        "a@b", Mailbox("ann@x.example"), subject="x", text=text, headers=(("Auto-Submitted", "auto-generated"),)
    )
    assert extract_reply(answer).text == text
