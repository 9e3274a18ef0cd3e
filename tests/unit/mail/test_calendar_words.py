"""Calendar objects in words: invitations, changes, cancellations, and who answered what with which comment."""

from __future__ import annotations

import time

import pytest
from mailroom_mail import Mail, extract_reply, html_to_text, read
from mailroom_mail.reading import calendar_entry, invitation

from .real_mail import case

HEAD = b"From: Kim <kim@example.org>\r\nTo: support@acme.example\r\nSubject: Answer\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"


def calendar(
    method: str, state: str = "ACCEPTED", more: str = "", who: str = "kim@example.org", inner_method: str | None = None
) -> bytes:
    return (
        f"BEGIN:VCALENDAR\r\nMETHOD:{method if inner_method is None else inner_method}\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nSUMMARY:Visit\\, second\r\n"
        f'ATTENDEE;CN="Kim; Müller";PARTSTAT={state}:mailto:{who}\r\nORGANIZER:mailto:support@acme.example\r\nDTSTART:20261203T090000Z\r\nDTEND:20261203T100000Z\r\n'
        f"DESCRIPTION:We look at the machine.\r\nLOCATION:Your office\r\n{more}BEGIN:VALARM\r\nDESCRIPTION:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def mail(content: bytes, method: str, text: str | None = None, html: str | None = None) -> Mail:
    part = f"Content-Type: text/calendar; charset=utf-8; method={method}; name=cal.ics\r\n\r\n".encode() + content
    if text is None and html is None:
        return read(HEAD + part)
    parts = [
        f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n{body}".encode()
        for kind, body in (("plain", text), ("html", html))
        if body is not None
    ]
    return read(
        HEAD
        + b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        + b"".join(b"--b\r\n" + one + b"\r\n" for one in (*parts, part))
        + b"--b--\r\n"
    )


ANSWERS = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentatively accepted",
    "DELEGATED": "delegated",
    "NEEDS-ACTION": "names this time",
}
COMMENT = "COMMENT:Not sure yet\\, could it be\r\n  14:00?\\nKim\r\n"


@pytest.mark.parametrize("state", list(ANSWERS))
@pytest.mark.parametrize(
    "text", [None, "", "Invitation answer attached.", "Summary: Visit, second\nDetails:\nWe look at the machine.\n"]
)
def test_an_answer_says_who_answered_what_and_the_comment(state: str, text: str | None) -> None:
    read_mail = mail(calendar("REPLY", state, COMMENT), "reply", text)
    reply = extract_reply(read_mail).text
    assert reply.startswith(
        f"Kim; Müller {'has given no answer yet and ' if state == 'NEEDS-ACTION' else ''}{ANSWERS[state]}"
    )
    assert "Visit, second" in reply
    assert "\nNot sure yet, could it be 14:00?\nKim\n" in reply
    assert "When: 2026-12-03 09:00 UTC" in reply
    assert "We look at the machine" not in reply
    assert "attached" not in reply
    assert [one.filename for one in read_mail.attachments] == ["cal.ics"]


def test_words_typed_beside_an_answer_stay() -> None:
    found = mail(calendar("REPLY"), "REPLY", "I will be five minutes late.", "<p>I will be five minutes late.</p>")
    assert "Kim; Müller accepted" in found.text
    assert "I will be five minutes late." in found.text
    assert "I will be five minutes late." in (found.html or "")
    assert "accepted" in html_to_text(found.html or "")


@pytest.mark.parametrize(("method", "inner"), [("request", "REPLY"), ("reply", ""), ("REPLY", "REPLY")])
def test_neither_method_is_trusted_alone(method: str, inner: str) -> None:
    assert "declined" in mail(calendar("REPLY", "DECLINED", inner_method=inner), method).text


def test_proposals_and_answers_for_others() -> None:
    assert (
        "Kim; Müller proposes another time, tentatively accepted"
        in mail(calendar("COUNTER", "TENTATIVE"), "COUNTER").text
    )
    assert "Kim; Müller (by kim@example.org) accepted" in mail(calendar("REPLY", who="boss@example.org"), "REPLY").text
    assert "does not take the other time" in mail(calendar("DECLINECOUNTER"), "DECLINECOUNTER").text


