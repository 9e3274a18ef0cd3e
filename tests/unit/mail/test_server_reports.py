"""What real servers reported on mails of ours (../shared/servers): who, how it ended, and why, in words for people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail import BouncedRecipient, Kind, bounce_statuses, classify, is_failure, read
from mailroom_mail.kinds.bounce_reasons import tidy

SERVERS = Path(__file__).parents[4] / "shared" / "servers"
shared = pytest.mark.skipif(not SERVERS.is_dir(), reason=f"../shared is not here ({SERVERS})")
EXPECTED = (
    [json.loads(line) for line in (SERVERS / "expect.jsonl").read_text().splitlines()] if SERVERS.is_dir() else []
)


def kind_of(file: str) -> Kind:
    (path,) = [row["envelope_from"] for row in EXPECTED if row["file"] == file]
    return classify(read((SERVERS / file).read_bytes()), path)


@shared
@pytest.mark.parametrize("row", EXPECTED, ids=lambda row: row["file"])
def test_each_report_says_who_and_how(row: dict[str, Any]) -> None:
    kind = kind_of(row["file"])
    assert is_failure(kind.bounce) is row["is_bounce"]
    assert bool(kind.automatic_signs) is row["is_auto_reply"]
    if not row["recipient"]:
        return
    assert kind.bounce is not None
    assert [one.recipient for one in kind.bounce.recipients] == row["recipient"]
    assert {status for status in row["status"] if status} <= set(bounce_statuses(kind.bounce))
    # only real notices of delay are delays, whatever the field says
    wanted = "delayed" if row["kind"] == "delay" else "failed"
    assert {one.action for one in kind.bounce.recipients} == {wanted}
    assert "@shop.example" in (kind.bounce.original_message_id or ""), "our mail is named"
    for one in kind.bounce.recipients:
        assert one.reason is not None
        assert re.search(r"[^\W\d_]{3}", one.reason), "never a bare code"
        assert not re.match(r"(?i)smtp|x-", one.reason)
        assert one.reason.count("550") <= 1
        assert ">>>" not in one.reason
        assert "<<<" not in one.reason


@shared
@pytest.mark.parametrize(
    ("file", "status", "reason"),
    [
        ("opensmtpd-delay2.eml", "4.4.7", "Envelope expired"),
        ("opensmtpd-delay.eml", "4.7.1", "451 4.7.1 Greylisted, please try again in 300 seconds"),
        ("opensmtpd-policy.eml", "5.7.1", "550 5.7.1 Our system has found that this message is likely unsolicited. To reach us anyway see https://help.example/why?x=1 Ref. a1b2-c3d4 - gsmtp"),
        ("courier-policy.eml", "5.7.1", "550 5.7.1 Our system has found that this message is likely unsolicited. To reach us anyway see https://help.example/why?x=1 Ref. a1b2-c3d4 - gsmtp"),
        ("exim-policy.eml", "5.7.1", "550 5.7.1 Our system has found that this message is likely unsolicited. To reach us anyway see https://help.example/why?x=1 Ref. a1b2-c3d4 - gsmtp"),
        ("nullmailer-policy.eml", "5.7.1", "550 5.7.1 Our system has found that this message is likely unsolicited. To reach us anyway see https://help.example/why?x=1 Ref. a1b2-c3d4 - gsmtp"),
        ("courier-delay.eml", "4.7.1", "451 4.7.1 Greylisted, please try again in 300 seconds"),
        ("courier-unknown.eml", "5.1.1", "550 5.1.1 <unknown-courier@customer.example>: Recipient address rejected: User unknown in virtual mailbox table"),
        ("opensmtpd-unknown.eml", "5.1.1", "550 5.1.1 <unknown-opensmtpd@customer.example>: Recipient address rejected: User unknown in virtual mailbox table"),
        ("dovecotquota-ok.eml", "5.2.2", "Quota exceeded (mailbox for user is full)"),
        ("dovecotrej-ok.eml", "5.7.1", "I do not want mail from shops. Zoë"),
        ("cyrusrejb-ok.eml", "5.7.1", "Ich möchte keine Werbung bekommen."),
        ("sendmail-delay.eml", "4.7.1", "451 4.7.1 Greylisted, please try again in 300 seconds"),
        ("exim-delay2.eml", "4.7.1", "451 4.7.1 Greylisted, please try again in 300 seconds: retry timeout exceeded"),
        ("mailmanrej-ok.eml", "5.7.1", "The message is not from a list member"),
    ],
)  # fmt: skip
def test_reasons_are_for_people_and_the_more_specific_status_wins(file: str, status: str, reason: str) -> None:
    bounce = kind_of(file).bounce
    assert bounce is not None
    (one,) = bounce.recipients
    assert (one.status, one.reason) == (status, reason)


def report(said: str, fields: str, original: str = "To: jo@customer.example\n", subject: str = "Report") -> bytes:
    """A formal report: the notice, the fields of its recipients, and more of the header of our mail."""
    return (
        f"From: MAILER-DAEMON@mx.front.example\nTo: support@acme.example\nSubject: {subject}\n"
        "Date: Tue, 24 Nov 2026 12:00:00 +0000\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\n\n{said}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.front.example\n\n{fields}\n"
        f"--b\nContent-Type: message/rfc822\n\n{original}Message-ID: <m1.tok@acme.example>\n\nHi\n--b--\n"
    ).encode()


def judged(said: str, fields: str, original: str = "To: jo@customer.example\n") -> tuple[BouncedRecipient, ...]:
    bounce = classify(read(report(said, fields, original)), "").bounce
    assert bounce is not None
    return bounce.recipients


JO = "Final-Recipient: rfc822; jo@customer.example\n"
DELAYED = JO + "Action: delayed\nStatus: {}\n"


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("jo@customer.example: Envelope expired", DELAYED.format("4.4.7")),
        ("jo@customer.example: Envelope expired\n\nThe message is kept in the queue for up to 7 days.", DELAYED.format("4.0.0")),
        ("<jo@customer.example>:\nI'm not going to try again; this message has been in the queue too long.", DELAYED.format("4.4.1")),
        ("Your message to jo@customer.example: the message has expired.", DELAYED.format("4.4.7")),
        ("<jo@customer.example>: retry timeout exceeded", DELAYED.format("4.4.1")),
        ("We have given up on <jo@customer.example>.", DELAYED.format("4.0.0")),
        ("Delivery to jo@customer.example gave up after 5 days", DELAYED.format("4.0.0")),
        ("<jo@customer.example>: No further delivery attempts will be made.", DELAYED.format("4.4.2")),
        ("This is the nullmailer delivery system.  The message attached below\nhas not been delivered:\n\n\t<jo@customer.example>\n", DELAYED.format("4.7.1")),
        ("<jo@customer.example>: message not delivered", DELAYED.format("4.4.1") + "Diagnostic-Code: x-local; queue lifetime exceeded\n"),
        ("<jo@customer.example>: no such user", DELAYED.format("5.1.1")),
        ("<jo@customer.example>: later", DELAYED.format("4.4.1") + "Will-Retry-Until: Mon, 23 Nov 2026 12:00:00 +0000\n"),
        ("<jo@customer.example>: greylisted", JO + "Action: failed\nStatus: 4.7.1\n"),
        ("jo@customer.example: Zustellung endgültig gescheitert, Nachricht verworfen", DELAYED.format("4.0.0")),
    ],
)  # fmt: skip
def test_a_final_loss_is_never_a_delay(said: str, fields: str) -> None:
    assert [one.action for one in judged(said, fields)] == ["failed"]


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("jo@customer.example: not yet", DELAYED.format("4.4.7")),
        ("Delivery to jo@customer.example has been delayed. Exchange will continue to try to deliver it.", DELAYED.format("4.4.7")),
        ("Your message to jo@customer.example was delayed. Eventually the software will give up, and the message will be returned to you.", DELAYED.format("4.0.0")),
        ("<jo@customer.example>: greylisted. It will be retried until it is 5 days old.", DELAYED.format("4.7.1")),
        ("The message to jo@customer.example has not expired yet; it expires in 3 days.", DELAYED.format("4.4.1")),
        ("If it cannot be delivered to jo@customer.example before the message expired, it is deleted.", DELAYED.format("4.4.1")),
        ("<jo@customer.example>: later", DELAYED.format("4.4.1") + "Will-Retry-Until: Fri, 27 Nov 2026 12:00:00 +0000\n"),
        ("jo@customer.example: it will be tried again for 3 days", DELAYED.format("5.4.1")),
    ],
)  # fmt: skip
def test_a_delay_stays_a_delay(said: str, fields: str) -> None:
    assert [one.action for one in judged(said, fields)] == ["delayed"]


def test_words_about_one_recipient_are_not_said_of_another() -> None:
    said = "list of recipients:\n\na@x.example: Envelope expired\nb@y.example: 451 4.7.1 Greylisted\n\nkept for 7 days"
    fields = "\n".join(
        f"Final-Recipient: rfc822; {who}\nAction: delayed\nStatus: 4.0.0\n" for who in ("a@x.example", "b@y.example")
    )
    first, second = judged(said, fields, "To: a@x.example, b@y.example\n")
    assert (first.action, first.reason) == ("failed", "Envelope expired")
    assert (second.action, second.status, second.reason) == ("delayed", "4.7.1", "451 4.7.1 Greylisted")


@pytest.mark.parametrize(
    ("status", "diagnostic", "wanted"),
    [
        ("5.0.0", "smtp; 550 5.1.1 no such user", "5.1.1"),
        ("5.1.1", "smtp; 550 no such user", "5.1.1"),
        ("5.1.1", "smtp; 550 5.0.0 no such user", "5.1.1"),
        ("5.2.2", "smtp; 552 5.7.1 no", "5.2.2"),
        ("4.3.0", "smtp; 451 4.7.1 Greylisted", "4.7.1"),
        ("5.3.0", "x-unix; user unknown", "5.1.1"),
    ],
)
def test_the_more_specific_of_two_codes_wins(status: str, diagnostic: str, wanted: str) -> None:
    (one,) = judged("It failed.", f"{JO}Action: failed\nStatus: {status}\nDiagnostic-Code: {diagnostic}\n")
    assert one.status == wanted
    assert status in bounce_statuses(classify(read(report("x", f"{JO}Action: failed\nStatus: {status}\n"))).bounce)


@pytest.mark.parametrize(
    ("said", "diagnostic", "wanted"),
    [
        ("It failed.", "smtp; 550", "There is no such address."),
        ("It failed.", "smtp; 550 5.1.1", "There is no such address."),
        ("It failed.", "smtp;550-5.1.1 No such\n user. 550-5.1.1 Ask. 550 5.1.1 x1y - gsmtp", "550 5.1.1 No such user. Ask. x1y - gsmtp"),
        ("<jo@customer.example>: user has moved away", "smtp; 550 5.1.1", "user has moved away"),
        ("<jo@customer.example>: user has moved away", "", "user has moved away"),
        ("<jo@customer.example>: host mx.customer.example[192.0.2.1] said: 550 5.1.1 gone (in reply to RCPT TO command)", "", "550 5.1.1 gone"),
        ("  jo@customer.example\n    SMTP error from remote mail server after RCPT TO:<jo@customer.example>:\n    host mx.customer.example [192.0.2.1]: 550 5.1.1 gone", "", "550 5.1.1 gone"),
    ],
)  # fmt: skip
def test_a_reason_is_never_a_bare_code(said: str, diagnostic: str, wanted: str) -> None:
    code = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    (one,) = judged(said, f"{JO}Action: failed\nStatus: 5.1.1\n{code}")
    assert one.reason == wanted


def test_the_recipient_that_our_mail_had_is_the_one_reported() -> None:
    fields = (
        "Original-Recipient: rfc822; jo@inner.example\nFinal-Recipient: rfc822; jo@customer.example\nAction: failed\n"
    )
    assert judged("x", fields)[0].recipient == "jo@customer.example"
    assert judged("x", fields, "To: jo@inner.example\n")[0].recipient == "jo@inner.example"
    assert judged("x", fields, "To: list@customer.example\n")[0].recipient == "jo@inner.example"


def test_a_report_without_from_to_and_subject_is_read() -> None:
    whole = report("x", f"{JO}Action: failed\nStatus: 5.1.1\n")
    bare = whole.split(b"\n", 3)[3]
    assert bare.startswith(b"Date:")
    bounce = classify(read(bare), "").bounce
    assert bounce is not None
    assert (bounce.original_message_id, bounce.recipients[0].recipient) == (
        "m1.tok@acme.example",
        "jo@customer.example",
    )
    words = b"Date: Tue, 24 Nov 2026 12:00:00 +0000\n\nYour mail could not be delivered: 550 5.1.1 <jo@customer.example> unknown\n\n--- Below this line is a copy of the message.\n\nMessage-ID: <m1.tok@acme.example>\nTo: jo@customer.example\n\nHi\n"  # fmt: skip
    worded = classify(read(words), "").bounce
    assert worded is not None
    assert worded.original_message_id == "m1.tok@acme.example"


def refusal(sender: str, subject: str, said: str, *more: str, carries: bool = True) -> Kind:
    head = "\n".join([f"From: {sender}", "To: support@acme.example", f"Subject: {subject}", *more])
    copy = (
        "--b\nContent-Type: message/rfc822\n\nFrom: support@acme.example\nTo: team@lists.example\n"
        "Message-ID: <m1.tok@acme.example>\nSubject: Re: Order\n\nHi\n"
    )
    raw = f'{head}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\n{said}\n{copy if carries else ""}--b--\n'
    return classify(read(raw.encode()))


LIST = ("List-Id: <team.lists.example>", "Precedence: bulk")


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("team-owner@lists.example", "Your message to the Team mailing-list was rejected for the following\nreasons:\n\nThe message is not from a list member\n\nThe original message as received by Mailman is attached."),
        ("team-bounces@lists.example", "Your request to the Team mailing list\n\n    Posting of your message titled \"Re: Order\"\n\nhas been rejected by the list moderator.  The moderator gave the\nfollowing reason for rejecting your request:\n\n\"Members only\""),
        ("team+noreply@lists.example", "Your message to the group was rejected. You may not have permission to post messages to the group."),
    ],
)  # fmt: skip
def test_a_lists_refusal_is_a_bounce_although_it_has_the_lists_fields(sender: str, said: str) -> None:
    bounce = refusal(sender, "Re: Order", said, *LIST).bounce
    assert bounce is not None
    assert bounce.original_message_id == "m1.tok@acme.example"
    assert [one.recipient for one in bounce.recipients] == ["team@lists.example"]
    assert bounce.recipients[0].action == "failed"


def test_a_post_that_speaks_of_a_refusal_and_a_held_post_are_no_bounce() -> None:
    said = "Your message to the bank was rejected for the following reasons: none. See attached."
    assert refusal("Ann <ann@example.org>", "Re: Order", said, *LIST).bounce is None
    assert refusal("Ann <ann@example.org>", "Re: Order", said).bounce is None
    held = "Your mail to 'team@lists.example' is being held until the list moderator can review it for approval."
    assert (
        refusal("team-bounces@lists.example", "Your message awaits moderator approval", held, *LIST, carries=False)
    ).bounce is None


_WORD = st.text(alphabet="ab 5.10-;:<>@\n[]()", max_size=300)


@given(_WORD, _WORD, st.sampled_from(["4.4.7", "5.0.0", "9", ""]), st.sampled_from(["failed", "delayed", "x", ""]))
def test_any_report_has_a_reason_and_an_end(said: str, diagnostic: str, status: str, action: str) -> None:
    code = " ".join(diagnostic.split())
    for one in judged(said, f"{JO}Action: {action}\nStatus: {status}\nDiagnostic-Code: {code}\n"):
        assert one.action in ("failed", "delayed")
        assert one.reason
        assert len(one.reason) <= 500


@pytest.mark.parametrize("token", ["jo@customer.example: ", "<jo@customer.example>:\n", "550-5.7.1 a ", "expired ", ">>> a\n", "host a [1]: ", "reason:\n"])  # fmt: skip
def test_a_long_report_takes_linear_time(token: str) -> None:
    from time import process_time

    def seconds(size: int) -> float:
        raw = report(token * (size // len(token)), f"{JO}Action: failed\nDiagnostic-Code: smtp; {token * 100}\n")
        mail = read(raw)
        best = 9.0
        for _ in range(3):
            begun = process_time()
            classify(mail, "")
            best = min(best, process_time() - begun)
        return best

    assert seconds(1_000_000) < 0.3


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            r'smtp; MDA delivery failed: exit status 67 - "unknown@customer.example: no such \"user\" here\n"',
            'unknown@customer.example: no such "user" here',
        ),
        (
            'x-unix; Command died with status 77: "/usr/bin/maildrop -d ann". Command output: ERR: mailbox is locked',
            "ERR: mailbox is locked",
        ),
    ],
)
def test_the_words_of_a_delivering_program_are_the_reason_and_not_how_it_ended(said: str, reason: str) -> None:
    assert tidy(said) == reason
