"""Verdicts travel with the event: computed by DNS, taken from a front server, or left out; none of them refuses mail."""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import Callable
from typing import Any

import aiosmtplib
import pytest
from mailroom_contracts import EmailReceived
from support.dns_server import DnsServer

from .conftest import Intake

RAW = b"From: Ann <ann@sender.example>\r\nTo: support@acme.example\r\nSubject: %s\r\nMessage-ID: <%s@x>\r\n%s\r\nhello\r\n"


async def send(intake: Intake, subject: bytes, headers: bytes = b"") -> EmailReceived:
    """Send a mail of ann@sender.example; its event."""
    code, text = await aiosmtplib.send(
        RAW % (subject, subject, headers), sender="ann@sender.example", recipients=["support@acme.example"],
        hostname="127.0.0.1", port=intake.smtp_port, start_tls=False,
    )  # fmt: skip
    assert code == {}, text
    events = [e for e in await asyncio.to_thread(intake.received) if e.content.subject == subject.decode()]
    assert len(events) == 1
    return events[0]


async def test_computed_by_dns(make_intake: Callable[..., Intake]) -> None:
    async with DnsServer() as dns:
        intake = await asyncio.to_thread(make_intake, dns_server=dns.address, verdicts_timeout_s=1.5)
        dns.zone.txt("sender.example", "v=spf1 ip4:127.0.0.1 -all")
        dns.zone.txt("_dmarc.sender.example", "v=DMARC1; p=reject")
        good = await send(intake, b"good")
        assert (good.verdicts.spf, good.verdicts.spf_domain) == ("pass", "sender.example")
        assert (good.verdicts.dmarc, good.verdicts.dmarc_policy) == ("pass", "reject")
        assert not good.content.spam
        dns.zone.records.clear()
        dns.zone.txt("other.example", "v=spf1 -all")
        dns.zone.txt("_dmarc.other.example", "v=DMARC1; p=reject")
        raw = (RAW % (b"forged", b"forged", b"")).replace(b"sender.example", b"other.example")
        await aiosmtplib.send(raw, sender="ann@other.example", recipients=["support@acme.example"],
                              hostname="127.0.0.1", port=intake.smtp_port, start_tls=False)  # fmt: skip
        (forged,) = [e for e in await asyncio.to_thread(intake.received) if e.content.subject == "forged"]
        assert (forged.verdicts.spf, forged.verdicts.dmarc) == ("fail", "fail")
        assert forged.content.spam  # DMARC says reject: accepted, but nobody answers it automatically
        dns.zone.silent |= {"slow.example", "_dmarc.slow.example"}
        began = time.monotonic()
        raw = (RAW % (b"slow", b"slow", b"")).replace(b"sender.example", b"slow.example")
        await aiosmtplib.send(raw, sender="ann@slow.example", recipients=["support@acme.example"],
                              hostname="127.0.0.1", port=intake.smtp_port, start_tls=False)  # fmt: skip
        assert time.monotonic() - began < 20
        (slow,) = [e for e in await asyncio.to_thread(intake.received) if e.content.subject == "slow"]
        assert (slow.verdicts.spf, slow.verdicts.dmarc) == ("temperror", "temperror")
        assert not slow.content.spam


FRONT = (
    b"Authentication-Results: mx.front.example; spf=pass smtp.mailfrom=sender.example; dmarc=fail header.from=sender.example\r\n"
    b"X-Spam-Flag: YES\r\n"
)


async def test_a_front_servers_word_counts_only_from_its_network(
    make_intake: Callable[..., Intake], intake: Intake
) -> None:
    trusting = await asyncio.to_thread(
        make_intake, trusted_fronts="127.0.0.0/8", trusted_authserv_ids="mx.front.example", dns_server="127.0.0.1:1"
    )
    believed = await send(trusting, b"believed", FRONT)
    assert (believed.verdicts.spf, believed.verdicts.dmarc) == ("pass", "fail")
    assert believed.verdicts.source == "mx.front.example"
    assert believed.content.spam
    forged = await send(intake, b"forged-front", FRONT)
    assert (forged.verdicts.spf, forged.verdicts.dmarc, forged.verdicts.source) == ("none", "none", "computed")
    assert not forged.content.spam


@pytest.mark.parametrize("settings", [{"verdicts": "false"}, {"dns_server": "127.0.0.1:1"}], ids=["off", "no-dns"])
def test_without_dns_mail_comes_in_all_the_same(make_intake: Callable[..., Intake], settings: dict[str, Any]) -> None:
    intake = make_intake(**settings)
    with smtplib.SMTP("127.0.0.1", intake.smtp_port, local_hostname="client.example") as client:
        for number in range(5):
            name = b"%d" % number
            assert client.sendmail("ann@sender.example", ["support@acme.example"], RAW % (name, name, b"")) == {}
    events = intake.received()
    assert len(events) == 5
    assert {event.verdicts.spf for event in events} == ({"none"} if "verdicts" in settings else {"temperror"})
    assert not any(event.content.spam for event in events)


def test_a_wrong_dns_server_stops_the_start(make_intake: Callable[..., Intake]) -> None:
    intake = make_intake(ready=False, configured=False, dns_server="127.0.0.1:dns")
    assert intake.process.wait(30) != 0
    assert "MAILROOM_DNS_SERVER" in intake.process.output()
