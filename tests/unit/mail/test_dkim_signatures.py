"""DKIM verification: the RFC's own mails, what must not count, and agreement with dkimpy on mails of every form."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom_mail.reading.signed_parts import SignedParts, relaxed_body, simple_body
from mailroom_mail.trust.dkim_signatures import Records, verify_signatures
from mailroom_mail.trust.dns_lookup import LookupFailedError
from mailroom_mail.trust.verdict_records import DkimVerdict

NOW = time.time()
# RFC 8463 appendix A, its lines ended by CRLF
RFC_8463 = b"""DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")
RFC_KEYS = {
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com": "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
}
MAIL = (
    b"From: Ann <ann@sender.test>\r\nTo: support@acme.example\r\nSubject: Where  is\r\n\tmy order\r\n"
    b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@sender.test>\r\n\r\nWhere  is it? \r\n\r\n\r\n"
)


@cache
def key(bits: int) -> tuple[bytes, str]:
    """Private key as dkimpy wants it, public key as DNS has it."""
    private = rsa.generate_private_key(65537, bits)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, base64.b64encode(public).decode()


def signed(
    raw: bytes = MAIL, *, bits: int = 2048, forms: tuple[bytes, bytes] = (b"relaxed", b"relaxed"), **more: object
) -> bytes:
    return bytes(dkim.sign(raw, b"s1", b"sender.test", key(bits)[0], canonicalize=forms, **more)) + raw


def verified(raw: bytes, records: Records, now: float) -> tuple[DkimVerdict, ...]:
    return verify_signatures(SignedParts(raw), records, now)


def results(raw: bytes, record: str | None = None, *, now: float = NOW) -> list[str]:
    texts = [f"v=DKIM1; p={key(2048)[1]}" if record is None else record]
    return [one.result for one in verified(raw, lambda name: texts if texts[0] else [], now)]


def test_the_mails_of_rfc_8463_ed25519_and_rsa() -> None:
    found = verified(RFC_8463, lambda name: [RFC_KEYS[name]], NOW)
    assert [(one.domain, one.result, one.selector) for one in found] == [
        ("football.example.com", "pass", "brisbane"), ("football.example.com", "pass", "test"),
    ]  # fmt: skip
    changed = verified(RFC_8463.replace(b"hungry", b"thirsty"), lambda name: [RFC_KEYS[name]], NOW)
    assert [one.result for one in changed] == ["fail", "fail"]
    other = verified(RFC_8463.replace(b"dinner", b"supper"), lambda name: [RFC_KEYS[name]], NOW)
    assert [one.result for one in other] == ["fail", "fail"]


def test_an_ed25519_key_for_an_rsa_signature_and_the_other_way_round() -> None:
    swapped = dict(zip(RFC_KEYS, reversed(RFC_KEYS.values()), strict=True))
    found = verified(RFC_8463, lambda name: [swapped[name]], NOW)
    assert [one.result for one in found] == ["permerror", "permerror"]
    short = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()[:31]
    found = verified(RFC_8463, lambda name: [f"k=ed25519; p={base64.b64encode(short).decode()}"], NOW)
    assert found[0].result == "permerror"


@pytest.mark.parametrize("head", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_every_form_and_either_line_end(head: bytes, body: bytes, newline: bytes) -> None:
    raw = signed(forms=(head, body)).replace(b"\r\n", newline)
    assert results(raw) == ["pass"]
    assert results(raw + b"more" + newline) == ["fail"]
    loosened = raw.replace(b"Where  is it? ", b"Where is  it?")
    assert results(loosened) == ["pass" if body == b"relaxed" else "fail"]
    renamed = raw.replace(b"Subject: Where  is", b"SUBJECT: Where is ")
    assert results(renamed) == ["pass" if head == b"relaxed" else "fail"]


def test_a_second_from_on_top_does_not_pass() -> None:
    assert results(b"From: Boss <boss@sender.test>\r\n" + signed()) == ["fail"]


def test_the_length_covers_what_it_says() -> None:
    raw = signed(length=True)
    assert results(raw + b"a list's footer\r\n") == ["pass"]
    assert results(raw.replace(b"Where  is it", b"Whose is it")) == ["fail"]


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("", "permerror"), ("v=DKIM1; p=", "permerror"), ("p=%", "permerror"), ("v=DKIM2; p=%", "permerror"),
        ("k=dsa; p=%", "permerror"), ("p=%; h=sha1", "permerror"), ("p=%; h=sha1:sha256", "pass"),
        ("p=%; s=tlsrpt", "permerror"), ("p=%; s=email", "pass"), ("p=%; t=y:s", "pass"), ("p=%; p=%", "permerror"),
        ("p=%; n=" + "x" * 9000, "permerror"), (" v = DKIM1 ;\tk=rsa; p=% ; ", "pass"), ("p=!!", "permerror"),
    ],
)  # fmt: skip
def test_key_records(record: str, result: str) -> None:
    if record == "p=%":
        record = f"p={key(2048)[1][:40]}"  # cut off
    assert results(signed(), record.replace("%", key(2048)[1])) == [result]


def test_a_key_for_the_domain_itself_only() -> None:
    raw = signed(identity=b"ann@news.sender.test")
    assert results(raw) == ["pass"]
    assert results(raw, f"p={key(2048)[1]}; t=s") == ["permerror"]
    assert results(raw.replace(b"i=ann@news.sender.test", b"i=ann@notsender.test")) == ["permerror"]


