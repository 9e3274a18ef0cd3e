"""HTML that agents and programs write: safe, its pictures with it, its text there, the signature put on and taken off."""

from __future__ import annotations

import base64
import string

from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.tickets.formatted import made_safe, with_signature, without_signature
from mailroom_mail import Mailbox, OutgoingMail, compose, sanitize

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n123").decode()


def test_strange_html_is_made_safe_and_its_pictures_are_taken_out() -> None:
    html = (
        f'<p onclick="x()">Hi <b>you</b><script>alert(1)</script><img src="data:image/png;base64,{PNG}" alt="a">'
        f'<img src="data:image/png;base64,{PNG}"><img src="cid:known@x"><img src="cid:unknown@x">'
        '<img src="data:image/svg+xml;base64,AAAA"><img src="https://acme.example/logo.png"></p>'
    )
    safe, pictures, text = made_safe(html, {"known@x": "cid:known@x"}, True)
    assert "script" not in safe
    assert "onclick" not in safe
    assert "data:" not in safe
    assert "unknown" not in safe
    assert 'src="cid:known@x"' in safe
    assert 'src="https://acme.example/logo.png"' in safe
    (picture,) = pictures  # the same one twice is sent once
    assert picture["content_base64"] == PNG
    assert (picture["filename"], picture["content_type"]) == ("picture-1.png", "image/png")
    assert safe.count(f"cid:{picture['content_id']}") == 2
    assert text.startswith("Hi you")


def test_text_that_stands_there_is_not_made() -> None:
    assert made_safe("<p>Hi</p>", {}, False)[2] == ""


def test_the_signature_goes_on_and_off() -> None:
    html = "<div>Words</div>"
    signed = with_signature(html, "Ana <b>\nAcme")
    assert signed.startswith(html)
    assert "-- <br>Ana &lt;b&gt;<br>" in signed
    assert without_signature(sanitize(signed).html) == html
    assert with_signature(html, " \n") == html
    assert without_signature(html) == html


@given(
    st.lists(
        st.sampled_from([*"<>\"'= /", "img", "src", "data:image/png;base64,", PNG, "cid:", "a@b", *string.hexdigits]),
        max_size=60,
    )
)
def test_nothing_gets_by(pieces: list[str]) -> None:
    """Whatever the HTML: no data: picture is left, and each picture that is named as ours is there."""
    safe, pictures, _ = made_safe("".join(pieces), {}, False)
    assert 'src="data:' not in safe
    assert all(f'src="cid:{p["content_id"]}"' in safe for p in pictures)


def test_history_and_signature_stand_in_both_bodies() -> None:
    from datetime import UTC, datetime

    from mailroom_mail import QuotedMail

    mail = OutgoingMail(
        message_id="a@b", from_=Mailbox("s@acme.example"), date=datetime(2026, 11, 30, tzinfo=UTC),
        to=(Mailbox("jo@c.example"),), text="Hi\n\n-- \nAna", html=with_signature("<div><b>Hi</b></div>", "Ana"),
        quote=QuotedMail(text="Where is it?"),
    )  # fmt: skip
    raw = compose(mail).decode()
    assert raw.count("Ana") == 2
    assert raw.count("Where is it?") == 2
    assert raw.index("text/plain") < raw.index("text/html")
