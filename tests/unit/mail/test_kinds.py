"""What kind of mail it is: automatic signs, answers of absence, receipts, and ordinary mail."""

from __future__ import annotations

import pytest
from mailroom_mail import Kind, classify, is_machine_address, read

from .plain_mail import plain

ORDINARY = {
    "asks about a bounce": plain("Ann <ann@example.org>", "Undeliverable mail, please help", "Hi,\nI got this: 550 5.1.1 user unknown, my mail could not be delivered. What now?\nAnn"),
    "answers a bounce": plain("Ann <ann@example.org>", "Re: Undelivered Mail Returned to Sender", "Please use my new address.\n\n> <jo@customer.example>: 550 5.1.1 User unknown\n> could not be delivered", "In-Reply-To: <x@y>"),
    "delivery of a parcel": plain("Shop <hello@shop.example>", "Delivery failed: we missed you", "We could not deliver your parcel today and will try again tomorrow."),
    "returns": plain("Ann <ann@example.org>", "Returned to sender", "My parcel was returned to sender. It could not be delivered. Please send it again."),
    "out of office as a topic": plain("Ann <ann@example.org>", "Out of office assistant does not work", "Please help."),
    "holiday as a topic": plain("Ann <ann@example.org>", "Vacation: booking 1234", "Where do I pay?"),
    "car as a topic": plain("Ann <ann@example.org>", "Auto: Reparatur", "Wann ist es fertig?"),
    "urlaub": plain("Ann <ann@example.org>", "Urlaub", "Ich möchte buchen."),
    "auto-submitted no": plain("Ann <ann@example.org>", "Hi", "Hi", "Auto-Submitted: no"),
    "precedence normal": plain("Ann <ann@example.org>", "Hi", "Hi", "Precedence: normal"),
    "suppresses answers of some kinds, as Exchange does on its people's mail": plain("Ann <ann@example.org>", "Hi", "Hi", "X-Auto-Response-Suppress: DR, OOF, AutoReply"),
    "forwarded by a rule of Exchange": plain("Ann <ann@example.org>", "Hi", "Hi", "X-MS-Exchange-Inbox-Rules-Loop: info@acme-shop.example", "X-Auto-Response-Suppress: All"),
    "suppresses receipts only": plain("Ann <ann@example.org>", "Hi", "Hi", "X-Auto-Response-Suppress: DR, RN, NRN"),
    "exchange in the name": plain("Stock Exchange News <news@exchange.example>", "Delivery problem with the certificates", "The delivery failed."),
    "normal path": plain("Ann <ann@example.org>", "Hi", "Hi", "Return-Path: <ann@example.org>"),
    "replay": plain("Noreen Pley <noreen.pley@example.org>", "Replying to you", "Hi"),
    "reply-like address": plain("Ann <reply@example.org>", "Hi", "Hi"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ORDINARY))
def test_ordinary_mail(name: str) -> None:
    kind = classify(read(ORDINARY[name]))
    assert kind == Kind()


@pytest.mark.parametrize(
    ("field", "sign"),
    [
        ("Auto-Submitted: auto-replied", "auto-submitted:auto-replied"), ("Auto-Submitted: auto-generated (failure)", "auto-submitted:auto-generated"),
        ("Auto-Submitted: Auto-Replied; owner-email=\"a@b\"", "auto-submitted:auto-replied"), ("Precedence: bulk", "precedence:bulk"), ("Precedence: list", "precedence:list"),
        ("Precedence: junk", "precedence:junk"), ("Precedence: auto_reply", "precedence:auto_reply"), ("List-Id: <x.example>", "list-id"),
        ("List-Unsubscribe: <https://x.example/u>", "list-unsubscribe"), ("X-Auto-Response-Suppress: All", "x-auto-response-suppress"),
        ("X-MS-Exchange-Inbox-Rules-Loop: ann@example.org", "x-ms-exchange-inbox-rules-loop"), ("X-Loop: ann@example.org", "x-loop:own-address"), ("X-Autoreply: yes", "x-autoreply"), ("X-Autorespond: Out", "x-autorespond"),
        ("X-Loop: yes", "x-loop"), ("Return-Path: <>", "null-return-path"), ("X-Cron-Env: <SHELL=/bin/sh>", "x-cron-env"), ("Reply-To: no-reply@example.org", "reply-to:no-reply"),
        ("Sender: owner-list@example.org", "sender:owner-list"), ("Delivered-To: Autoresponder", "delivered-to:autoresponder"),
    ],
)  # fmt: skip
def test_each_sign_is_named(field: str, sign: str) -> None:
    kind = classify(read(plain("Ann <ann@example.org>", "Hi", "Hi", field)))
    assert sign in kind.automatic_signs
    assert kind.bounce is None
    assert kind.is_list is (field.startswith("List") or field == "Precedence: list")


@pytest.mark.parametrize(
    "address",
    [
        "mailer-daemon@x", "MAILER-DAEMON", "postmaster@x", "no-reply@x", "noreply@x", "no_reply@x", "no.reply@x", "donotreply@x", "do-not-reply@x", "shop-noreply@x", "noreply+a1b2@x",
        "noreply-de@x", "nicht-antworten@x", "ne-pas-repondre@x", "no-responder@x", "bounces+123=x@y", "list-bounces@x", "owner-list@x", "list-request@x", "majordomo@x", "auto-reply@x",
    ],
)  # fmt: skip
def test_machine_addresses(address: str) -> None:
    assert is_machine_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "ann@x",
        "support@x",
        "reply@x",
        "norman.reply@x",
        "postman@x",
        "info@x",
        "autohaus@x",
        "bouncer@x",
        "request@x",
        "robert.noreply.smith@x.y"[0:12] + "@x",
    ],
)
def test_addresses_of_people(address: str) -> None:
    assert not is_machine_address(address)


