"""What a trusted front wrote: whose it is read strictly, what stands in it leniently, as real filters write it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail.trust.front_fields import front_fields, received_from
from mailroom_mail.trust.trusted_results import Stated, trusted_results

FILTERS = Path(__file__).parents[4] / "shared" / "filters" / "cases"
with_shared = pytest.mark.skipif(not FILTERS.is_dir(), reason=f"../shared is not here ({FILTERS})")
ID = "mx.acme.example"
RECEIVED = (
    "Received: from mail.helo.example (unknown [192.0.2.10])\r\n\tby mx.acme.example (Postfix) with ESMTP id 1; now\r\n"
)
OTHER = "Received: from a (b [198.51.100.1]) by evil.example with ESMTP id 2; now\r\n"


def stated(head: str | bytes, fronts: tuple[str, ...] = ()) -> Stated | None:
    raw = head.encode() if isinstance(head, str) else head
    return trusted_results(front_fields(raw + b"From: a@b.example\r\n\r\nx", fronts.__contains__), [ID])


def results(value: str, above: bool = True) -> Stated | None:
    field = f"Authentication-Results: {value}\r\n"
    return stated(field + RECEIVED if above else RECEIVED + field)


@with_shared
def test_what_filters_really_wrote() -> None:
    paren = stated((FILTERS / "6-result-field-dropped" / "paren.eml").read_bytes())
    assert paren is not None
    assert (paren.spf, paren.dmarc, paren.dmarc_policy, paren.dkim) == ("pass", "pass", "reject", ())
    utf8 = stated((FILTERS / "6-result-field-dropped" / "utf8.eml").read_bytes())
    assert utf8 is not None
    assert (utf8.spf, utf8.spf_domain, utf8.dmarc) == ("pass", "reject.example", None)


@pytest.mark.parametrize(
    ("value", "spf", "dmarc", "policy"),
    [
        (f"{ID}; spf=pass smtp.mailfrom=a@b.example; dmarc=pass", "pass", "pass", None),
        (f"{ID}; spf=pass; dmarc=fail (p=REJECT sp=NONE dis=NONE);", "pass", "fail", "reject"),
        (f"{ID}; dmarc=pass (policy=reject) header.from=b.example; spf=softfail", "softfail", "pass", "reject"),
        (f"{ID}; dmarc=fail policy.published-domain-policy=quarantine", None, "fail", "quarantine"),
        (f"(a comment) {ID} (another) 1; spf=fail", "fail", None, None),
        (f'"{ID}"; spf=fail', "fail", None, None),
        (f"{ID}; spf=pass smtp.mailfrom=<>; dmarc=pass", "pass", "pass", None),
        (f"{ID}; spf=pass (jürgen@b.example) smtp.mailfrom=jürgen@b.example; dmarc=pass", "pass", "pass", None),
        (f'{ID}; spf=pass (of "a(b@b.example" is) smtp.mailfrom="a(b@b.example"; dmarc=pass', "pass", "pass", None),
        (f"{ID}; spf=pass (of a(b@b.example is) smtp.mailfrom=x; dmarc=pass", "pass", "pass", None),
        (f'{ID}; spf=pass smtp.mailfrom="a;b"@b.example; dmarc=pass', "pass", "pass", None),
        (f"{ID}; =; spf=; nonsense; spf=odd; dmarc=permfail", None, "fail", None),
        (f"{ID}; spf=none; dmarc=none", "none", "none", None),
        (f"{ID}; none", None, None, None),
        (f"{ID}; spf=pass (unclosed; dmarc=fail", "pass", None, None),
    ],
)
def test_one_unreadable_result_costs_itself(value: str, spf: str | None, dmarc: str | None, policy: str | None) -> None:
    found = results(value)
    assert found is not None
    assert (found.source, found.spf, found.dmarc, found.dmarc_policy) == (ID, spf, dmarc, policy)


@pytest.mark.parametrize(
    "name", ["mx.acme.example.evil", "evil.mx.acme.example", "mx.acme.example/1", "mx.acme.example evil", "mx", "", "mx.acme.example@x",
             "evil; mx.acme.example"],
)  # fmt: skip
def test_the_name_is_compared_whole(name: str) -> None:
    assert results(f"{name}; dmarc=pass") is None


def test_only_what_the_front_itself_can_have_written_counts() -> None:
    good, forged = (
        "Authentication-Results: mx.acme.example; spf=none\r\n",
        "Authentication-Results: mx.acme.example; dmarc=pass\r\n",
    )
    above = stated(good + RECEIVED + forged)
    assert above is not None
    assert (above.spf, above.dmarc) == ("none", None), "the client's own field fills no gap"
    below = stated(RECEIVED + good + forged)
    assert below is not None
    assert (below.spf, below.dmarc) == ("none", None)
    assert stated(RECEIVED + OTHER + forged) is None
    assert stated(RECEIVED + "X: y\r\n" + OTHER + forged) is None
    other = "Authentication-Results: other.example; dmarc=fail\r\n"
    found = stated(RECEIVED + other + forged)
    assert found is not None
    assert found.dmarc == "pass", "others' fields are passed over"


def test_what_several_filters_of_one_front_wrote_counts_together_each_method_once() -> None:
    fields = [
        "dmarc=pass header.from=b.example", "dkim=pass header.d=b.example header.s=s1", "spf=none smtp.mailfrom=x@c.example",
        "spf=pass smtp.mailfrom=x@d.example", "dkim=pass header.d=evil.example",
    ]  # fmt: skip
    head = "".join(f"Authentication-Results: {ID}; {one}\r\n" for one in fields)
    found = stated(head + RECEIVED)
    assert found is not None
    assert (found.dmarc, found.spf, found.spf_domain) == ("pass", "none", "c.example")
    assert [(one.domain, one.selector) for one in found.dkim or ()] == [("b.example", "s1")]


def test_filters_and_fronts_that_hand_it_on_are_the_front_too() -> None:
    amavis = "Received: from localhost (localhost [127.0.0.1]) by mx.acme.example (Postfix)\r\n"
    inner = "Received: from mx.acme.example ([127.0.0.1]) by localhost (amavisd-new, port 10024)\r\n"
    field = f"Authentication-Results: {ID}; dmarc=pass\r\n"
    for head in (amavis + inner + field + RECEIVED, amavis + field + RECEIVED, amavis + inner + RECEIVED + field):
        found = stated(head)
        assert found is not None
        assert found.dmarc == "pass"
    second = "Received: from mx2 (mx2 [203.0.113.5]) by mx.acme.example\r\n"
    assert stated(second + field + RECEIVED) is not None
    assert stated(second + RECEIVED + field, ("203.0.113.5",)) is not None
    assert stated(second + RECEIVED + field) is None


@pytest.mark.parametrize(
    ("value", "client", "helo"),
    [
        ("from mail.helo.example (unknown [192.0.2.10]) by mx (Postfix)", "192.0.2.10", "mail.helo.example"),
        ("from [198.51.100.9] (unknown [192.0.2.10]) by mx", "192.0.2.10", "[198.51.100.9]"),
        ("from x (h [IPv6:2001:db8::1]) by mx", "2001:db8::1", "x"),
        (
            "from h.example ([192.0.2.10] helo=[198.51.100.9]) by mx with esmtp (Exim 4.97)",
            "192.0.2.10",
            "[198.51.100.9]",
        ),
        ("from unknown (HELO x) (192.0.2.10) by mx with SMTP", "192.0.2.10", "unknown"),
        ("from a.example (192.0.2.10) by b.example (10.0.0.1) with Microsoft SMTP Server", "192.0.2.10", "a.example"),
        ("by mx.acme.example (Postfix, from userid 1000)", None, None),
        ("from x (h [999.1.1.1]) by mx", None, "x"),
        ("", None, None),
    ],
)
def test_the_client_in_received(value: str, client: str | None, helo: str | None) -> None:
    assert received_from(value) == (client, helo)


@given(st.text(max_size=300))
def test_anything_can_be_read(value: str) -> None:
    results(f"{ID}; {value}".replace("\n", " ").replace("\r", " "))
    received_from(value)


@pytest.mark.parametrize("many", [20_000, 40_000])
def test_time_is_linear(many: int) -> None:
    import time

    began = time.process_time()
    for piece in ("(", '"', ";", "(a)", "\\", "spf=", "a.b=", "=("):
        results(f"{ID}; {piece * (many // len(piece))}")
        received_from(piece * many)
    assert time.process_time() - began < 2.0


def test_google_writes_its_results_below_the_second_of_its_hops() -> None:
    hop = "Received: by 2002:a05:6a10:1234:0:0:0:0 with SMTP id x1csp1; Mon, 30 Nov 2026 04:20:00 -0800 (PST)\r\n"
    field = f"Authentication-Results: {ID}; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=b.example\r\n"
    found = stated(hop + "X-Received: by 2002:a05; now\r\n" + RECEIVED + field)
    assert found is not None
    assert (found.dmarc, found.dmarc_policy) == ("pass", "reject")
    assert stated(hop + RECEIVED + OTHER + field) is None
    assert stated("Received: by mx.acme.example (Postfix, from userid 1000) id 1; now\r\n" + RECEIVED + field) is None
