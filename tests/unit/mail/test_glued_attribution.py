"""Words typed into the attribution's own line: web mail programs put the cursor there."""

from __future__ import annotations

import time
from html import escape

import pytest
from mailroom_mail import Mail, Mailbox, extract_reply, html_to_text
from mailroom_mail.typed.glued import shared_start

from .test_reply_clients import APPLE, GMAIL, THUNDERBIRD, YAHOO

US = ("Acme Support", "support@acme.example")
CLIENTS = {"gmail": GMAIL, "apple": APPLE, "thunderbird": THUNDERBIRD, "yahoo": YAHOO}
# As Roundcube writes it in each of its languages.
ROUNDCUBE = {
    "en": "On 2026-11-30 03:15, Acme Support wrote:", "de": "Am 2026-11-30 03:15, schrieb Acme Support:", "vi": "Vào ngày 2026-11-30 03:15, Acme Support viết:",
    "fr": "Le 2026-11-30 03:15, Acme Support a écrit :", "es": "El 2026-11-30 03:15, Acme Support escribió:", "it": "Il 2026-11-30 03:15, Acme Support ha scritto:",
    "nl": "Acme Support schreef op 2026-11-30 03:15:", "pt": "Em 2026-11-30 03:15, Acme Support escreveu:", "pl": "W dniu 2026-11-30 03:15, Acme Support napisał(a):",
    "ru": "Acme Support писал 2026-11-30 03:15:", "ja": "Acme Support さんは 2026-11-30 03:15 に書きました:", "zh": "在 2026-11-30 03:15，Acme Support 写道：", "cs": "Dne 2026-11-30 03:15, Acme Support napsal:",
    "sv": "Den 2026-11-30 03:15, skrev Acme Support:", "hu": "2026-11-30 03:15 időpontban Acme Support ezt írta:", "fi": "2026-11-30 03:15, Acme Support kirjoitti:", "ko": "2026-11-30 03:15에 Acme Support 이(가) 쓴 글:",
    "uk": "2026-11-30 03:15, Acme Support написав:", "ro": "În data de 2026-11-30 03:15, Acme Support a scris:", "tr": "Tarih 2026-11-30 03:15, Acme Support yazdı:", "el": "Στις 2026-11-30 03:15, Acme Support έγραψε:",
}  # fmt: skip
LINES = [(f"{client}-{language}", line) for client, lines in CLIENTS.items() for language, line in lines.items()]
LINES += [(f"roundcube-{language}", line) for language, line in ROUNDCUBE.items()]
TYPED = [
    "Kim",
    "Yes, please send two new chairs.",
    "好的。",
    "Greetings\nKim Müller",
    "DE02 1203 0000 0000 2020 51\nKim",
]


def answer(text: str, html: str | None = None) -> Mail:
    return Mail(
        "a@b", Mailbox("kim@example.org"), to=(Mailbox(US[1], US[0]),), subject="Re: Chairs", in_reply_to=("x@y",), text=text, html=html,
    )  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("line", [line for _, line in LINES], ids=[name for name, _ in LINES])
def test_nothing_typed_is_lost_and_history_is_folded(line: str, typed: str) -> None:
    assert not shared_start(line, US)
    old = "Hello Kim,\nwhich chairs?"
    quoted = "\n".join("> " + one for one in old.split("\n"))
    text = f"Hello Ana,\n\n{typed}{line}\n\n{quoted}\n"
    shown = "<br>".join(escape(one) for one in f"Hello Ana,\n{typed}{line}".split("\n"))
    cite = f'<blockquote type="cite">{old.replace(chr(10), "<br>")}</blockquote><p><br></p>'
    for html in (
        f'<p id="reply-intro">{shown}</p>{cite}',
        f"<html>{shown}<br />&nbsp;{cite}</html>",
        f"<div>{shown}\n{cite}</div>",
    ):
        reply = extract_reply(answer(text, html))
        wanted = "".join(f"Hello Ana,{typed}".split())
        assert "".join(reply.text.split()) == wanted
        assert "".join(html_to_text(reply.html or "").split()) == wanted
        assert reply.quoted


def test_one_line_alone_is_folded_too() -> None:
    text = "Yes, please.On 2026-11-30 03:15, Acme Support wrote:\n\n> Hello Kim\n"
    assert extract_reply(answer(text)).text == "Yes, please."
    unmarked = "KimOn Monday, November 30, 2026 03:15 CET, Acme Support <support@acme.example> wrote:\n Hello Kim\n"
    assert extract_reply(answer(unmarked)).text == "Kim"
    wrapped = "KimOn Monday, November 30, 2026 03:15 CET, Acme Support\n<support@acme.example> wrote:\n\n> Hello Kim\n"
    assert extract_reply(answer(wrapped)).text == "Kim"


def test_many_words_before_a_name_stay_where_no_name_is_known() -> None:
    text = (
        "Please take the two chairs back and send the money to my account.Ana schreef op 2026-11-30 03:15:\n\n> Hello\n"
    )
    assert "send the money to my account." in extract_reply(Mail("a@b", None, subject="Re: x", text=text)).text


@pytest.mark.parametrize(
    "text",
    ["I was there on 2026-11-30 at 10:00 and Ann wrote:\nnothing.", "We met.On Monday she called and he wrote:\nfine", "Prices: Am 5 EUR, On 7 EUR:\nok"],
)  # fmt: skip
def test_a_sentence_is_no_attribution(text: str) -> None:
    assert extract_reply(answer(text)).text == text


@pytest.mark.parametrize(
    "line", ["On 1 " * 200_000 + "wrote:", "KimOn Monday, 2026-11-30, Ann wrote:\n" * 20_000, "x wrote:\n" * 60_000, "a 2026-11-30 " * 90_000 + ":"],
    ids=lambda one: one[:9],
)  # fmt: skip
def test_time_is_linear(line: str) -> None:
    start = time.process_time()
    extract_reply(answer(line, f"<p>{line}</p>"))
    assert time.process_time() - start < 6.0