def test_changes_and_cancellations_say_so() -> None:
    cancelled = mail(calendar("CANCEL", more="SEQUENCE:1\r\n"), "CANCEL", "Sorry, I am ill.")
    assert cancelled.text.startswith("Cancelled: Visit, second\n")
    assert "Sorry, I am ill." in cancelled.text
    assert mail(calendar("REQUEST", more="SEQUENCE:2\r\n"), "REQUEST").text.startswith("Changed: Visit, second\n")
    assert mail(calendar("PUBLISH", more="STATUS:CANCELLED\r\n"), "PUBLISH").text.startswith("Cancelled: ")


def test_an_invitation_beside_words_leaves_them_alone() -> None:
    assert (
        mail(calendar("REQUEST", more="SEQUENCE:0\r\n"), "request", "You are invited").text.strip() == "You are invited"
    )
    alone = mail(calendar("REQUEST"), "request").text
    assert "We look at the machine." in alone
    assert "alarm" not in alone


def test_lines_folded_within_a_character() -> None:
    data = calendar("REPLY", more="COMMENT:Größe\r\n").replace("Gr\u00f6".encode(), b"Gr\xc3\r\n \xb6")
    assert "Größe" in mail(data, "REPLY").text


def test_zones_days_and_durations() -> None:
    told = invitation.tell(
        b"BEGIN:VEVENT\nSUMMARY:x\nDTSTART;TZID=Europe/Berlin:20261203T090000\nDURATION:PT1H30M\n", None, "", ""
    )
    assert told is not None
    assert told.text == "x\nWhen: 2026-12-03 09:00 (Europe/Berlin)\nLasts: 1 hours 30 minutes\n"
    day = invitation.tell(b"BEGIN:VTODO\nSUMMARY:x\nDTSTART;VALUE=DATE:20261203\n", None, "", "")
    assert day is not None
    assert day.text == "x\nWhen: 2026-12-03\n"
    assert invitation.tell(b"no calendar", None, "", "") is None


@pytest.mark.parametrize("data", [b"BEGIN:VEVENT\n" * 100_000, b"BEGIN:VEVENT\nATTENDEE" + b";A=B" * 100_000, b"BEGIN:VEVENT\nA" + b';B="' * 100_000, b"BEGIN:VEVENT\nSUMMARY:" + b"\\n" * 200_000, b"\n " * 200_000], ids=lambda one: repr(one[:9]))  # fmt: skip
def test_time_is_linear(data: bytes) -> None:
    start = time.process_time()
    calendar_entry.read(data, None)
    invitation.tell(data, None, "REPLY", "a@b")
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("kmail-tentative.eml", ["tentatively", "Thursday may be a holiday here; could it be 14:00?"]), ("kmail-decline.eml", ["declined"]), ("kmail-accept.eml", ["accepted"]),
        ("kmail-counter.eml", ["names this time", "14:00 UTC"]), ("evolution-tentative.eml", ["tentatively"]), ("evolution-decline.eml", ["declined", "could it be 14:00?"]),
    ],
)  # fmt: skip
def test_real_answers(file: str, words: list[str]) -> None:
    reply = extract_reply(case("desktop/cases/1-calendar-answer-words", file)).text
    assert all(word in reply for word in ["Kim Müller", "Visit of our engineer", *words])
    assert "We look at the machine" not in reply


def test_cases_of_other_products() -> None:
    invited = case("cases/18-calendar", "invite-only.eml")
    for word in ("Router installation, second floor", "2026-03-10 14:00", "Room 2.14", "https://meet.example.org/j/77"):
        assert word in invited.text
    assert [one.filename for one in invited.attachments] == ["invitation.ics"]
    assert case("cases/18-calendar", "proton.eml").text.strip() == "You are invited"
    assert "accepted" in case("cases/18-calendar", "accepted.eml").text