@pytest.mark.parametrize(
    ("path", "signs"), [("", ("null-return-path",)), ("<>", ("null-return-path",)), ("ann@example.org", ()), (None, ())]
)
def test_envelope_sender(path: str | None, signs: tuple[str, ...]) -> None:
    assert classify(read(plain("Ann <ann@example.org>", "Hi", "Hi")), path).automatic_signs == signs


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Order",
        "AUTO: Miller, Ann is out of the office. (returning 05/01/2026)",
        "AUTO: Ann Müller ist nicht im Büro (Rückkehr am 05.01.2026)", "Auto: Out of office"[6:] + ": Order", "Out of Office: Order", "Out of Office AutoReply: Order", "Autoreply: Order", "Automatische Antwort: Order", "Abwesenheitsnotiz: Order",
        "Réponse automatique : Order", "Respuesta automática: Order", "Resposta automática: Order", "Risposta automatica: Order", "Automatisch antwoord: Order",
        "Automatyczna odpowiedź: Order", "Автоматический ответ: Order", "Trả lời tự động: Order", "自动答复: Order", "自動返信: Order", "자동 회신: Order",
        "Autosvar: Order", "Automatisk svar: Order", "Automaattinen vastaus: Order", "Automatická odpověď: Order", "Otomatik yanıt: Order", "[AUTO GENERATED] Order",
    ],
)  # fmt: skip
def test_answer_of_absence_by_subject_alone(subject: str) -> None:
    kind = classify(read(plain("Ann <ann@example.org>", subject, "Hi")))
    assert kind.automatic_signs == ("subject:automatic-answer",)
    assert kind.is_out_of_office
    assert kind.bounce is None


@pytest.mark.parametrize(
    ("subject", "body", "fields", "absent"),
    [
        ("Re: Order", "I am out of the office until Monday.", ("Auto-Submitted: auto-replied",), True),
        ("Re: Order", "Ich bin bis Montag nicht im Büro.", ("Auto-Submitted: auto-replied", "Precedence: bulk"), True),
        ("Re: Order", "x", ("Auto-Submitted: auto-replied (vacation)",), True),
        ("Re: Order", "x", ("X-Auto-Response-Suppress: All", "X-MS-Exchange-Inbox-Rules-Loop: ann@example.org"), True),
        ("Urlaub", "x", ("Auto-Submitted: auto-replied",), True),
        ("[Ticket 12] received", "We have got your request.", ("Auto-Submitted: auto-replied",), False),
        ("News", "On vacation? Book now!", ("List-Id: <x>", "Auto-Submitted: auto-generated"), False),
        ("Re: Order", "I am out of the office until Monday.", (), False),
    ],
)
def test_answer_of_absence_by_fields_and_words(subject: str, body: str, fields: tuple[str, ...], absent: bool) -> None:
    assert classify(read(plain("Ann <ann@example.org>", subject, body, *fields))).is_out_of_office is absent


def test_receipt_and_feedback_are_neither_bounce_nor_answer() -> None:
    receipt = b"From: Ann <ann@example.org>\r\nSubject: Read: Order\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nRead.\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822;ann@example.org\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n"
    kind = classify(read(receipt))
    assert (kind.is_receipt, kind.bounce, kind.is_dsn, kind.automatic_signs) == (True, None, False, ("receipt",))
    feedback = receipt.replace(b"disposition-notification", b"feedback-report").replace(
        b"Final-Recipient", b"Feedback-Type: abuse\r\nOriginal-Rcpt-To"
    )
    kind = classify(read(feedback))
    assert (kind.is_feedback, kind.bounce, kind.automatic_signs) == (True, None, ("feedback-report",))


def test_forwarding_leaves_traces() -> None:
    raw = plain(
        "Ann <ann@example.org>", "Hi", "Hi", "Delivered-To: help@acme-shop.example", "X-Forwarded-For: help@acme-shop.example support@acme.example", "X-Forwarded-To: support@acme.example",
        "X-Original-To: sales@acme-shop.example", "Resent-To: Support <support@acme.example>", "Received: from a by b with ESMTP\r\n id 1 for <help@acme-shop.example>; Tue, 24 Nov 2026 12:00:00 +0000",
    )  # fmt: skip
    found = {(one.header, one.address) for one in classify(read(raw)).forwarded}
    assert found == {
        ("Delivered-To", "help@acme-shop.example"), ("X-Forwarded-For", "help@acme-shop.example"), ("X-Forwarded-For", "support@acme.example"), ("X-Forwarded-To", "support@acme.example"),
        ("X-Original-To", "sales@acme-shop.example"), ("Resent-To", "support@acme.example"), ("Received", "help@acme-shop.example"),
    }  # fmt: skip


def test_spam_flag_is_told_but_is_no_automatic_sign() -> None:
    kind = classify(read(plain("Ann <ann@example.org>", "Hi", "Hi", "X-Spam-Flag: YES")))
    assert kind.is_spam_flagged
    assert not kind.automatic_signs
