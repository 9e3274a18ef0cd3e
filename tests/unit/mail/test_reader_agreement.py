"""Wherever the fast reader answers, the careful one says the same (property test)."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom_mail import Mail
from mailroom_mail.reading import careful, fast

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from ordinary_mails import ordinary_mails

CORPORA = Path(__file__).parents[4] / "shared" / "corpora"

_names = st.sampled_from(
    [
        "John Miller",
        "=?utf-8?q?J=C3=B6rg_M=C3=BCller?=",
        '"Miller, John"',
        "",
        "=?iso-8859-1?B?SvZyZw==?=",
        "O'Brien (x)",
    ]
)
_mailboxes = st.builds(
    lambda name, n: f"{name} <u{n}@mail.example>" if name else f"u{n}@mail.example", _names, st.integers(0, 99)
)
_subjects = st.sampled_from(
    [
        "Re: order 4711",
        "=?utf-8?q?R=C3=BCckfrage?= zu =?utf-8?q?gr=C3=B6=C3=9Fer?=",
        "",
        "a\r\n folded\r\n\tsubject",
        "=?x?q?a?=",
    ]
)
_texts = st.text(st.sampled_from("ab cde\n>. -=ßü<&begin"), max_size=200)
_charsets = st.sampled_from(["utf-8", "us-ascii", "iso-8859-1", "UTF-8", "windows-1252", "gb2312", "unknown"])
_newlines = st.sampled_from(["\r\n", "\n"])


@st.composite
def _leaf(draw: st.DrawFn, kind: str, extra: str = "") -> bytes:
    from base64 import encodebytes
    from quopri import encodestring

    charset, encoding = draw(_charsets), draw(st.sampled_from(["7bit", "8bit", "base64", "quoted-printable", "Base64"]))
    body = draw(_texts)
    if kind == "text/html":
        body = f"<html><body><p>{body}</p><div>x<br>y</div></body></html>"
    newline = draw(_newlines)
    data = body.replace("\n", newline).encode(draw(st.sampled_from(["utf-8", "cp1252"])), "replace")
    if encoding.lower() == "base64":
        data = encodebytes(data)
    elif encoding == "quoted-printable":
        data = encodestring(data)
    flowed = (
        draw(st.sampled_from(["", "; format=flowed", "; format=flowed; delsp=yes"])) if kind == "text/plain" else ""
    )
    head = f"Content-Type: {kind}; charset={charset}{flowed}\nContent-Transfer-Encoding: {encoding}\n{extra}\n"
    return head.encode() + data


def _join(kind: str, boundary: str, parts: list[bytes]) -> bytes:
    out = [f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\npreamble\n'.encode()]
    out += [f"--{boundary}\n".encode() + part + b"\n" for part in parts]
    return b"".join(out) + f"--{boundary}--\n".encode()


@st.composite
def mails(draw: st.DrawFn) -> bytes:
    """Mails between ordinary and slightly odd."""
    shape = draw(st.sampled_from(["plain", "html", "alternative", "related", "mixed", "odd"]))
    if shape == "plain":
        entity = draw(_leaf("text/plain"))
    elif shape == "html":
        entity = draw(_leaf("text/html"))
    else:
        entity = _join("alternative", "alt", [draw(_leaf("text/plain")), draw(_leaf("text/html"))])
        image = (
            b'Content-Type: image/png; name="a.png"\nContent-ID: <i@x>\nContent-Transfer-Encoding: base64\n'
            + draw(
                st.sampled_from(
                    [b"", b"Content-Disposition: inline; filename=a.png\n", b"Content-Location: http://x/b.png\n"]
                )
            )
            + b"\nQUJD\n"
        )
        if shape == "related":
            entity = _join("related", "rel", [draw(_leaf("text/html")), image])
        elif shape == "mixed":
            entity = _join("mixed", draw(st.sampled_from(["mix", "alt2", "al"])), [entity, image])
        elif shape == "odd":
            entity = _join("mixed", "mix", [draw(_leaf("text/plain")), draw(_leaf("text/plain")), image])
    head = [f"From: {draw(_mailboxes)}", f"To: {', '.join(draw(st.lists(_mailboxes, min_size=1, max_size=3)))}"]
    head += [f"Subject: {draw(_subjects)}", "Message-ID: <a@b>", "MIME-Version: 1.0"]
    head += [
        f"Date: {draw(st.sampled_from(['Mon, 23 Nov 2026 09:26:11 +0100', '23 Nov 2026 09:26 GMT', 'yesterday']))}"
    ]
    head += draw(
        st.lists(st.sampled_from(["X-A: b", "Cc: c@d", "References: <a@b>\n <c@d>", "Reply-To: r@s"]), max_size=3)
    )
    raw = "\n".join(line.replace("\r\n", "\n") for line in head).encode() + b"\n" + entity
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if draw(st.booleans()) else raw


def differences(one: Mail, other: Mail) -> dict[str, tuple[object, object]]:
    return {
        field.name: (getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(Mail)
        if getattr(one, field.name) != getattr(other, field.name)
    }


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(mails())
def test_fast_agrees_with_careful(raw: bytes) -> None:
    found = fast.read(raw)
    if found is not None:
        assert differences(found, careful.read(raw)) == {}


def test_fast_answers_for_ordinary_mails() -> None:
    for shape, raws in ordinary_mails().items():
        for raw in raws:
            found = fast.read(raw)
            assert found is not None, shape
            assert differences(found, careful.read(raw)) == {}, shape


@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"../shared is not here ({CORPORA})")
def test_fast_agrees_with_careful_on_real_mails() -> None:
    answered = 0
    for path in sorted(CORPORA.glob("*/*.eml")):
        raw = path.read_bytes()
        found = fast.read(raw)
        if found is not None:
            answered += 1
            assert differences(found, careful.read(raw)) == {}, path.name
    assert answered > 100
