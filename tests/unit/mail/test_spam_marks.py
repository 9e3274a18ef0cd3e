"""What a filter said: its marks in the header and in the subject, and the original within its report."""

from __future__ import annotations

from pathlib import Path

import pytest
from mailroom_mail import classify, identity, read, strip_subject, without_spam_mark

FILTERS = Path(__file__).parents[4] / "shared" / "filters" / "cases"
with_shared = pytest.mark.skipif(not FILTERS.is_dir(), reason=f"../shared is not here ({FILTERS})")


def flagged(*fields: str) -> bool:
    return classify(read("\r\n".join(["From: a@b.example", *fields, "", "x"]).encode())).is_spam_flagged


@pytest.mark.parametrize(
    "field",
    ["X-Spam-Flag: YES", "X-Spam: Yes", "x-spam: yes", "X-Spam-Status: Yes, score=7.60", "Subject: *** SPAM *** Money",
     "Subject: *****SPAM***** Re: Money", "Subject: [SPAM] Money", "Subject: {Spam?} Money", "Subject: [***SPAM***] x"],
)  # fmt: skip
def test_marks(field: str) -> None:
    assert flagged(field)


@pytest.mark.parametrize(
    "field",
    ["X-Spam-Flag: NO", "X-Spam: no", "X-Spam-Status: No, score=2.1", "X-Spam-Level: **", "X-Spam-Report: Yes", "Subject: Re: *** SPAM *** x",
     "Subject: Spam in my inbox", "Subject: ***", "Subject: [support] spam", "Subject:"],
)  # fmt: skip
def test_no_marks(field: str) -> None:
    assert not flagged(field)


def test_a_mark_does_not_stay_in_subjects() -> None:
    assert without_spam_mark("*** SPAM *** [SPAM] Größe 42") == "Größe 42"
    assert without_spam_mark("Spam, spam and eggs") == "Spam, spam and eggs"
    assert strip_subject("Re: *****SPAM***** AW: Größe  42") == "Größe 42"
    assert strip_subject("[SPAM]" * 100)


@with_shared
@pytest.mark.parametrize("name", ["reply", "auto", "utf"])
@pytest.mark.parametrize("report", ["1", "2"])
def test_the_original_in_a_report_of_spamassassin_is_read(name: str, report: str) -> None:
    folder = FILTERS / "4-report-safe"
    plain = read((folder / f"out-0-{name}.eml").read_bytes())
    mail = read((folder / f"out-{report}-{name}.eml").read_bytes())
    assert mail.text == plain.text
    assert mail.html == plain.html
    assert [one.filename for one in mail.attachments] == [one.filename for one in plain.attachments]
    assert [box.email for box in mail.reply_to] == [box.email for box in plain.reply_to]
    assert mail.subject == without_spam_mark(plain.subject)
    assert bool(mail.references) == bool(plain.references)
    kind = classify(mail)
    assert kind.is_spam_flagged
    assert kind.automatic_signs == classify(plain).automatic_signs
    assert mail.header("received"), "how it came here stays"


@with_shared
def test_a_report_is_the_same_mail_as_what_it_reports() -> None:
    folder = FILTERS / "4-report-safe"
    went_in, came_out = ((folder / name).read_bytes() for name in ("in-1-reply.eml", "out-1-reply.eml"))
    assert identity(read(went_in), went_in) == identity(read(came_out), came_out)


def test_what_only_looks_like_a_report_is_read_as_it_stands() -> None:
    inner = "Content-Type: message/rfc822; x-spam-type=original\r\n\r\nFrom: c@d.example\r\n\r\ninner\r\n"
    head = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    body = f"\r\n--b\r\nContent-Type: text/plain\r\n\r\nouter\r\n--b\r\n{inner}--b--\r\n"
    sender = read((head + body).encode()).from_
    assert sender is not None
    assert sender.email == "a@b.example", "no filter has marked it"
    twice = body.replace("--b--", f"--b\r\n{inner}--b--")
    assert read((head + "X-Spam-Flag: YES\r\n" + twice).encode()).text.startswith("outer")
