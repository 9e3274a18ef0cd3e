"""The rules for plain text that hold for every client: answers above, below and between, signatures, forwards, traps."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_mail import Mail, Mailbox, extract_reply

HEADER = "On Mon, Jan 5, 2026 at 3:04 PM Acme <s@acme.example> wrote:"


def reply(text: str, subject: str = "Re: Order") -> str:
    return extract_reply(Mail("a@b", Mailbox("ann@example.org"), subject=subject, text=text)).text


def quoted(text: str) -> bool:
    return extract_reply(Mail("a@b", Mailbox("ann@example.org"), subject="Re: Order", text=text)).quoted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{HEADER}\n> When?\n\nTomorrow.", "Tomorrow."),
        (f"Hello\n\n{HEADER}\n> When?\n\nTomorrow.", "Hello\n\nTomorrow."),
        (f"Fine.\n\n{HEADER}\n\n> When?\n> \n> Ann\n", "Fine."),
        (f"Fine.\n\n> {HEADER}\n>> When?\n", "Fine."),
        ("Fine.\n\n> When?\n", "Fine."),
        (f"Thanks {HEADER}\n> When?", "Thanks"),
        ("Fine.\n\n--- On Mon, 5 Jan 2026, Acme <s@acme.example> wrote ---\n\nWhen?", "Fine."),
        ("Fine.\n\n2026-01-05 15:04 GMT+01:00 Acme <\nsupport@acme.example>:\n\n> When?", "Fine."),
        ("Fine.\n2026/1/5 Acme <support@acme.example>\n\n> When?", "Fine."),
        ("Fine.\n\nQuoting Acme <support@acme.example>:\n\n> When?", "Fine."),
        ("Fine.\n\nAcme wrote:\n> When?", "Fine."),
        ("Fine.\n\ntir. 6. jan. 2026 kl. 13:09 skrev Acme <s@acme.example\n>:\n\n> When?", "Fine."),
        ("Fine.\n\nDate: Mon, 5 Jan 2026 15:04:00 +0100\nTo: ann@example.org\n\nWhen?", "Fine."),
        ("Fine.\n\n  *From:* Acme [mailto:\n  s@acme.example]\n  *Sent:* Monday\n  *To:* ann@example.org\n  *Subject:* Order\n\nWhen?", "Fine."),
        ("Fine.\n\n-------- Something in another tongue --------\nFrom: Acme <s@acme.example>\nDate: Monday\nTo: ann@example.org\nSubject: Order\n\nWhen?", "Fine."),
        ("Fine.\n\n##- Please type your reply above this line -##\n\nYour request (12) has been updated.", "Fine."),
        (f"Fine.\n\n{HEADER}\n> See (https://example.org/a\nb/c)\n> there\n", "Fine."),
        (f"Fine.\n\n{HEADER}\n> A quoted line of more than sixty characters that was wrapped by\nsome relay\n> on its way\n", "Fine."),
    ],
)  # fmt: skip
def test_history_is_set_apart(text: str, wanted: str) -> None:
    assert reply(text) == wanted
    assert quoted(text)


def test_answers_point_by_point_keep_what_they_answer() -> None:
    text = f"{HEADER}\n> Colour?\n\nBlue.\n\n> Size?\n\nLarge."
    assert reply(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "On the surface, this looks like a quotation.\nOn average it is none.", "He wrote:\nplease come.", "On page 5 he wrote:\nnothing.", "From: Berlin\nTo: Munich\nI need a ticket.",
        "Two things:\n- one\n- two\n\nOn Monday I will call:", "Visit us\n>>> >>> https://example.org <<<\nand more", "Code:\n>>> print(1)\n1", "a\n---\nb", "Subject: to change without notice",
        "Sent from my desk, where I sit, is much easier than from my phone.", "Times:\n2026-01-05 14:30\n05.01.2026 14:30", "Here is the original message you asked for.", "Email me at ann@example.org:\nthanks",
        "Regards,\nAnn", "Thanks\nAnn Miller",
    ],
)  # fmt: skip
def test_nothing_is_cut_from_what_a_person_wrote(text: str) -> None:
    assert reply(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Fine.\n-- \nAnn Miller\nAcme", "Fine."), ("Fine.\n--\nAnn", "Fine."), ("Fine.\n\nSent from my iPhone", "Fine."), ("Fine.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>", "Fine."),
        ("Fine.\n\nSent from my Verizon Wireless BlackBerry", "Fine."), ("Fine.\n\nKind regards,\n\nAnn Miller\nHead of Sales\n+49 30 1234567", "Fine."),
        ("Fine.\n\nMit freundlichen Grüßen\n\nAnn Miller\nAcme GmbH\nwww.acme.example", "Fine."), ("Fine.\n\n________________\nThis e-mail is confidential and intended only for the addressee.", "Fine."),
        ("Fine.\n\nSent from my phone\n\nHi there, your parcel is late.", "Fine."),
    ],
)  # fmt: skip
def test_signatures(text: str, wanted: str) -> None:
    assert reply(text) == wanted


@pytest.mark.parametrize("text", [f"{HEADER}\n> When?\n> Ann", "> When?", "From: Acme <s@acme.example>\nSent: Monday, 5 January 2026\nTo: ann@example.org\n\nWhen?", "Sent from my iPhone", "--\nAnn", "-----Original Message-----\nFrom: a@b.example\n\nHi"])  # fmt: skip
def test_all_quoted_is_shown_whole(text: str) -> None:
    assert reply(text) == text
    assert not quoted(text)


@pytest.mark.parametrize(
    "subject", ["Fwd: Order", "FW: Order", "WG: Bestellung", "TR : Commande", "RV: Pedido", "转发：订单"]
)
def test_a_forward_is_shown_whole(subject: str) -> None:
    text = "Please see below.\n\nFrom: Jo <jo@c.example>\nSent: Monday, 5 January 2026\nTo: ann@example.org\nSubject: Order\n\nWhere is it?"
    assert reply(text, subject) == text
    assert reply(text, "Re: " + subject) == "Please see below."


def test_forwarded_text_in_a_reply_stays() -> None:
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Jo <jo@c.example>\nDate: Mon, Jan 5, 2026\nSubject: Order\nTo: ann@example.org\n\nWhere is it?"
    assert reply(text, "Order") == text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["Hello there", "> quoted", ">> twice", "", HEADER, "From: a@b.example", "Sent: Monday 5 January 2026", "To: x@y.example", "--", "-- ", "____________", "Sent from my iPhone", "Regards,", "wrote:", ">:", "<a@b.example", "> wrote:", "-----Original Message-----", "2026年1月5日(月) 15:04 Acme <s@acme.example>:", "(http://x"]), max_size=14))  # fmt: skip
def test_never_empty_never_invented(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = reply(text)
    assert bool(found.strip()) == bool(text.strip())
    assert set(found.split()) <= set(text.split())


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400), st.text(max_size=400))
def test_anything_gives_something(text: str, html: str) -> None:
    found = extract_reply(Mail("a@b", None, text=text, html=f"{html}<div class='gmail_quote'>{text}<blockquote>"))
    assert bool(found.text.strip()) == bool(text.strip()) or found.html


HOSTILE = {
    "on": "On " * 200_000, "many on": "On Monday, 5 January 2026\n" * 30_000, "wrote": "wrote:\n" * 80_000, "headers": "From: a@b.example\n" * 40_000, "quotes": "> a\nb\n" * 60_000, "signs": "--\n" * 100_000,
    "dashes": "-" * 500_000, "spaced": "- " * 250_000, "underscores": ("_ " * 200 + "\n") * 1000, "sent": ("Sent from my " + "a" * 120 + "!\n\n") * 4000, "colon": ":" * 500_000, "address": "<" * 300_000 + "a@b" + ">" * 300_000,
    "footers": "Sent from my iPhone\n\n" * 30_000, "closings": "Regards,\n" * 50_000, "spaces": " " * 500_000 + "x", "blank": "\n" * 500_000 + "x", "links": "> (http://x\n" * 50_000, "labels": "Subject:\n\n" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE))
def test_time_is_linear(name: str) -> None:
    text = HOSTILE[name]
    start = time.process_time()
    reply(text)
    assert time.process_time() - start < 4.0


HOSTILE_HTML = {
    "open divs": "<div>" * 150_000 + "x", "quotes": "<blockquote type=\"cite\">" * 40_000 + "x", "closed quotes": "<blockquote type=\"cite\">x</blockquote>y" * 8_000, "angle": "<" * 500_000, "gmail": "<div class=\"gmail_quote\">x</div>y" * 8_000,
    "signature": "<div class=\"gmail_signature\">" * 30_000, "style": "<style>.gmail_quote{}" * 20_000, "marks in text": "gmail_quote " * 40_000, "borders": "<div style=\"border-top:solid 1pt\">x</div>" * 5_000, "attributes": "<div " + "class=gmail_quote " * 30_000, "comments": "<!--" * 100_000, "rules": "<hr>" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE_HTML))
def test_time_is_linear_for_html(name: str) -> None:
    from mailroom_mail.typed.reply_html import html_reply

    html = "<p>Hi</p>" + HOSTILE_HTML[name]
    start = time.process_time()
    html_reply(html, True)
    assert time.process_time() - start < 4.0


def test_ten_megabytes_of_html() -> None:
    from mailroom_mail.typed.reply_html import html_reply

    html = "<p>Hi</p>" + "<p>word word word</p>" * 500_000 + '<div class="gmail_quote">x</div>'
    start = time.process_time()
    assert html_reply(html, False).quoted
    assert time.process_time() - start < 4.0


@pytest.mark.parametrize(
    "divider",
    [
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "-------- Weitergeleitete Nachricht --------",
    ],
)
def test_a_mail_that_is_only_forwarded_text_is_shown_whole(divider: str) -> None:
    text = f"{divider}\nFrom: Jo <jo@c.example>\nDate: Mon, Jan 5, 2026\nSubject: Order\nTo: ann@example.org\n\nWhere is it?"
    assert reply(text, "Order") == text
    assert reply(f"FYI\n\n{text}", "Order") == f"FYI\n\n{text}"


def test_a_rule_is_no_signature_where_a_person_goes_on() -> None:
    text = "Hello,\n-----\nOrder 123, paid by ann@example.org\nPlease check."
    assert reply(text) == text


def test_orange_webmail() -> None:
    assert (
        reply(
            "D'accord.\n\n====\n\nMessage du : 12/12/2026 13:20\nDe : Acme <s@acme.example>\nA : ann@example.org\nSujet : Order\n\nQuand ?"
        )
        == "D'accord."
    )
