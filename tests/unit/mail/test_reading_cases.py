"""Single rules of the reader, each with the mail that needs it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mailroom_mail import Mailbox, read
from mailroom_mail.reading import addresses, careful, charsets, dates, encoded_words, parameters
from mailroom_mail.showing.rendering import to_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("a@b.example", [("a@b.example", "")]),
        ('"Miller, John" <j@x.example>, b@x.example', [("j@x.example", "Miller, John"), ("b@x.example", "")]),
        ("Miller, John <j@x.example>", [("j@x.example", "Miller, John")]),
        ("a@b.example; c@d.example", [("a@b.example", ""), ("c@d.example", "")]),
        (
            "Team: a@b.example, c@d.example; e@f.example",
            [("a@b.example", ""), ("c@d.example", ""), ("e@f.example", "")],
        ),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?Q?Doe, John?= <j@x.example>", [("j@x.example", "Doe, John")]),
        ('"=?utf-8?q?J=C3=B6rg?=" <j@x.example>', [("j@x.example", "Jörg")]),
        ("=?utf-8?q?J=C3=B6rg_=3Cj=40x=2Eexample=3E?=", [("j@x.example", "Jörg")]),
        ("John <j@x.example", [("j@x.example", "John")]),
        ('"John <j@x.example>', [("j@x.example", "John")]),
        ("j@x.example (John)", [("j@x.example", "John")]),
        ("<@r1.example,@r2.example:j@x.example>", [("j@x.example", "")]),
        ('"a b"@x.example', [('"a b"@x.example', "")]),
        ("John Doe j@x.example", [("j@x.example", "John Doe")]),
        ("jörg@bücher.example", [("jörg@bücher.example", "")]),
        ("<mailto:j@x.example>", [("j@x.example", "")]),
        ("pete(his account)@silly.test(his host)", [("pete@silly.test", "his account his host")]),
    ],
)
def test_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(box.email, box.name) for box in addresses.parse(value, [])] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?q?gr=C3=B6?= =?utf-8?q?=C3=9Fer?=", "größer"),
        ("=?utf-8?b?w7Y=?= x =?iso-8859-1?q?=E4?=", "ö x ä"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "ö"),  # a character split over two words
        ("=?UTF-8*de?Q?=C3=B6?=", "ö"),
        ("=?utf-8?q?a b?c?=", "a b?c"),
        ("=?gb2312?b?xOO6ww==?=", "你好"),
        ("=?shift_jis?b?k/qWe4zq?=", "日本語"),
        ("=?iso-8859-1?q?=80?=", "€"),
        ("=?utf-8?q?cut_o=C3=B6", "cut oö"),
        ("=?nonsense?q?=C3=B6?=", "ö"),
        ("plain =? text", "plain =? text"),
    ],
)
def test_encoded_words(value: str, expected: str) -> None:
    assert encoded_words.decode(value, []) == expected


@pytest.mark.parametrize(
    ("data", "label", "expected", "defect"),
    [
        ("größer".encode(), "iso-8859-1", "größer", "charset-wrong:iso-8859-1"),
        ("größer".encode("cp1252"), "utf-8", "größer", "charset-wrong:utf-8"),
        ("größer „so“".encode("cp1252"), "iso-8859-1", "größer „so“", None),
        ("größer".encode(), None, "größer", "charset-missing"),
        ("größer".encode("cp1252"), "us-ascii", "größer", "charset-wrong:us-ascii"),
        (
            "你好，世界。我们今天收到了您的邮件".encode("gbk"),
            "x-none",
            "你好，世界。我们今天收到了您的邮件",
            "charset-unknown:x-none",
        ),
        (
            "お世話になっております。添付のファイルを".encode("shift_jis"),
            None,
            "お世話になっております。添付のファイルを",
            "charset-missing",
        ),
        (
            "お世話になっております。添付のファイルを".encode("iso2022_jp"),
            None,
            "お世話になっております。添付のファイルを",
            None,
        ),
        (
            "Здравствуйте, получил ваше письмо".encode("koi8-r"),
            None,
            "Здравствуйте, получил ваше письмо",
            "charset-missing",
        ),
        (
            "Здравствуйте, получил ваше письмо".encode("cp1251"),
            "unknown-8bit",
            "Здравствуйте, получил ваше письмо",
            "charset-unknown:unknown-8bit",
        ),
        ("안녕하세요 메일을 보냅니다".encode("euc-kr"), None, "안녕하세요 메일을 보냅니다", "charset-missing"),
        (b"1 +AOQ- 2", "utf-7", "1 ä 2", None),
        ("Köln".encode("mac_roman"), "macintosh", "Köln", None),
        ("x".encode("utf-16"), "utf-16", "x", None),
    ],
)
def test_charsets(data: bytes, label: str | None, expected: str, defect: str | None) -> None:
    defects: list[str] = []
    assert charsets.decode(data, label, defects) == expected
    if defect:
        assert defects == [defect]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=This is a test.txt", "This is a test.txt"),
        ("attachment; filename*=utf-8''%E2%82%AC%20rates.pdf", "€ rates.pdf"),
        ("attachment; filename*0*=utf-8''%C3%A4; filename*1=\"b c\"; filename*2*=%C3%B6.txt", "äb cö.txt"),
        ("attachment; filename*1=world.txt; filename*0=hello-", "hello-world.txt"),
        ("attachment; filename==?utf-8?b?w6QucGRm?=", "ä.pdf"),
        ('attachment; filename="=?utf-8?q?=C3=A4?=\t=?utf-8?q?=C3=B6=2Epdf?="', "äö.pdf"),
        ("attachment; filename=utf-8''%C3%A4.pdf", "ä.pdf"),
        ('attachment; filename="C:\\dir\\file.txt"', "C:\\dir\\file.txt"),
        ('attachment; filename="say \\"hi\\".txt"', 'say "hi".txt'),
        ("attachment; filename=fallback.txt; filename*=utf-8''%C3%A4.txt", "ä.txt"),
    ],
)
def test_file_names(value: str, expected: str) -> None:
    disposition = parameters.disposition(value, [])
    assert parameters.filename(disposition, parameters.Value("text/plain", {})) == expected


@pytest.mark.parametrize("name", ["=?", "=?=", "=? ?=", "what=?.txt"])
def test_a_file_may_be_called_what_looks_like_an_encoded_word(name: str) -> None:
    defects: list[str] = []
    disposition = parameters.disposition(f'attachment; filename="{name}"', defects)
    assert parameters.filename(disposition, parameters.Value("text/plain", {})) == name
    assert defects == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 23 Nov 2026 09:26:11 +0000", datetime(2026, 11, 23, 9, 26, 11, tzinfo=UTC)),
        ("23 Nov 2026 10:26 +0100 (CET)", datetime(2026, 11, 23, 9, 26, tzinfo=UTC)),
        ("2026-11-23T09:26:11Z", datetime(2026, 11, 23, 9, 26, 11, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 04:26:11 EST", datetime(2026, 11, 23, 9, 26, 11, tzinfo=UTC)),
        ("Mon Nov 23 09:26:11 2026", datetime(2026, 11, 23, 9, 26, 11, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 99 Nov 2026 99:26:11 +0000", None),
    ],
)
def test_dates(value: str, expected: datetime | None) -> None:
    assert dates.parse(value, []) == expected


HEAD = b"From: a@x.example\r\nDate: Mon, 23 Nov 2026 09:26:11 +0000\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n"


def test_flowed_text() -> None:
    mail = read(
        HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\nOne long \r\nline\r\n> quoted \r\n> on\r\n-- \r\nme\r\n"
    )
    assert mail.text == "One long line\n> quoted on\n-- \nme\n"


def test_uuencoded_file_in_text() -> None:
    mail = read(HEAD + b"\r\nsee this\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\nbye\r\n")
    assert mail.text == "see this\nbye\n"
    assert [(a.filename, a.content) for a in mail.attachments] == [("a.txt", b"Cat")]


def test_several_text_parts_and_footer() -> None:
    raw = HEAD + (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\none\r\n"
        b"--x\r\nContent-Type: image/png; name=p.png\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"
        b"--x\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--x--\r\n"
    )
    mail = read(raw)
    assert mail.text == "one\n\ntwo\n"
    assert [a.filename for a in mail.attachments] == ["p.png"]


@pytest.mark.parametrize("newline", [b"\r", b"\n", b"\r\n", b"\r\r\n"])
def test_line_ends(newline: bytes) -> None:
    mail = read((HEAD + b"Subject: s\r\n\r\none\r\ntwo\r\n").replace(b"\r\n", newline))
    assert mail.subject == "s"
    assert [line for line in mail.text.split("\n") if line] == ["one", "two"]


def test_unclosed_and_misnamed_boundaries() -> None:
    body = b"--y\r\nContent-Type: text/plain\r\n\r\nhello\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n"
    mail = read(HEAD + b"Content-Type: multipart/alternative; boundary=z\r\n\r\n" + body + b"--y--\r\n")
    assert mail.text == "hello"
    assert "wrong-boundary" in mail.defects
    mail = read(HEAD + b"Content-Type: multipart/alternative; boundary=y\r\n\r\n" + body)
    assert mail.text == "hello"
    assert "unclosed-multipart" in mail.defects


def test_body_without_blank_line() -> None:
    mail = read(b"From: a@x.example\r\nSubject: s\r\nHello, this is the body\r\nand more\r\n")
    assert mail.subject == "s"
    assert mail.text == "Hello, this is the body\nand more\n"
    assert "no-blank-line-after-header" in mail.defects


def test_bad_line_between_headers() -> None:
    mail = read(b"From: a@x.example\r\nthis is no header\r\nSubject: s\r\n\r\nbody")
    assert mail.subject == "s"
    assert "bad-header-line" in mail.defects


def test_raw_eight_bit_headers() -> None:
    mail = read("From: Jörg <j@x.example>\r\nSubject: größer\r\n\r\nx".encode("cp1252"))
    assert mail.from_ == Mailbox("j@x.example", "Jörg")
    assert mail.subject == "größer"


def test_message_attachment_is_kept_whole_and_wrapped_mail_is_opened() -> None:
    inner = b"From: b@x.example\r\nSubject: inner\r\n\r\nwords\r\n"
    raw = (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
        + inner
        + b"\r\n--x--\r\n"
    )
    mail = read(raw)
    assert mail.text == "see"
    assert [(a.content_type, a.content) for a in mail.attachments] == [("message/rfc822", inner)]
    assert read(HEAD + b"Content-Type: message/rfc822\r\n\r\n" + inner).text == "words\n"


def test_base64_in_pieces_and_damaged() -> None:
    for body, expected in ((b"QUI=\r\nQ0Q=\r\n", b"ABCD"), (b"QUJ!D", b"ABC"), (b"QUJDR", b"ABC")):
        mail = read(
            HEAD + b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
        )
        assert mail.attachments[0].content == expected


def test_text_that_only_claims_base64() -> None:
    mail = read(
        HEAD
        + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nThis is plainly text, is it not?\r\n"
    )
    assert mail.text == "This is plainly text, is it not?\n"
    assert "not-base64" in mail.defects


def test_references_and_ids() -> None:
    mail = read(HEAD + b"In-Reply-To: <a@b> (your mail)\r\nReferences: <x@y>\r\n <a\r\n @b>\r\n\r\nx")
    assert mail.in_reply_to == ("a@b",)
    assert mail.references == ("x@y", "a@b")
    assert careful.message_id("") is None
    assert careful.message_id("<>") is None


def test_html_as_text() -> None:
    html = (
        "<html><head><style>p{}</style></head><body><div style='display:none'>hidden</div><p>Hi <b>you</b>,</p>"
        "<ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table>"
        "<blockquote>said<br>before</blockquote><a href='https://x.example/a'>link</a></body></html>"
    )
    assert to_text(html) == "Hi you,\n\n- one\n- two\na\tb\n> said\n> before\nlink <https://x.example/a>"


def test_a_mistake_of_the_reader_loses_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: bytes) -> None:
        raise IndexError(raw)

    monkeypatch.setattr(careful, "read", broken)
    mail = read(b"\xff no mail at all")
    assert mail.defects == ("reader-failed:IndexError",)
    assert mail.attachments[0].content == b"\xff no mail at all"


def test_winmail_is_opened() -> None:
    def attribute(level: int, number: int, data: bytes) -> bytes:
        return bytes([level]) + number.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data + b"\0\0"

    tnef = b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x0002800C, b"the text\0")
    tnef += (
        attribute(2, 0x00069002, b"\0" * 14)
        + attribute(2, 0x00018010, b"a.txt\0")
        + attribute(2, 0x0006800F, b"content")
    )
    mail = read(HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\n" + tnef)
    assert mail.text == "the text"
    assert [(a.filename, a.content_type, a.content) for a in mail.attachments] == [("a.txt", "text/plain", b"content")]
    damaged = read(HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\nnothing of the kind")
    assert [a.filename for a in damaged.attachments] == ["winmail.dat"]
    assert "bad-tnef" in damaged.defects


def test_blank_text_beside_html_is_made_from_it() -> None:
    raw = HEAD + (
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n\r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>words</p>\r\n--x--\r\n"
    )
    assert read(raw).text == "words"


def test_parts_without_a_content_type_line() -> None:
    mail = read(HEAD + b"\r\n--abc\r\nContent-Type: text/plain\r\n\r\nhi\r\n--abc--\r\n")
    assert mail.text == "hi"
    assert "no-content-type" in mail.defects


def test_two_charsets_in_one_text() -> None:
    mail = read(HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\ngr\xc3\xb6\xc3\x9fer und gr\xf6ber\r\n")
    assert mail.text == "größer und gröber\n"
    assert mail.defects == ("charset-wrong:utf-8",)


def test_invitation_alone_is_told_in_words() -> None:
    event = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Review\\, second\r\nDTSTART;TZID=Europe/Berlin:20261124T090000\r\nLOCATION:Room\r\n  5\r\nEND:VEVENT\r\n"
    mail = read(HEAD + b"Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n" + event)
    assert mail.text == "Review, second\nWhen: 2026-11-24 09:00 (Europe/Berlin)\nWhere: Room 5\n"
    assert [a.content_type for a in mail.attachments] == ["text/calendar"]


def test_a_header_ends_at_its_first_empty_line_whatever_line_ends_follow() -> None:
    mail = careful.read(b"From: a@b.test\nDate: Mon, 23 Nov 2026 09:26:11 +0100\nMessage-ID: <a@b>\n\n\r\n<")
    assert (mail.text, mail.message_id) == ("\n<", "a@b")
