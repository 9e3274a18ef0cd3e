"""Bounces of every great mail system, formal and in words only, and what they are about."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from mailroom_mail import Mail, Mailbox, bounce_statuses, classify, is_failure, read

from .plain_mail import plain

CORPORA = Path(os.environ.get("MAILROOM_CORPORA", str(Path(__file__).parents[4] / "shared" / "corpora")))


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