def test_old_digests_count_for_nothing_and_keys_have_bounds() -> None:
    assert results(signed(signature_algorithm=b"rsa-sha1")) == ["permerror"]  # RFC 8301
    assert results(signed(bits=1024), f"p={key(1024)[1]}") == ["pass"]
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    for n, e in ((modulus >> 1100, 65537), (modulus << 7000, 65537), (modulus, modulus - 2)):
        try:
            odd = rsa.RSAPublicNumbers(e, n | 1).public_key()
        except ValueError:  # cryptography itself refuses it
            continue
        der = odd.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert results(signed(), f"p={base64.b64encode(der).decode()}") == ["permerror"]


def test_no_answer_is_no_verdict() -> None:
    def broken(name: str) -> Sequence[str]:
        raise LookupFailedError(name)

    assert [one.result for one in verified(signed(), broken, NOW)] == ["temperror"]


def test_times() -> None:
    raw = signed()
    assert results(raw, now=NOW - 3 * 86_400) == ["fail"]  # signed in the future
    assert results(raw, now=NOW + 365 * 86_400) == ["pass"]
    over = raw.replace(b" t=", f" x={int(NOW) - 86_400}; t=".encode(), 1)
    assert results(over) == ["fail"]


@pytest.mark.parametrize(
    "field",
    [
        b"v=1", b"v=2; a=rsa-sha256; b=AA==; bh=AA==; d=sender.test; h=from; s=s1", b"x", b"=;", b"v=1; v=1",
        b"v=1; a=rsa-sha256; b=!; bh=AA==; d=sender.test; h=from; s=s1",
        b"v=1; a=rsa-sha256; b=AA==; bh=AA==; d=sender.test; h=to; s=s1",
        b"v=1; a=rsa-sha256; b=AA==; bh=AA==; d=sender.test; h=from; s=s1; c=nothing",
        b"v=1; a=rsa-sha256; b=AA==; bh=AA==; d=sender.test; h=from; s=s1; l=-1",
        b"v=1; a=rsa-sha256; b=AA==; bh=AA==; d=sender.test; h=from; s=s1; q=http",
    ],
)  # fmt: skip
def test_broken_signatures(field: bytes) -> None:
    assert results(b"DKIM-Signature: " + field + b"\r\n" + MAIL) == ["permerror"]


def test_at_most_five_signatures_are_looked_at() -> None:
    assert results(b"".join([signed()[: -len(MAIL)]] * 9) + MAIL) == ["pass"] * 5


@pytest.mark.parametrize(
    ("body", "relaxed", "simple"),
    [
        (b"", b"", b"\r\n"), (b"\r\n\r\n", b"", b"\r\n"), (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n", b" C \r\nD \t E\r\n"),
        (b"x", b"x\r\n", b"x\r\n"), (b" \r\n", b"", b" \r\n"), (b"x \r\n \r\n\t\r\n", b"x\r\n", b"x \r\n \r\n\t\r\n"),
    ],
)  # fmt: skip
def test_bodies_as_rfc_6376_section_3_4_has_them(body: bytes, relaxed: bytes, simple: bytes) -> None:
    assert (relaxed_body(body), simple_body(body)) == (relaxed, simple)


_words = st.text(st.sampled_from("ab: ;=\t"), max_size=12).map(str.encode)
_lines = st.lists(_words, max_size=6).map(b"\r\n".join)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from([b"X-A", b"Subject", b"x-a", b"To"]), _words, _words), max_size=5), _lines,
    st.sampled_from([b"simple", b"relaxed"]), st.sampled_from([b"simple", b"relaxed"]), st.booleans(),
    st.integers(0, 10_000), st.sampled_from([b"", b" ", b"x", b"\r\n"]),
)  # fmt: skip
def test_agrees_with_dkimpy(
    fields: list[tuple[bytes, bytes, bytes]], body: bytes, head_form: bytes, body_form: bytes, length: bool, at: int,
    put: bytes,
) -> None:  # fmt: skip
    head = b"".join(
        [name + b": " + one + (b"\r\n " + two + b"." if two.strip() else b"") + b"\r\n" for name, one, two in fields]
    )
    raw = signed(
        b"From: Ann <ann@sender.test>\r\n" + head + b"\r\n" + body + b"\r\n",
        forms=(head_form, body_form),
        length=length,
    )
    assert results(raw) == ["pass"]
    place = raw.index(b"Ann <")  # the signature itself stays, what it is over is changed
    place += at % (len(raw) - place)
    place -= raw[place - 1 : place + 1] == b"\r\n"  # a lone CR is white space to dkimpy, not to RFC 6376
    changed = raw[:place] + put + raw[place:]
    try:
        theirs = dkim.verify(changed, dnsfunc=lambda name, timeout=5: f"v=DKIM1; p={key(2048)[1]}".encode())
    except dkim.MessageFormatError:
        return  # a name with a blank before its colon, which RFC 6376 lets pass
    except dkim.DKIMException:
        theirs = False
    assert (results(changed) == ["pass"]) == bool(theirs)


def test_of_several_records_at_a_selector_each_is_tried_in_whatever_order_they_come() -> None:
    """An old key beside the new one, SPF beside a key: servers shuffle their answers, the verdict must not."""
    from itertools import permutations

    mine = f"v=DKIM1; p={key(2048)[1]}"
    other = f"v=DKIM1; p={key(1024)[1]}"

    def found(*texts: str) -> str:
        return verified(signed(), lambda name: texts, NOW)[0].result

    for beside in ([other], ["v=spf1 -all"], ["v=DKIM1; p="], [other, "v=spf1 -all", "x" * 5_000]):
        assert {found(*order) for order in permutations([mine, *beside])} == {"pass"}
    assert {found(*order) for order in permutations([other, "v=spf1 -all"])} == {"fail"}
    assert found("v=spf1 -all") == "permerror"
