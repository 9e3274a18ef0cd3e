"""SPF, DKIM, ARC and DMARC against a DNS server of the tests' own, with really signed mails."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import dkim
import pytest
from mailroom_mail import Forwarder, Resolver, dkim_sign, forwarded_verdict, forwarder_of

from .conftest import RAW, judge


@pytest.mark.parametrize(
    ("client_ip", "spf", "dmarc"),
    [
        ("192.0.2.1", "pass", "pass"),
        ("198.51.100.7", "pass", "pass"),
        ("203.0.113.9", "fail", "fail"),
        ("2001:db8::1", "fail", "fail"),
    ],
)
async def test_spf(zone: Any, resolver: Resolver, client_ip: str, spf: str, dmarc: str) -> None:
    found = await judge(resolver, client_ip=client_ip)
    assert (found.spf, found.spf_domain, found.dmarc, found.dmarc_policy) == (spf, "sender.test", dmarc, "reject")
    assert found.source == "computed"


async def test_null_sender_is_judged_by_helo(zone: Any, resolver: Resolver) -> None:
    zone.txt("mx.sender.test", "v=spf1 a -all")
    found = await judge(resolver, mail_from="", client_ip="198.51.100.7")
    assert (found.spf, found.spf_domain) == ("pass", "mx.sender.test")
    assert found.dmarc == "pass"  # aligned by the organisational domain


async def test_dkim_pass_fail_and_missing_key(zone: Any, resolver: Resolver, key: tuple[bytes, str]) -> None:
    signed = dkim_sign(RAW, "sender.test", "s1", key[0])
    found = await judge(resolver, signed, client_ip="203.0.113.9")
    assert [(one.domain, one.result, one.selector) for one in found.dkim] == [("sender.test", "pass", "s1")]
    assert (found.spf, found.dmarc) == ("fail", "pass")
    changed = signed.replace(b"Where is it?", b"Pay to me!")
    found = await judge(resolver, changed, client_ip="203.0.113.9")
    assert found.dkim[0].result == "fail"
    assert found.dmarc == "fail"
    found = await judge(resolver, dkim_sign(RAW, "sender.test", "gone", key[0]), client_ip="203.0.113.9")
    assert found.dkim[0].result == "permerror"
    assert found.dmarc == "fail"


async def test_foreign_signature_does_not_align(zone: Any, resolver: Resolver, key: tuple[bytes, str]) -> None:
    found = await judge(resolver, dkim_sign(RAW, "forwarder.test", "f1", key[0]), client_ip="203.0.113.9")
    assert found.dkim[0].result == "pass"
    assert found.dmarc == "fail"


async def test_several_signatures_one_good(zone: Any, resolver: Resolver, key: tuple[bytes, str]) -> None:
    signed = dkim_sign(dkim_sign(RAW, "sender.test", "s1", key[0]), "forwarder.test", "gone", key[0])
    found = await judge(resolver, signed, client_ip="203.0.113.9")
    assert [one.result for one in found.dkim] == ["permerror", "pass"]
    assert found.dmarc == "pass"


async def test_arc_and_a_forwarder_that_is_known(zone: Any, resolver: Resolver, key: tuple[bytes, str]) -> None:
    sealed = b"".join(
        dkim.arc_sign(
            b"Authentication-Results: forwarder.test; spf=pass smtp.mailfrom=sender.test\r\n" + RAW,
            b"f1",
            b"forwarder.test",
            key[0],
            b"forwarder.test",
            timestamp=1,
        )
    )
    found = await judge(
        resolver,
        sealed + b"Authentication-Results: forwarder.test; spf=pass smtp.mailfrom=sender.test\r\n" + RAW,
        client_ip="203.0.113.9",
    )
    assert (found.arc, found.arc_domain) == ("pass", "forwarder.test")
    assert (found.spf, found.dmarc) == ("fail", "fail")
    explained = forwarded_verdict(found, [Forwarder(arc_domain="forwarder.test")], "203.0.113.9")
    assert (explained.spf, explained.dmarc, explained.forwarded_by) == ("forwarded", "forwarded", "forwarder.test")
    assert forwarded_verdict(found, [Forwarder(arc_domain="other.test")], "203.0.113.9") == found
    broken = sealed.replace(b"b=", b"b=A", 1)
    assert (await judge(resolver, broken + RAW, client_ip="203.0.113.9")).arc == "fail"


async def test_forwarder_known_by_its_network_or_by_srs(zone: Any, resolver: Resolver) -> None:
    probe = await judge(
        resolver, client_ip="203.0.113.9", mail_from="SRS0=x=sender.test=ann@forwarder.test", from_domain="acme.example"
    )
    known = forwarder_of(probe, "203.0.113.9", own_domains=["acme.example"])
    assert known == Forwarder(spf_domain="forwarder.test", network="203.0.113.0/24")
    later = await judge(resolver, client_ip="203.0.113.80")
    assert later.spf == "fail"
    assert forwarded_verdict(later, [known], "203.0.113.80").spf == "forwarded"
    assert forwarded_verdict(later, [known], "198.51.100.80").spf == "fail"


async def test_subdomain_gets_the_policy_for_subdomains(zone: Any, resolver: Resolver) -> None:
    found = await judge(resolver, from_domain="news.sender.test", client_ip="203.0.113.9")
    assert (found.dmarc, found.dmarc_policy) == ("fail", "quarantine")


async def test_strict_alignment(zone: Any, resolver: Resolver) -> None:
    zone.txt("_dmarc.strict.test", "v=DMARC1; p=none; aspf=s")
    zone.txt("mail.strict.test", "v=spf1 ip4:192.0.2.1 -all")
    found = await judge(resolver, from_domain="strict.test", mail_from="a@mail.strict.test")
    assert (found.spf, found.dmarc, found.dmarc_policy) == ("pass", "fail", "none")


async def test_a_domain_aligns_in_every_spelling(zone: Any, resolver: Resolver) -> None:
    """The From field has its letters, the return path its A-labels (or the other way round): it is one domain."""
    ours = "xn--strae-oqa.test"
    zone.txt(f"_dmarc.{ours}", "v=DMARC1; p=reject; aspf=s")
    zone.txt(ours, "v=spf1 ip4:192.0.2.1 -all")
    for from_domain in ("straße.test", "STRASSE.test".replace("SS", "ẞ"), ours):
        found = await judge(resolver, from_domain=from_domain, mail_from=f"a@{ours}")
        assert (found.spf, found.dmarc, found.spf_domain) == ("pass", "pass", ours), from_domain


async def test_no_records(zone: Any, resolver: Resolver) -> None:
    found = await judge(resolver, from_domain="nothing.test", mail_from="a@nothing.test")
    assert (found.spf, found.dmarc, found.dmarc_policy, found.arc, found.dkim) == ("none", "none", None, "none", ())


async def test_broken_dns_is_a_temperror(zone: Any, resolver: Resolver, key: tuple[bytes, str]) -> None:
    zone.broken |= {"sender.test", "_dmarc.sender.test", "s1._domainkey.sender.test"}
    found = await judge(resolver, dkim_sign(RAW, "sender.test", "s1", key[0]))
    assert (found.spf, found.dkim[0].result, found.dmarc) == ("temperror", "temperror", "temperror")


async def test_one_broken_answer_is_not_held_against_the_sender(
    zone: Any, resolver: Resolver, key: tuple[bytes, str]
) -> None:
    zone.broken.add("s1._domainkey.sender.test")
    found = await judge(resolver, dkim_sign(RAW, "sender.test", "s1", key[0]), client_ip="203.0.113.9")
    assert (found.spf, found.dmarc) == ("fail", "temperror")


async def test_silent_dns_ends_in_time_and_never_blocks_the_loop(
    zone: Any, resolver: Resolver, key: tuple[bytes, str]
) -> None:
    zone.silent |= {"sender.test", "_dmarc.sender.test", "s1._domainkey.sender.test"}
    gaps: list[float] = []

    async def heartbeat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(heartbeat())
    start = time.monotonic()
    found = await judge(resolver, dkim_sign(RAW, "sender.test", "s1", key[0]), timeout_s=0.8)
    took = time.monotonic() - start
    beating.cancel()
    assert (found.spf, found.dkim[0].result, found.dmarc) == ("temperror", "temperror", "temperror")
    assert took < 2.5
    assert max(gaps) < 0.5


async def test_no_dns_at_all() -> None:
    resolver = Resolver("127.0.0.1:1")
    try:
        found = await judge(resolver, timeout_s=1.0)
    finally:
        resolver.close()
    assert (found.spf, found.dmarc) == ("temperror", "temperror")


async def test_answers_are_cached(zone: Any, resolver: Resolver) -> None:
    await judge(resolver)
    asked = len(zone.asked)
    assert asked
    await judge(resolver)
    assert len(zone.asked) == asked


async def test_what_is_remembered_is_judged_without_a_thread(
    zone: Any, resolver: Resolver, key: tuple[bytes, str]
) -> None:
    signed = dkim_sign(RAW, "sender.test", "s1", key[0])
    first = await judge(resolver, signed)
    asked = len(zone.asked)
    resolver.close()  # nothing can be done in a thread any more
    assert await judge(resolver, signed) == first
    assert (first.spf, first.dkim[0].result, first.dmarc) == ("pass", "pass", "pass")
    assert len(zone.asked) == asked


async def test_a_result_of_spf_is_not_taken_for_another_senders(zone: Any, resolver: Resolver) -> None:
    zone.txt("macro.test", "v=spf1 exists:%{l}.users.macro.test -all")
    zone.add("ann.users.macro.test", "A", "127.0.0.2")
    zone.txt("good.test", "v=spf1 ip4:192.0.2.1 -all")
    zone.txt("evil.test", "v=spf1 +all")
    for _ in range(2):
        assert (await judge(resolver, mail_from="ann@macro.test")).spf == "pass"
        assert (await judge(resolver, mail_from="bob@macro.test")).spf == "fail"
        assert (await judge(resolver, mail_from="a@good.test")).spf == "pass"
        assert (await judge(resolver, mail_from="a@good.test", client_ip="192.0.2.2")).spf == "fail"
        assert (await judge(resolver, mail_from="x@evil.test@good.test", client_ip="192.0.2.2")).spf != "pass"


async def test_answers_are_forgotten_in_time(zone: Any, resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await judge(resolver)).spf == "pass"
    zone.records[("sender.test", "TXT")] = ['"v=spf1 -all"']
    assert (await judge(resolver)).spf == "pass"
    now = time.time()
    monkeypatch.setattr("mailroom_mail.trust.dns_lookup.time.time", lambda: now + 61)
    assert (await judge(resolver)).spf == "fail"


async def test_long_records_come_over_tcp(zone: Any, resolver: Resolver) -> None:
    zone.txt("long.test", "v=spf1 " + " ".join(f"ip4:198.51.100.{n}" for n in range(100)) + " ip4:192.0.2.1 -all")
    found = await judge(resolver, mail_from="a@long.test")
    assert found.spf == "pass"
    assert zone.by_tcp


@pytest.mark.parametrize(
    "record", ["v=spf1 include:loop.test -all", "v=spf1 foo:bar", "v=spf1 a:%{z} -all", "v=spf1 redirect=loop.test"]
)
async def test_unusable_spf_records(zone: Any, resolver: Resolver, record: str) -> None:
    zone.txt("loop.test", record)
    assert (await judge(resolver, mail_from="a@loop.test")).spf == "permerror"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\0", b"DKIM-Signature: v=1; a=rsa-sha256; d=\xff; s=x; h=from; bh=x; b=y\r\n\r\n", b"DKIM-Signature: \r\nFrom: a@b\r\n\r\nx",
        b"ARC-Seal: i=1; a=rsa-sha256\r\nARC-Seal: i=x\r\nFrom: a@b\r\n\r\nx", b"no header at all", b"DKIM-Signature: v=1; a=x; b=====; bh=!!; d=a.test; s=s; h=from\nFrom: a@b\n\nx",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["", "nodot", "..", "x" * 300 + ".test", "ü.test", "a b.test"])
async def test_nothing_raises(zone: Any, resolver: Resolver, raw: bytes, where: str) -> None:
    found = await judge(resolver, raw, mail_from=f"a@{where}", from_domain=where, helo=where, client_ip="not an ip")
    assert found.dmarc in ("none", "fail", "temperror")


async def test_a_domain_that_was_seen_costs_no_question(
    zone: Any, resolver: Resolver, key: tuple[bytes, str], dns_server: Any
) -> None:
    """Within its records' time to live: neither a sender's records nor the names without any on the way up the tree."""
    zone.txt("s1._domainkey.news.sender.test", f"v=DKIM1; k=rsa; p={key[1]}")
    header = RAW.replace(b"ann@sender.test", b"ann@mail.news.sender.test")
    signed = dkim.sign(header, b"s1", b"news.sender.test", key[0], include_headers=[b"from", b"subject"]) + header
    question: dict[str, Any] = {"mail_from": "ann@mail.news.sender.test", "from_domain": "mail.news.sender.test"}
    first = await judge(resolver, signed, **question)
    assert (first.dmarc, first.dmarc_policy) == ("pass", "quarantine")
    assert 0 < len(dns_server.zone.asked) < 20
    dns_server.zone.asked.clear()
    again = await judge(resolver, signed.replace(b"Where is it", b"Where is it"), **question)
    assert again == first
    assert dns_server.zone.asked == []


@pytest.mark.parametrize(
    ("domain", "changes"),
    [
        ("sender.test", {"client_ip": "203.0.113.9"}),  # SPF with include, a and mx, to its end
        ("sender.test", {"client_ip": "198.51.100.7"}),
        ("sender.test", {"mail_from": ""}),
        ("sender.test", {"mail_from": "x@bounces.elsewhere.test"}),
        ("tax-refund.gov.test", {}),  # does not exist, below a registry
        ("a.b.c.d.e.f.g.h.nowhere.test", {}),
        ("nothing.test", {}),
    ],
)
async def test_what_fails_or_has_no_records_costs_no_second_question(
    zone: Any, resolver: Resolver, dns_server: Any, domain: str, changes: dict[str, Any]
) -> None:
    zone.txt("_dmarc.gov.test", "v=DMARC1; p=none; np=reject; psd=y")
    zone.txt("nothing.test", "no record that counts")
    question: dict[str, Any] = {"mail_from": f"one@{domain}", "from_domain": domain, **changes}
    first = await judge(resolver, RAW.replace(b"ann@sender.test", b"one@" + domain.encode()), **question)
    assert 0 < len(dns_server.zone.asked) < 20
    dns_server.zone.asked.clear()
    question |= {} if "mail_from" in changes else {"mail_from": f"another@{domain}"}
    again = await judge(resolver, RAW.replace(b"ann@sender.test", b"another@" + domain.encode()), **question)
    assert (again, dns_server.zone.asked) == (first, [])


async def test_a_forged_name_below_a_registry_that_asks_for_reject(zone: Any, resolver: Resolver) -> None:
    zone.txt("_dmarc.gov.test", "v=DMARC1; p=none; sp=none; np=reject; psd=y")
    zone.add("real.gov.test", "A", "192.0.2.7")
    forged = await judge(resolver, from_domain="tax-refund.gov.test", mail_from="x@else.test")
    assert (forged.dmarc, forged.dmarc_policy) == ("fail", "reject")
    real = await judge(resolver, from_domain="real.gov.test", mail_from="x@else.test")
    assert (real.dmarc, real.dmarc_policy) == ("fail", "none")
