"""HTML of orders, whoever wrote the command: what leaves is safe, whole where it was safe before, and has a text beside it."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_console.tickets.formatted import made_safe, with_signature
from mailroom_contracts import Address, AttachmentRef, OutboundMail, Person
from mailroom_outbound import composing
from mailroom_outbound.composing import letter, safe_body
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.process.apart import NotDone

ADDRESS = Address(id="ad3", portal_id="p1", kind="smtp", email="shop@acme.example", full_name="Shop")
PNG = b"\x89PNG\r\n\x1a\n123"
HOSTILE = (
    '<p onclick="x()">Dear <b>Jo</b>,<script>x()</script></p><a href="javascript:x()">go</a><iframe src="https://evil.example"></iframe>'
    '<form action="https://evil.example"><input name="password"></form><img src="cid:logo@acme.example" onerror="x()">'
    '<img src="cid:other@acme.example"><img src="https://acme.example/banner.png"><div style="position:fixed;color:red">Red</div>'
)


async def sent(folder: Path, **more: object) -> EmailMessage:
    """The order's letter, as a mail program reads it."""
    blobs = BlobStore(folder.as_uri())
    logo = AttachmentRef(filename="logo.png", content_type="image/png", size=len(PNG), content_id="<logo@acme.example>",
                         inline=True, blob=await blobs.put("p1/t1/logo", PNG))  # fmt: skip
    order = OutboundMail.model_validate(
        {"id": "o1", "portal_id": "p1", "ticket_id": "t1", "message_id": "m1", "address_id": "ad3", "kind": "reply",
         "to": [Person(email="jo@c.example")], "subject": "Re: x", "text": "Dear Jo", "rfc_message_id": "a@acme.example",
         "created_at": datetime(2026, 11, 30, tzinfo=UTC), "attachments": [logo], **more}
    )  # fmt: skip
    made = await letter(order, ADDRESS, ("jo@c.example",), blobs, uncertain=False, tried=False, still_ours=lambda: True)
    return email.message_from_bytes(made.raw, policy=email.policy.default)  # type: ignore[return-value]


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    return str(found.get_content()) if found is not None else ""  # type: ignore[attr-defined]


async def test_html_that_a_program_wrote_is_made_safe_before_it_leaves(tmp_path: Path) -> None:
    mail = await sent(tmp_path, html=HOSTILE)
    html = part(mail, "html")
    for bad in (
        "script",
        "onclick",
        "onerror",
        "javascript",
        "iframe",
        "<form",
        "<input",
        "position",
        "evil",
        "other@",
    ):
        assert bad not in html, bad
    for good in ("<b>Jo</b>", 'src="cid:logo@acme.example"', "https://acme.example/banner.png", "color:red"):
        assert good in html.replace("color: red", "color:red"), good
    assert part(mail, "plain").strip() == "Dear Jo"
    (logo,) = [each for each in mail.walk() if each.get_content_type() == "image/png"]
    assert logo.get_content_disposition() == "inline"


async def test_a_text_is_made_of_what_is_safe(tmp_path: Path) -> None:
    mail = await sent(tmp_path, html=HOSTILE, text=" ")
    assert part(mail, "plain").startswith("Dear Jo,")
    assert "x()" not in part(mail, "plain")


async def test_html_that_is_too_much_is_left_out_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def given_up(*_: object) -> None:
        raise NotDone("it took longer than 5 s")

    monkeypatch.setattr(composing, "apart", given_up)
    mail = await sent(tmp_path, html=HOSTILE)
    assert (part(mail, "html"), part(mail, "plain").strip()) == ("", "Dear Jo")
    with pytest.raises(ValueError, match="no text beside it"):
        await sent(tmp_path, html=HOSTILE, text="")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["<p>", "</p>", "<b>", "Grüße & mehr", "<img src='cid:a@b'>", "<table><td style='color:red; padding:1px'>",
                                 "<ul><li>", "<a href='https://x.example/?a=1&b=2'>", "<blockquote>", "<br>", "<!-- x -->", "<style>p{color:red}</style>",
                                 "<font color=red>", "&nbsp;", "<script>x</script>", '"', "<"]), max_size=30))  # fmt: skip
def test_what_the_console_made_safe_leaves_as_it_was(pieces: list[str]) -> None:
    once, _, _ = made_safe("".join(pieces), {"a@b": "cid:a@b"}, False)
    once = with_signature(once, "Ana\nAcme")
    once = once.replace("\r\n", "\n")  # parsers of HTML make one of them, as composing does
    assert safe_body(once, {"a@b"}, False)[0] == once
