"""Which defects a person is told of: those by which something was lost, or read by guessing."""

from __future__ import annotations

from mailroom_mail import in_doubt, read

from .real_mail import expectations, mail_of

HEAD = b"From: Kim <kim@example.org>\r\nSubject: x\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"


def doubts(rest: bytes) -> list[str]:
    return in_doubt(read(HEAD + rest).defects)


def test_what_was_read_as_it_was_meant_is_not_told() -> None:
    name = b'Content-Type: application/pdf; name="=?utf-8?Q?Gr=C3=B6=C3=9Fe.pdf?="\r\n\r\nx'
    assert read(HEAD + name).defects == ("encoded-word-in-parameter",)
    assert doubts(name) == []
    assert doubts("Content-Type: text/plain\r\n\r\nGröße".encode()) == []
    assert doubts("X-Name: Größe\r\n\r\nx".encode()) == []


def test_what_was_lost_or_guessed_is_told() -> None:
    assert doubts(b"Content-Transfer-Encoding: base64\r\nContent-Type: application/pdf\r\n\r\n!!!A") != []
    assert doubts("Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xf6\xdfe".encode("latin-1")) == [
        "charset-wrong:utf-8"
    ]
    assert doubts(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nno end") == ["unclosed-multipart"]
    assert doubts("X-Name: Größe\r\n\r\nx".encode("latin-1")) == ["8bit-header-not-utf8"]


def test_real_programs_write_no_mail_that_is_in_doubt() -> None:
    rows = [(folder, parameter.values[0]) for folder in ("programs", "webmail") for parameter in expectations(folder)]
    assert [row["file"] for folder, row in rows if row and in_doubt(mail_of(folder, row).defects)] == []
