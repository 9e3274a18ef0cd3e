"""Nothing that is sent makes the reader raise, take long or grow: built shapes, mutated real mails, random bytes."""

from __future__ import annotations

import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom_mail import Mail, read, sanitize
from mailroom_mail.reading import careful, fast

sys.path.insert(0, str(Path(__file__).parent))
from mail_shapes import SHAPES

MAX_SECONDS = 2.0
MAX_GROWTH = 20  # times the input's size, beside 2 MB for the interpreter's own caches
_CASUAL = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


def check(mail: Mail) -> None:
    """What holds for every mail: the reader did not fail, its words can be stored as UTF-8 and hold no NUL."""
    assert not any(defect.startswith("reader-failed") for defect in mail.defects)
    for value in (mail.subject, mail.text, mail.html or "", *(a.filename or "" for a in mail.attachments)):
        value.encode("utf-8")
        assert "\0" not in value
    for boxes in (mail.to, mail.cc, mail.reply_to):
        for box in boxes:
            f"{box.name}{box.email}".encode()


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shape(name: str) -> None:
    raw = SHAPES[name]()
    start = time.process_time()  # the machine is shared: other processes' time is not ours
    mail = read(raw)
    assert time.process_time() - start < MAX_SECONDS
    check(mail)


@pytest.mark.parametrize(
    "name",
    [
        "many-headers",
        "many-parts",
        "nested-open",
        "addresses",
        "html-large",
        "html-lists",
        "references",
        "uuencode",
        "tnef-zeros",
        "encoded-words",
        "base64-junk",
    ],
)
def test_memory(name: str) -> None:
    raw = SHAPES[name]()
    read(b"From: a@b\n\nwarm")
    tracemalloc.start()
    try:
        read(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MAX_GROWTH * len(raw) + 2_000_000


_TOKENS = st.sampled_from(
    [
        b"From: ",
        b"To: ",
        b"Subject: ",
        b"Content-Type: ",
        b"multipart/mixed; boundary=",
        b"text/html",
        b"text/plain",
        b"; charset=",
        b"utf-8",
        b"gb2312",
        b"utf-7",
        b"iso-2022-jp",
        b"=?utf-8?q?",
        b"?=",
        b"=?",
        b"--",
        b"x",
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b'"',
        b"<",
        b">",
        b"@",
        b",",
        b";",
        b":",
        b"(",
        b")",
        b"\\",
        b"=",
        b"%41",
        b"*0*=",
        b"filename",
        b"Content-Disposition: attachment; ",
        b"Content-Transfer-Encoding: base64",
        b"quoted-printable",
        b"begin 644 a\n",
        b"end",
        b"message/rfc822",
        b"multipart/alternative",
        b"\x00",
        b"\xff\xfe",
        b"\x1b$B",
        b"\xe4",
        b"Date: Mon, 99 Foo 0000 99:99:99 +9999",
        b"application/ms-tnef",
        b"\x78\x9f\x3e\x22",
        b"<style>",
        b"<!--",
        b"&#0;",
        b"&#xd800;",
        b"<div style='display:none'>",
        b"</div>",
        b"<a href='",
        b"References: <",
        b"Message-ID: ",
    ]
)


@_CASUAL
@given(st.lists(_TOKENS, max_size=60).map(b"".join))
def test_tokens(raw: bytes) -> None:
    check(read(raw))
    check(careful.read(raw))


@_CASUAL
@given(st.binary(max_size=400))
def test_bytes(raw: bytes) -> None:
    check(read(raw))


_SEED = (
    b'From: =?utf-8?q?J=C3=B6rg?= <j@x.example>\r\nTo: a@b, "C, D" <c@d>\r\nSubject: =?iso-8859-1?B?SvZyZw==?=\r\n'
    b"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n'
    b"--c\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n\r\nHello \r\nyou\r\n--c\r\nContent-Type: text/html\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Hello=20<b>you</b></p>\r\n--c--\r\n--b\r\n"
    b"Content-Type: application/pdf; name*=utf-8''%C3%A4.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJDRA==\r\n--b--\r\n"
)


@_CASUAL
@given(
    st.lists(
        st.tuples(st.integers(0, len(_SEED) - 1), st.integers(0, 8), st.one_of(_TOKENS, st.binary(max_size=3))),
        max_size=8,
    )
)
def test_mutated(changes: list[tuple[int, int, bytes]]) -> None:
    raw = _SEED
    for position, length, insert in changes:
        raw = raw[:position] + insert + raw[position + length :]
    mail = read(raw)
    check(mail)
    found = fast.read(raw)
    assert found is None or found == careful.read(raw)
    if mail.html:
        sanitize(mail.html)
