"""Mail through lists: what the list wrapped, its footers, digests and notices (../shared/lists)."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_mail import classify, extract_reply, html_to_text, read

from .real_mail import case, expectations, mail_of

OUTER = """From: Rita via Support <wrap@lists.example.com>
To: wrap@lists.example.com
Reply-To: Rita <rita@reject.example>
Subject: order
Date: Mon, 30 Nov 2026 04:18:44 -0000
Message-ID: <1@lists.example.com>
List-Id: Support <wrap.lists.example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

"""
INNER = """--b
Content-Type: message/rfc822
Content-Disposition: inline

From: Rita <rita@reject.example>
Subject: order
Message-ID: <2@reject.example>
Content-Type: multipart/mixed; boundary="c"

--c
Content-Type: text/plain; charset=utf-8

Wo ist meine Bestellung? Grüße
--c
Content-Type: application/pdf; name=order.pdf
Content-Disposition: attachment

x
--c--
"""
FOOTER = """--b
Content-Type: text/plain

_______________________________________________
Support mailing list -- wrap@lists.example.com
To unsubscribe send an email to wrap-leave@lists.example.com
"""
NOTE = "--b\nContent-Type: text/plain\n\nThis message was wrapped because of the policy of the sender domain.\n"


@pytest.mark.parametrize("parts", [(INNER,), (INNER, FOOTER), (NOTE, INNER), (NOTE, INNER, FOOTER)])
def test_the_wrapped_mail_is_shown(parts: tuple[str, ...]) -> None:
    mail = read((OUTER + "".join(parts) + "--b--\n").encode())
    assert mail.text.strip() == "Wo ist meine Bestellung? Grüße"
    assert [one.filename for one in mail.attachments] == ["order.pdf"]
    assert mail.from_ is not None
    assert mail.from_.email == "wrap@lists.example.com"


def test_a_forward_through_a_list_keeps_its_note() -> None:
    """A member's own note beside a mail that they forward: another author, another list, no list's sentence."""
    forwarded = INNER.replace("rita@reject.example", "else@vendor.example").replace("From: Rita", "From: Else")
    mail = read((OUTER + NOTE.replace("This message", "Please look, this") + forwarded + "--b--\n").encode())
    assert mail.text.startswith("Please look")
    assert [one.content_type for one in mail.attachments] == ["message/rfc822"]
    plain = OUTER.replace("Rita via Support <wrap@lists.example.com>", "Rita <rita@reject.example>")
    assert read((plain + NOTE + INNER + "--b--\n").encode()).text.startswith("This message")


def test_a_footer_goes_from_text_and_html() -> None:
    words = '--b\nContent-Type: multipart/alternative; boundary="a"\n\n--a\nContent-Type: text/plain\n\nHello\n--a\nContent-Type: text/html\n\n<p>Hello</p>\n--a--\n'
    mail = read((OUTER + words + FOOTER + "--b--\n").encode())
    reply = extract_reply(mail)
    assert reply.text == "Hello"
    assert html_to_text(reply.html or "") == "Hello"
    own = read((OUTER + words + "--b\nContent-Type: text/plain\n\nand one thing more\n--b--\n").encode())
    assert "one thing more" in (extract_reply(own).html or "")


POST = "Content-Type: message/rfc822\n\nFrom: Ann <ann@x.example>\nSubject: {}\n\nwords\n"


def test_posts_of_a_digest_can_be_opened_by_subject() -> None:
    posts = "".join(
        f"--d\n{POST.format(subject)}" for subject in ("=?utf-8?Q?Gr=C3=B6=C3=9Fe?=", "a/b: c", "a/b: c", "")
    )
    digest = (
        f'--b\nContent-Type: text/plain\n\nTopics\n--b\nContent-Type: multipart/digest; boundary="d"\n\n{posts}--d--\n'
    )
    mail = read((OUTER + digest + "--b--\n").encode())
    assert [one.filename for one in mail.attachments] == ["Größe.eml", "a b c.eml", "a b c-2.eml", "message.eml"]
    kind = classify(mail)
    assert kind.is_digest
    assert "digest" in kind.automatic_signs
    assert extract_reply(mail).text == "Topics"


def test_a_plain_digest_is_whole() -> None:
    post = "Message: {}\nDate: Mon, 30 Nov 2026 04:18:49 -0000\nFrom: Rita <rita@reject.example>\nSubject: x\nTo: l@lists.example\n\nHello {}\n\n"
    text = (
        "Topics\n\n"
        + "-" * 70
        + "\n\n"
        + post.format(1, 1)
        + "-" * 30
        + "\n\n"
        + post.format(2, 2)
        + "-" * 30
        + "\n\nEnd of Digest\n"
    )
    mail = read((OUTER.partition("Content-Type")[0] + "Content-Type: text/plain\n\n" + text).encode())
    assert classify(mail).is_digest
    assert "Hello 2" in extract_reply(mail).text
    own = read(
        ("From: a@b.example\nMessage-ID: <a@b>\nDate: Mon, 30 Nov 2026 04:18:49 -0000\nSubject: x\n\n" + text).encode()
    )
    assert not classify(own).is_digest


@pytest.mark.parametrize("row", expectations("lists"))
def test_real_lists(row: dict[str, Any]) -> None:
    mail = mail_of("lists", row)
    reply = extract_reply(mail)
    assert classify(mail, row["return_path"]).is_digest == row["digest"]
    if row["notice"] or row["digest"]:
        assert reply.text == mail.text.strip("\n").rstrip()
    if row["person"]:
        assert "unsubscribe" not in reply.text
        assert "unsubscribe" not in html_to_text(reply.html or "")
        assert len(reply.text) > 10


@pytest.mark.parametrize("file", ["wraptext.eml", "wrapfoot.eml", "wrapfoot-html-attachment.eml"])
def test_wrapped_cases(file: str) -> None:
    mail = case("lists/cases/3-only-footer-shown", file)
    assert extract_reply(mail).text == "Hello,\n\nwhere is my order 1234?\n\nAnna"
    assert [one.filename for one in mail.attachments] == (["shot.png"] if "attachment" in file else [])


@pytest.mark.parametrize("file", ["0038.eml", "0054.eml"])
def test_the_footer_goes_from_html_as_it_goes_from_text(file: str) -> None:
    """As Mailman 3 wrote them: the footer is a division of its own at the end of the HTML."""
    mail = case("lists/cases/8-html-footer", file)
    assert mail.html is not None
    assert "____" in mail.html
    reply = extract_reply(mail)
    assert reply.html is not None
    for shown in (reply.text, reply.html):
        assert "____" not in shown
        assert "@lists." not in shown
    assert html_to_text(reply.html).strip()
    assert reply.text == "Hello,\n\nwhere is my order 1234?\n\nAnna"
