"""The author behind a list, proven by the author's own signature once the list's work is undone, and never by another's."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mailroom_mail import classify, read
from mailroom_mail.reading.signed_parts import SignedParts
from mailroom_mail.trust.restored_author import is_author_proven, mailboxes

SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"cc"]
LIST = ("X-Mailman-Version: 3.3.10", "List-Id: Users <users.lists.example>", "List-Post: <mailto:users@lists.example>")
RITA = "Rita <rita@sender.test>"
JOSE = "=?utf-8?q?Jos=C3=A9_M=C3=BCller?= <rita@sender.test>"
LIST_BOX = "Users <users@lists.example>"


@cache
def key() -> tuple[bytes, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def records(name: str) -> Sequence[str]:
    return [key()[1]] if name == "s1._domainkey.sender.test" else []


def signed(author: str = RITA, *more: str, domain: bytes = b"sender.test") -> tuple[str, list[str], str]:
    """The signature, the other fields and the body of the author's own mail."""
    fields = [
        f"From: {author}", "To: users@lists.example", "Subject: Where is it", "Date: Tue, 24 Nov 2026 12:00:00 +0000",
        "Message-ID: <1@sender.test>", *more,
    ]  # fmt: skip
    body = "Hello,\r\n\r\nwhere is my order?\r\n"
    raw = "\r\n".join([*fields, "", body]).encode()
    found = dkim.sign(raw, b"s1", domain, key()[0], include_headers=SIGNED, canonicalize=(b"relaxed", b"simple"))
    return found.decode().rstrip("\r\n"), fields, body


def by_mailman(
    author: str, *own: str, reply_to: str | None = None, cc: str | None = None, body: str | None = None
) -> bytes:
    signature, fields, text = signed(author, *own)
    name = read(f"From: {author}\r\n\r\n".encode()).from_
    assert name is not None
    kept = [one for one in fields if not one.startswith(("From:", "Reply-To:", "Cc:"))]
    munged = [f"From: {name.name or 'rita---'} via Users <users@lists.example>"]
    munged += [f"Reply-To: {reply_to}"] if reply_to else []
    munged += [f"Cc: {cc}"] if cc else []
    return "\r\n".join([signature, *kept, *LIST, *munged, "", body or text]).encode()


def by_sympa(author: str, *own: str, reply_to: str, original: str | None = None, renamed: bool = True) -> bytes:
    signature, fields, text = signed(author, *own)
    kept = [one for one in fields if not one.startswith(("From:", "Reply-To:"))]
    munged = ['From: "Rita" (via users Mailing List) <users@lists.example>', f"Reply-To: {reply_to}"]
    return "\r\n".join(
        [
            *kept,
            *LIST[1:],
            *munged,
            f"{'X-Original-' if renamed else ''}{signature}",
            f"X-Original-From: {original or author}",
            "",
            text,
        ]
    ).encode()


def proven(raw: bytes) -> bool:
    mail = read(raw)
    post = classify(mail).list_post
    assert post is not None
    assert post.author is not None
    aligned = str.__eq__
    return is_author_proven(
        SignedParts(raw), post.author.email, post.source, mail.enclosed_source, aligned, records, time.time()
    )


@pytest.mark.parametrize("author", [RITA, JOSE, "rita@sender.test"])
def test_mailman_in_every_setting(author: str) -> None:
    own = "Reply-To: Private <private@mail.example>"
    assert proven(by_mailman(author, reply_to=author))
    assert proven(by_mailman(author, own, reply_to=f"Private <private@mail.example>, {author}"))
    assert proven(by_mailman(author, reply_to=LIST_BOX, cc=author)), "replies go to the list"
    assert proven(by_mailman(author, own, reply_to=f"Private <private@mail.example>, {LIST_BOX}", cc=author))
    assert proven(by_mailman(author, "Cc: Bob <bob@b.example>", reply_to=LIST_BOX, cc=f"Bob <bob@b.example>, {author}"))
    assert proven(by_mailman(author, reply_to="desk@lists.example", cc=author)), "replies go to a set address"


@pytest.mark.parametrize("author", [RITA, JOSE])
def test_sympa_in_every_setting(author: str) -> None:
    own = "Reply-To: Private <private@mail.example>"
    assert proven(by_sympa(author, reply_to=author))
    assert proven(by_sympa(author, own, reply_to="Private <private@mail.example>"))
    assert proven(by_sympa(author, reply_to="users@lists.example"))
    assert proven(by_sympa(author, reply_to=author, renamed=False)), "the signature may stay as it was"


def test_another_author_or_other_words_prove_nothing() -> None:
    raw = by_mailman(RITA, reply_to=RITA)
    assert not proven(raw.replace(b"Rita via", b"Eve via").replace(b"Reply-To: Rita <rita@", b"Reply-To: Eve <eve@"))
    assert not proven(by_mailman(RITA, reply_to=RITA, body="Send it to Eve.\r\n"))
    assert not proven(raw.replace(b"Subject: ", b"Subject: [Users] "))
    assert not proven(by_sympa(RITA, reply_to=RITA, original="Eve <eve@sender.test>"))


def test_only_a_signature_of_the_authors_domain_counts() -> None:
    signature, fields, text = signed("Eve <eve@victim.example>")
    kept = [one for one in fields if not one.startswith("From:")]
    forged = "\r\n".join(
        [
            signature,
            *kept,
            *LIST,
            "From: Eve via Users <users@lists.example>",
            "Reply-To: Eve <eve@victim.example>",
            "",
            text,
        ]
    ).encode()
    assert not proven(forged), "signed by sender.test, for somebody of victim.example"


def test_what_is_wrapped_whole_needs_no_restoring() -> None:
    signature, fields, text = signed()
    inner = "\r\n".join([signature, *fields, *LIST, "", text])
    head = [*LIST, "From: Rita via Users <users@lists.example>", "Content-Type: multipart/mixed; boundary=b"]
    whole = f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b\r\nContent-Type: text/plain\r\n\r\nfooter\r\n--b--\r\n"
    raw = "\r\n".join([*head, "", whole]).encode()
    assert proven(raw)
    assert not proven(raw.replace(b"where is my order", b"give me the money"))
    assert not proven(raw.replace(b"From: Rita <rita@", b"From: Rita <r1ta@"))


def test_mailboxes_are_cut_at_commas_of_their_own_only() -> None:
    assert mailboxes(b' "Reject, Rita" <r@x.example>, Bob (a, b) <b@x.example>,c@x.example') == [
        b' "Reject, Rita" <r@x.example>', b" Bob (a, b) <b@x.example>", b"c@x.example",
    ]  # fmt: skip
    assert mailboxes(b' "a\\"b, c" <d@x.example>') == [b' "a\\"b, c" <d@x.example>']
    assert mailboxes(b" , ,") == []
