"""What kind of mail it is: bounces of every great mail system, automatic signs, answers of absence, and ordinary mail."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from mailroom_mail import Kind, Mail, Mailbox, bounce_statuses, classify, is_failure, is_machine_address, read

CORPORA = Path(os.environ.get("MAILROOM_CORPORA", str(Path(__file__).parents[4] / "shared" / "corpora")))


def plain(sender: str, subject: str, body: str, *more: str) -> bytes:
    head = [
        f"From: {sender}",
        "To: support@acme.example",
        f"Subject: {subject}",
        "Date: Tue, 24 Nov 2026 12:00:00 +0000",
    ]
    return "\r\n".join(
        [*head, *more, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", body.replace("\n", "\r\n")]
    ).encode()


def report(
    sender: str, subject: str, body: str, status: str, kind: str = "multipart/report; report-type=delivery-status"
) -> bytes:
    return (
        (
            f'From: {sender}\nTo: support@acme.example\nSubject: {subject}\nMIME-Version: 1.0\nContent-Type: {kind}; boundary="b"\n\n--b\n'
            f"Content-Type: text/plain; charset=utf-8\n\n{body}\n--b\nContent-Type: message/delivery-status\n\n{status}\n--b\nContent-Type: message/rfc822\n\n"
            "From: support@acme.example\nTo: jo@customer.example\nMessage-ID: <m1.tok@acme.example>\nX-Mailroom-Id: <m1.tok@acme.example>\nSubject: Re: Order\n\nHi\n--b--\n"
        )
        .encode()
        .replace(b"\n", b"\r\n")
    )


COPY = "From: support@acme.example\nTo: jo@customer.example\nMessage-ID: <m1.tok@acme.example>\nSubject: Re: Order\n\nHi Jo\n"
QMAIL = f"""Hi. This is the qmail-send program at mail.customer.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<jo@customer.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <support@acme.example>
{COPY}"""
EXIM = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  jo@customer.example
    SMTP error from remote mail server after RCPT TO:<jo@customer.example>:
    host mx.customer.example [192.0.2.1]: 550 5.1.1 User unknown

------ This is a copy of the message, including all the headers. ------

{COPY}"""
POSTFIX = f"""This is the mail system at host mx.front.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<jo@customer.example>: host mx.customer.example[192.0.2.1] said: 552 5.2.2 Mailbox
    full (in reply to RCPT TO command)

{COPY}"""
GMAIL = """Delivery to the following recipient failed permanently:

     jo@customer.example

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the server for the recipient domain.
The error that the other server returned was:
550 5.1.1 <jo@customer.example>: Recipient address rejected

----- Original message -----

Message-ID: <m1.tok@acme.example>
Subject: Re: Order
"""
EXCHANGE_2003 = """Your message

  To:      jo@customer.example
  Subject: Re: Order
  Sent:    Tue, 24 Nov 2026 12:00:00 +0000

did not reach the following recipient(s):

jo@customer.example on Tue, 24 Nov 2026 12:00:02 +0000
    The recipient name is not recognized
    The MTS-ID of the original message is: c=us
"""
OFFICE365 = {
    "en": "Your message to jo@customer.example couldn't be delivered.\n\njo wasn't found at customer.example.\n\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'",
    "de": "Ihre Nachricht an jo@customer.example konnte nicht zugestellt werden.\n\njo wurde bei customer.example nicht gefunden.\n\n550 5.1.10 RESOLVER",
    "fr": "Votre message à jo@customer.example n'a pas pu être remis.\n\njo est introuvable.\n\n550 5.1.10 RESOLVER",
    "es": "No se pudo entregar tu mensaje a jo@customer.example.\n\n550 5.1.10 RESOLVER",
    "pt": "Não foi possível entregar a sua mensagem para jo@customer.example.\n\n550 5.1.10 RESOLVER",
    "it": "Impossibile recapitare il messaggio a jo@customer.example.\n\n550 5.1.10 RESOLVER",
    "nl": "Uw bericht aan jo@customer.example kon niet worden bezorgd.\n\n550 5.1.10 RESOLVER",
    "pl": "Nie można dostarczyć wiadomości do jo@customer.example.\n\n550 5.1.10 RESOLVER",
    "ru": "Не удалось доставить ваше сообщение для jo@customer.example.\n\n550 5.1.10 RESOLVER",
    "vi": "Không thể gửi thư của bạn tới jo@customer.example.\n\n550 5.1.10 RESOLVER",
    "zh": "您发给 jo@customer.example 的邮件无法送达。\n\n550 5.1.10 RESOLVER",
    "ja": "jo@customer.example へのメッセージを配信できませんでした。\n\n550 5.1.10 RESOLVER",
}
SUBJECTS = {
    "en": "Undeliverable: Re: Order", "de": "Unzustellbar: Re: Order", "fr": "Non remis : Re: Order", "es": "No se puede entregar: Re: Order",
    "pt": "Não entregue: Re: Order", "it": "Non recapitabile: Re: Order", "nl": "Onbestelbaar: Re: Order", "pl": "Niedostarczona: Re: Order",
    "ru": "Не доставлено: Re: Order", "vi": "Không thể gửi: Re: Order", "zh": "无法送达: Re: Order", "ja": "配信不能: Re: Order",
}  # fmt: skip
WORDED = {
    "qmail": (plain("MAILER-DAEMON@mail.customer.example", "failure notice", QMAIL, "Return-Path: <>"), "5.1.1"),
    "exim": (plain("Mail Delivery System <Mailer-Daemon@mx.front.example>", "Mail delivery failed: returning message to sender", EXIM, "X-Failed-Recipients: jo@customer.example"), "5.1.1"),
    "exim without its field": (plain("Mailer-Daemon@mx.front.example", "Mail delivery failed: returning message to sender", EXIM), "5.1.1"),
    "postfix plain": (plain("MAILER-DAEMON@mx.front.example (Mail Delivery System)", "Undelivered Mail Returned to Sender", POSTFIX), "5.2.2"),
    "gmail": (plain("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", GMAIL), "5.1.1"),
    "exchange 2003": (plain("System Administrator <postmaster@customer.example>", "Undeliverable: Re: Order", EXCHANGE_2003), "5.1.1"),
    "exchange without subject": (plain("System Administrator <postmaster@customer.example>", "E", EXCHANGE_2003 + "\nUnknown Recipient 550 5.1.1", "Return-Path: <>"), "5.1.1"),
    "yahoo": (plain("MAILER-DAEMON@yahoo.com", "Failure Notice", f"Sorry, we were unable to deliver your message to the following address.\n\n<jo@customer.example>:\nRemote host said: 550 5.1.1 User unknown [RCPT_TO]\n\n--- Below this line is a copy of the message.\n\n{COPY}"), "5.1.1"),
    "lotus": (plain("postmaster@notes.customer.example", "DELIVERY FAILURE: User jo (jo@customer.example) not listed in Domino Directory", f"Your message\n\n  Subject: Re: Order\n\nwas not delivered to:\n\n  jo@customer.example\n\nbecause:\n\n  User jo (jo@customer.example) not listed in Domino Directory\n\n------- Returned Message --------\n{COPY}"), "5.1.1"),
    "sendmail 5": (plain("Mail Delivery Subsystem <MAILER-DAEMON@old.example>", "Returned mail: Host unknown", f"   ----- Transcript of session follows -----\n550 customer.example (smtp)... 550 Host unknown\n554 <jo@customer.example>... 550 Host unknown (Authoritative answer from name server)\n\n   ----- Unsent message follows -----\n{COPY}"), "5.1.2"),
    "null path and a code": (plain("Mail Gateway <gateway@customer.example>", "Re: Order", f"Your message to <jo@customer.example> was rejected: 554 5.7.1 blocked by policy\n\n----- Original message -----\n{COPY}", "Return-Path: <>"), "5.7.1"),
    "no sender domain": (plain('"Mail Deliver System" <MAILER-DAEMON>', "Returned Mail: User unknown", "---The following addresses had delivery errors---\n\njo@customer.example [User unknown]\n"), "5.1.1"),
    "amazon": (plain("SES <no-reply@sns.amazonaws.com>", "AWS Notification Message", '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"jo@customer.example","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},"mail":{"messageId":"m1.tok@acme.example"}}\n\n--\nfooter'), "5.1.1"),
    **{f"office365 {language}": (plain("Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@customer.example>", SUBJECTS[language], text + "\n\n----- Original message -----\n" + COPY, "Return-Path: <>"), "5.1.10") for language, text in OFFICE365.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", list(WORDED))
def test_worded_bounce(name: str) -> None:
    raw, status = WORDED[name]
    kind = classify(read(raw))
    assert kind.bounce is not None
    assert not kind.bounce.formal
    assert not kind.is_dsn
    assert is_failure(kind.bounce)
    assert status in bounce_statuses(kind.bounce)
    assert [one.recipient for one in kind.bounce.recipients] == ["jo@customer.example"]
    if "m1.tok" in raw.decode():
        assert kind.bounce.original_message_id == "m1.tok@acme.example"
    assert kind.automatic_signs
    assert not kind.is_out_of_office


def test_formal_bounce() -> None:
    kind = classify(read(report(
        "MAILER-DAEMON@mx.front.example", "Undelivered Mail Returned to Sender", "It failed.",
        "Reporting-MTA: dns; mx.front.example\n\nOriginal-Recipient: rfc822;jo@customer.example\nFinal-Recipient: rfc822; jo@inner.example\n"
        "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1\n  no such user",
    )))  # fmt: skip
    assert kind.is_dsn
    assert kind.bounce is not None
    assert kind.bounce.formal
    one = kind.bounce.recipients[0]
    assert (one.recipient, one.action, one.status, one.diagnostic) == (
        "jo@customer.example",
        "failed",
        "5.1.1",
        "smtp; 550 5.1.1 no such user",
    )
    assert kind.bounce.original_message_id == "m1.tok@acme.example"
    assert ("X-Mailroom-Id", "<m1.tok@acme.example>") in kind.bounce.original_headers
    assert "dsn" in kind.automatic_signs


@pytest.mark.parametrize(
    ("status", "action", "failure"),
    [
        ("Action: delayed\nStatus: 4.4.1", "delayed", True), ("Action: delivered\nStatus: 2.1.5", "delivered", False), ("Action: relayed\nStatus: 2.0.0", "relayed", False),
        ("Status: 5.0.0", "failed", True), ("Action: expired\nStatus: 4.4.7", "failed", True), ("Action: failure\nDiagnostic-Code: smtp; 452 4.2.2 full", "failed", True),
    ],
)  # fmt: skip
def test_actions_of_reports(status: str, action: str, failure: bool) -> None:
    kind = classify(
        read(
            report(
                "MAILER-DAEMON@mx.front.example",
                "Report",
                "x",
                f"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822;jo@customer.example\n{status}",
            )
        )
    )
    assert kind.bounce is not None
    assert kind.bounce.recipients[0].action == action
    assert is_failure(kind.bounce) is failure


def test_report_of_several_recipients_and_a_broken_one() -> None:
    status = "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822;a@customer.example\nAction: failed\nStatus: 5.1.1\n\n\n\nFinal-Recipient: rfc822;b@customer.example\nAction: delayed\nStatus: 4.2.2 (full)"
    kind = classify(read(report("MAILER-DAEMON@x.example", "Report", "x", status, "multipart/mixed")))
    assert kind.bounce is not None
    assert [(one.recipient, one.status) for one in kind.bounce.recipients] == [
        ("a@customer.example", "5.1.1"),
        ("b@customer.example", "4.2.2"),
    ]
    broken = classify(
        read(report("MAILER-DAEMON@x.example", "Undelivered", "550 5.1.1 <jo@customer.example> unknown", ""))
    )
    assert broken.is_dsn
    assert broken.bounce is not None
    assert bounce_statuses(broken.bounce) == ("5.1.1",)


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
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply", "x-auto-response-suppress"), ("X-Autoreply: yes", "x-autoreply"), ("X-Autorespond: Out", "x-autorespond"),
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


def test_a_server_that_refuses_by_a_disposition_notification() -> None:
    raw = b"From: Mail Delivery Subsystem <admin@customer.example>\r\nSubject: Automatically rejected mail\r\nAuto-Submitted: auto-replied (rejected)\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nYour message to <jo@customer.example> was automatically rejected:\r\nQuota exceeded\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; jo@customer.example\r\nOriginal-Message-ID: <m1.tok@acme.example>\r\nDisposition: automatic-action/MDN-sent-automatically; deleted\r\n--b--\r\n"  # fmt: skip
    kind = classify(read(raw))
    assert kind.bounce is not None
    assert kind.bounce.recipients[0].recipient == "jo@customer.example"
    unread = raw.replace(b"was automatically rejected:\r\nQuota exceeded", b"was deleted without being read")
    assert classify(read(unread)).bounce is None


def test_a_gateway_that_only_its_structure_gives_away() -> None:
    body = "Your message\ncould not be delivered to the following recipients:\n\njo@customer.example\n\nDelivery attempts will continue for 5 days.\n"
    kind = classify(read(plain("Gateway_for_SMTP@customer.example", "Delivery failure notification", body)))
    assert kind.bounce is not None
    assert kind.bounce.recipients[0].recipient == "jo@customer.example"
    forwarded = classify(read(plain("Ann <ann@example.org>", "FW: Delivery failure notification", "Why?\n\n" + body)))
    assert forwarded.bounce is None


def test_a_bounce_that_came_through_a_list() -> None:
    raw = plain(
        "MAILER-DAEMON@mail.customer.example", "failure notice", QMAIL, "List-Id: <l.acme.example>", "Precedence: bulk"
    )
    assert classify(read(raw)).bounce is not None


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


def test_hostile_sizes_stay_quick() -> None:
    mail = Mail(
        "a@b",
        Mailbox("mailer-daemon@x.example"),
        subject="Undeliverable " * 1000,
        text="not delivered <" * 200_000,
        headers=tuple(("Received", "for <" * 1000) for _ in range(2000)),
    )
    assert classify(mail).bounce is not None
    assert classify(replace(mail, text="@" * 1_000_000, subject="auto" * 10_000)) is not None


_REAL_BOUNCES = {
    "msg_05.eml", "msg_16.eml", "msg_25.eml", "msg_43.eml", "mt-badbound.eml", "content-length-027.eml", "raw_email_with_mimepart_without_content_type.eml",
    "multi_address_bounce1.eml", "multi_address_bounce2.eml", "multipart_report_multiple_status.eml", "report_422.eml", "report_530.eml",
}  # fmt: skip


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared is missing")
@pytest.mark.parametrize("corpus", ["cpython", "flanker", "mikel-mail", "mime4j", "mimekit"])
def test_no_ordinary_mail_of_the_corpora_is_called_a_bounce(corpus: str) -> None:
    called = {
        path.name for path in (CORPORA / corpus).glob("*.eml") if classify(read(path.read_bytes())).bounce is not None
    }
    assert all(name in _REAL_BOUNCES or "bounce" in name or "delivery-status" in name for name in called), called
    wanted = {
        path.name
        for path in (CORPORA / corpus).glob("*.eml")
        if path.name in _REAL_BOUNCES or path.name.startswith("bounce")
    }
    assert wanted <= called
