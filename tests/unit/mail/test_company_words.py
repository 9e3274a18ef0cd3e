"""Banners of companies above and legal notices below what a person typed: apart, and nothing that was typed with them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail import extract_reply, read
from mailroom_mail.typed.company_words import without_company_words

FILTERS = Path(__file__).parents[4] / "shared" / "filters" / "cases" / "10-banner-disclaimer"
BANNERS = [
    "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you\nrecognize the sender and know the content is safe.",
    "[EXTERNAL EMAIL]",
    "*** EXTERNAL EMAIL - Do not click on links or open attachments ***",
    "WARNING: This message was sent from outside the company. Please do not click links or open attachments unless you recognize the source of this email and know the content is safe.",
    "You don't often get email from jo@customer.example. Learn why this is important",
    "You don’t often get email from jo@customer.example. Learn why this is important<https://aka.ms/LearnAboutSenderIdentification>",
    "ACHTUNG: Diese E-Mail stammt von außerhalb der Organisation. Klicken Sie nicht auf Links und öffnen Sie keine Anhänge.",
    "Sie erhalten nicht häufig E-Mails von jo@customer.example. Erfahren Sie, warum dies wichtig ist",
    "ATTENTION : Ce courriel provient de l'extérieur de l'organisation. Ne cliquez pas sur les liens.",
    "PRECAUCIÓN: Este correo electrónico se originó fuera de la organización. No haga clic en enlaces.",
    "ATTENZIONE: Questa e-mail proviene da un mittente esterno. Non aprire gli allegati.",
    "LET OP: Deze e-mail is afkomstig van een externe afzender. Klik niet op links.",
    "ATENÇÃO: Este e-mail foi enviado de fora da organização. Não clique em links.",
    "UWAGA: Ta wiadomość pochodzi spoza organizacji. Nie klikaj w odnośniki.",
    "CẢNH BÁO: Email này được gửi từ bên ngoài tổ chức. Không nhấp vào liên kết.",
]
NOTICES = [
    "Diese E-Mail ist vertraulich. This message is confidential.\nCustomer GmbH, HRB 1, Musterstadt",
    "This email and any files transmitted with it are confidential and intended solely for the use of the\nindividual or entity to whom they are addressed.",
    "CONFIDENTIALITY NOTICE: this message is for its recipient.\n\nCustomer Ltd, registered in England, VAT 1",
    "Ce message et ses pièces jointes sont confidentiels.",
    "Este mensaje y sus adjuntos son confidenciales.",
    "Deze e-mail is vertrouwelijk.",
    "Email này có thể chứa thông tin bảo mật.",
]
TYPED = "Where is my order 42?\nThe link on your page is broken."
QUOTE = "On Mon, 30 Nov 2026 at 04:20, Acme Support <support@acme.example> wrote:\n> thank you\n> Ana"


def typed(body: str) -> str:
    raw = f"From: a@b.example\nIn-Reply-To: <x@acme.example>\nContent-Type: text/plain; charset=utf-8\n\n{body}\n"
    return extract_reply(read(raw.encode())).text


@pytest.mark.parametrize("banner", BANNERS)
@pytest.mark.parametrize("between", ["\n\n", "\n"])
def test_banners_are_apart(banner: str, between: str) -> None:
    assert typed(f"{banner}{between}{TYPED}\n\n{QUOTE}") == TYPED
    assert typed(f"{banner}\n\n{BANNERS[4]}{between}{TYPED}") == TYPED, "two of them"
    assert typed(banner) != "", "never empty"


@pytest.mark.parametrize("notice", NOTICES)
def test_legal_notices_are_apart(notice: str) -> None:
    assert typed(f"{TYPED}\n\n{QUOTE}\n{notice}") == TYPED, "below the history"
    assert typed(f"{TYPED}\n\n{notice}\n\n{QUOTE}") == TYPED, "above it"
    assert typed(f"{TYPED}\n{notice}") == TYPED
    assert typed(f"{QUOTE}\n\n{TYPED}\n{notice}") == TYPED
    assert typed(notice) != "", "never empty"


@pytest.mark.parametrize(
    "text",
    [
        "External senders complain about this. What now?",
        "Hello, this email came from outside. Is that right?",
        "Caution is advised with this product, it broke on the first day.",
        "Attention: the parcel is damaged.",
        "Diese E-Mail ist für Frau Kim.",
        "This message is urgent.\n\nPlease call me.",
        "This message is confidential: can you read it?",
        "We sent this email to you yesterday, from our external office.\n\nThanks",
        "Is the information on order 42 confidential?\n\nJo",
        "Wichtig: bitte heute noch liefern.",
    ],
)
def test_what_people_type_stays(text: str) -> None:
    assert typed(text) == text


def test_words_below_a_notice_that_are_somebodys_stay() -> None:
    text = "First.\n\nThis email is confidential and intended only for you.\n\nAnd please bring the blue one."
    assert typed(text) == text


@pytest.mark.skipif(not FILTERS.is_dir(), reason=f"../shared is not here ({FILTERS})")
@pytest.mark.parametrize("name", ["alt", "b64", "plain", "qp", "bottom", "short"])
def test_what_altermime_really_wrote(name: str) -> None:
    text = extract_reply(read((FILTERS / f"{name}.out").read_bytes())).text
    assert "\n" not in text
    assert text.startswith("Yes")


@given(st.lists(st.sampled_from([*BANNERS, *NOTICES, TYPED, "", ">", "\n", "a."]), max_size=8))
def test_only_ends_are_taken_away(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    assert without_company_words(text) in text


@pytest.mark.parametrize(
    "piece",
    ["caution: ", "external email ", "this email is ", "confidential\n", "[", "* ", "GmbH\n\n", "this message "],
)
def test_time_is_linear(piece: str) -> None:
    text = piece * 20_000
    began = time.process_time()
    without_company_words(text)
    assert time.process_time() - began < 1.0
