"""Headers as some programs write them; no header value may make a whole mail unreadable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_mail import classify, extract_reply, html_to_text, identity, read

FIELDS = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Return-Path",
    "Received",
    "Resent-From",
    "Resent-To",
    "Resent-Date",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-ID",
    "Content-Language",
    "Content-Location",
    "MIME-Version",
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "Precedence",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Mailroom-Id",
    "X-Original-To",
    "Delivered-To",
    "Thread-Index",
    "X-Failed-Recipients",
    "X-Spam-Flag",
    "X-Forwarded-Message-Id",
    "Authentication-Results",
    "ARC-Seal",
    "DKIM-Signature",
    "Disposition-Notification-To",
]
VALUES = [
    "", " ", "\0", "\x1b", "\x1b$B", "\x1b$B-!\x1b(B", "=?", "=?utf-8?B?", "=?utf-8?B?/////w==?=", "=?x?Q?=ff?=", "=?utf-16?B?2AA=?=", "=?utf-7?Q?+2AA-?=", "Mon, 01 Jan 0001 00:00:00 +1400", "Fri, 31 Dec 9999 23:59:59 -1200",
    "0001-01-01T00:00:00+14:00", "Mon, 31 Feb 2026 99:99:99 +9999", "Thu, 1 Jan 1970 00:00:00 +2400", "Mon, 30 Nov 0000 00:00:00 -0000", "1" * 400, "-" * 400, "9" * 5000, '"' * 300, "(" * 300, "<" * 300, "<>" * 100,
    ":;," * 100, "@", "<@>", "<a@>", "a@b@c", '""@""', "\ud800", "ｱ", "\u202e", "é" * 300, "text/plain; charset=\x00", "text/plain; charset=undefined", "text/html; charset=idna", "multipart/mixed; boundary=", "multipart/mixed; boundary=\"",
    "message/rfc822", "message/partial; id=x; number=1; total=999999999999", "application/pkcs7-mime", "application/ms-tnef", "text/calendar; method=REPLY", "multipart/encrypted", "multipart/signed; hp=clear", "base64", "x-uuencode", "quoted-printable",
    "attachment; filename*0*=%", "attachment; filename*=''%ff%fe", "attachment; filename*99999=x", "auto-replied; x=\"", "a=b; b=", "[1.2.3.4]", "%" * 300, "\\" * 300, "=" * 300,
]  # fmt: skip


def mail_with(name: str, value: str, *, instead: bool) -> bytes:
    fields = {
        "From": "Kim <kim@example.org>",
        "To": "support@acme.example",
        "Subject": "Order",
        "Date": "Tue, 24 Nov 2026 12:00:00 +0000",
        "Message-ID": "<a@b>",
    }
    if instead:
        fields.pop(name, None)
    head = "".join(f"{key}: {one}\r\n" for key, one in fields.items())
    return f"{head}{name}: {value}\r\n\r\nHello\r\n".encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", FIELDS)
def test_no_value_makes_a_mail_unreadable(name: str) -> None:
    for value in VALUES:
        for instead in (True, False):
            raw = mail_with(name, value, instead=instead)
            mail = read(raw)
            assert not any(one.startswith("reader-failed") for one in mail.defects), (value, mail.defects)
            if name != "Subject" or not instead:
                assert mail.subject == "Order", value
            if name not in ("From", "Reply-To", "Sender") or not instead:
                assert mail.from_ is not None, value
                assert mail.from_.email == "kim@example.org", value
            if not name.startswith("Content-"):
                assert mail.text.strip() == "Hello", value
            assert len(identity(mail, raw)) == 32
            classify(mail, "")
            extract_reply(mail)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FIELDS),
    st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")),
    st.booleans(),
)
def test_no_text_makes_a_mail_unreadable(name: str, value: str, instead: bool) -> None:
    raw = mail_with(name, value.replace("\r", "").replace("\n", ""), instead=instead)
    mail = read(raw)
    assert not any(one.startswith("reader-failed") for one in mail.defects)
    identity(mail, raw)
    classify(mail)
    extract_reply(mail)


def author(*lines: str) -> tuple[str, str] | None:
    mail = read(("\r\n".join(["Subject: x", *lines]) + "\r\n\r\nHello").encode())
    return None if mail.from_ is None else (mail.from_.name, mail.from_.email)


def test_the_author_is_the_first_with_an_address() -> None:
    assert author("From: ", "From: Kim <kim@x.example>") == ("Kim", "kim@x.example")
    assert author("From: Shop", "From: b@c.example", "From: d@e.example") == ("", "b@c.example")
    assert author("From: Kim", "Reply-To: kim@x.example") == ("Kim", "kim@x.example")
    assert author("Reply-To: Kim <kim@x.example>") == ("Kim", "kim@x.example")
    assert author("Sender: kim@x.example") == ("", "kim@x.example")
    assert author("From: a@b.example", "Reply-To: kim@x.example") == ("", "a@b.example")


@pytest.mark.parametrize("value", ["(Kim) <kim@x.example>", "<kim@x.example> (Kim)", "kim@x.example (Kim)", "(Kim) kim@x.example", '"" (Kim) <kim@x.example>'])  # fmt: skip
def test_a_comment_is_the_name_where_there_is_no_other(value: str) -> None:
    assert author(f"From: {value}") == ("Kim", "kim@x.example")


def test_a_line_that_is_no_field_is_passed_over_while_fields_follow() -> None:
    mail = read(b"From: a@b.example\r\nthis is no field\r\nX-Foo: bar\r\n baz\r\nSubject: hi\r\n\r\nHello")
    assert (mail.subject, mail.text) == ("hi", "Hello")
    assert read(b"From: a@b.example\r\nbroken\r\nFoo: 1\r\nBar: 2\r\n\r\nHello").text == "Hello"
    words = read(b"From: a@b.example\r\nHello there\r\nNote: this is text\r\nand more\r\n\r\nend")
    assert words.text.startswith("Hello there\nNote")


def test_encoded_words_in_ids() -> None:
    mail = read(b"From: a@b.example\r\nIn-Reply-To: =?utf-8?Q?=3Cabc=40d.example=3E?=\r\nReferences: =?utf-8?Q?=3Ca=40b=3E_=3Cabc=40d?=\r\n =?utf-8?Q?.example=3E?=\r\nMessage-ID: =?utf-8?B?PHhAeT4=?=\r\n\r\nx")  # fmt: skip
    assert (mail.in_reply_to, mail.references, mail.message_id) == (("abc@d.example",), ("a@b", "abc@d.example"), "x@y")


VERSIONS = ["text/x-amp-html", "text/watch-html", "text/enriched", "text/markdown", "text/x-unknown"]


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_versions_of_a_text_are_no_files(kind: str, place: int) -> None:
    parts = ["Content-Type: text/plain\r\n\r\nHello", "Content-Type: text/html\r\n\r\n<p>Hello</p>"]
    parts.insert(place, f"Content-Type: {kind}\r\n\r\n<bold>Other</bold>")
    head = 'From: a@b.example\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    mail = read((head + "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--").encode())
    assert (mail.text.strip(), (mail.html or "").strip(), mail.attachments) == ("Hello", "<p>Hello</p>", ())
    alone = read((head + f"--b\r\nContent-Type: {kind}\r\n\r\nOther\r\n--b--").encode())
    assert alone.text.strip() == "Other"


def test_brackets_in_attributes_and_texts_of_pictures() -> None:
    assert html_to_text('<p title="a < b">x</p>') == "x"
    assert html_to_text("<a title='1 < 2 > 0'>link</a> y") == "link y"
    assert html_to_text('<a href="http://x/?a<b">y</a>') == "y <http://x/?a<b>"
    assert html_to_text('<a href="x>text</a> <b class="y">z</b>').endswith("z")
    assert html_to_text('<p>Offers</p><img alt="stock_5520917733" src="x.png">') == "Offers"
    assert html_to_text('<img alt="Spring offers" src="x.png">') == "[Spring offers]"
