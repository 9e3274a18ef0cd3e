"""ARC chains (RFC 8617): whole ones pass, and whatever is missing, changed or out of order does not."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mailroom_mail.reading.signed_parts import SignedParts
from mailroom_mail.trust.arc_chain import verify_chain
from mailroom_mail.trust.dns_lookup import LookupFailedError

MAIL = (
    b"From: Ann <ann@sender.test>\r\nTo: support@acme.example\r\nSubject: Where is\r\n my order\r\n"
    b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@sender.test>\r\n\r\nWhere  is it? \r\n\r\n"
)


@cache
def key() -> tuple[bytes, str]:
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, base64.b64encode(public).decode()


def sealed(raw: bytes, domain: bytes = b"one.test", *, chain: bytes = b"") -> bytes:
    """Passed on by a domain, which found `chain` ("; arc=pass") of what came before."""
    raw = b"Authentication-Results: " + domain + b"; spf=pass smtp.mailfrom=sender.test" + chain + b"\r\n" + raw
    return b"".join(dkim.arc_sign(raw, b"s1", domain, key()[0], domain)) + raw


def judged(raw: bytes) -> tuple[str, str | None]:
    return verify_chain(SignedParts(raw), lambda name: [f"v=DKIM1; p={key()[1]}"], time.time())


def twice() -> bytes:
    return sealed(sealed(MAIL), b"two.test", chain=b"; arc=pass")


def test_whole_chains_pass_and_the_last_domain_is_named() -> None:
    assert judged(MAIL) == ("none", None)
    assert judged(sealed(MAIL)) == ("pass", "one.test")
    assert judged(twice()) == ("pass", "two.test")
    assert judged(sealed(twice(), b"three.test", chain=b"; arc=pass")) == ("pass", "three.test")
    assert dkim.arc_verify(twice(), dnsfunc=lambda name, timeout=5: f"p={key()[1]}".encode())[0] == b"pass"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Where  is it?", b"Pay to me!"),  # the body
        (b"Subject: Where", b"Subject: Pay"),
        (b"ARC-Authentication-Results: i=1; one.test", b"ARC-Authentication-Results: i=1; 1.test"),  # what it found
        (b"cv=none", b"cv=pass"),
        (b"cv=pass", b"cv=fail"),
        (b"ARC-Seal: i=1", b"X-Seal: i=1"),  # a set that is not complete
        (b"ARC-Seal: i=1", b"ARC-Seal: i=2"),
        (b"ARC-Seal: i=2", b"ARC-Seal: i=3"),
        (b"ARC-Seal: i=2", b"ARC-Seal: i=x"),
        (b"ARC-Message-Signature: i=2; a=rsa-sha256", b"ARC-Message-Signature: i=2; a=rsa-sha1"),
        (b"ARC-Seal: i=2;", b"ARC-Seal: i=2; h=from;"),
    ],
)
def test_what_was_changed_fails(old: bytes, new: bytes) -> None:
    raw = twice()
    assert old in raw
    assert judged(raw.replace(old, new, 1))[0] == "fail"


def test_only_the_newest_message_signature_must_hold() -> None:
    """Whoever passed it on second may have changed the mail, and says with its own signature what it was then."""
    changed = sealed(MAIL).replace(b"Where  is it?", b"[list] Where is it?")
    assert judged(changed)[0] == "fail"
    assert judged(sealed(changed, b"two.test", chain=b"; arc=pass")) == ("pass", "two.test")


def test_no_answer_is_no_verdict() -> None:
    def broken(name: str) -> Sequence[str]:
        raise LookupFailedError(name)

    assert verify_chain(SignedParts(twice()), broken, time.time()) == ("temperror", None)
