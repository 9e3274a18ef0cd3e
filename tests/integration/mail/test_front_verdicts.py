"""Behind a trusted front server: its word counts, and the client that it names is the one that is judged."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_mail import Resolver

from .conftest import RAW, judge

NOBODY = "203.0.113.77".__eq__  # the one front that there is


async def test_trusted_front_server_is_believed_and_nobody_else(zone: Any, resolver: Resolver) -> None:
    line = (
        b"Authentication-Results: front.acme.example; spf=pass smtp.mailfrom=ann@sender.test;\r\n dkim=pass header.d=sender.test header.s=s1; "
        b"dmarc=fail (p=REJECT sp=NONE) header.from=sender.test; arc=pass\r\n"
    )
    found = await judge(
        resolver, line + RAW, client_ip="203.0.113.9", authserv_trusted=["front.acme.example"], is_front=NOBODY
    )
    assert found.source == "front.acme.example"
    assert (found.spf, found.spf_domain, found.dkim[0].domain, found.dmarc, found.arc) == (
        "pass",
        "sender.test",
        "sender.test",
        "fail",
        "pass",
    )
    assert found.dmarc_policy == "reject"
    forged = await judge(resolver, line + RAW, client_ip="203.0.113.9")
    assert (forged.source, forged.spf) == ("computed", "fail")
    question: dict[str, Any] = {"client_ip": "203.0.113.77", "is_front": NOBODY}
    other = await judge(resolver, line + RAW, authserv_trusted=["other.acme.example"], **question)
    assert (other.source, other.spf, other.dmarc) == ("computed", "none", "none")
    assert (await judge(resolver, line + RAW, client_ip="203.0.113.9")).source == "computed"


FRONT = (
    b"Received: from mx.sender.test (unknown [%s])\r\n\tby front.acme.example (Postfix) with ESMTP id 1;\r\n"
    b"\tMon, 30 Nov 2026 04:49:35 +0000\r\n"
)


@pytest.mark.parametrize(
    ("header", "spf", "dmarc"),
    [
        (FRONT % b"192.0.2.1", "pass", "pass"),
        (FRONT % b"203.0.113.9", "fail", "fail"),
        # filters hand the mail around on the same machine, and between fronts
        (b"Received: from localhost (localhost [127.0.0.1]) by front.acme.example (Postfix)\r\n" + FRONT % b"192.0.2.1", "pass", "pass"),
        (FRONT % b"203.0.113.77" + FRONT % b"192.0.2.1", "pass", "pass"),
        # what the client claims below counts for nothing
        (FRONT % b"203.0.113.9" + FRONT % b"192.0.2.1", "fail", "fail"),
        (b"Received-SPF: pass (mailfrom) client-ip=192.0.2.1; helo=x; envelope-from=ann@sender.test\r\n", "pass", "pass"),
        # a front that says nothing at all: not known, and no failure
        (b"", "none", "none"),
        (b"Received: by front.acme.example (Postfix, from userid 1000)\r\n", "none", "none"),
    ],
)  # fmt: skip
async def test_behind_a_front_the_client_is_whom_the_front_names(
    zone: Any, resolver: Resolver, header: bytes, spf: str, dmarc: str
) -> None:
    mail = RAW.partition(b"\r\n")[2]  # without the Received of its own
    found = await judge(resolver, header + mail, client_ip="203.0.113.77", helo="front.acme.example", is_front=NOBODY)
    assert (found.spf, found.dmarc, found.dmarc_policy, found.source) == (spf, dmarc, "reject", "computed")


@pytest.mark.parametrize("told", [None, "127.0.0.1", "::1", "203.0.113.77"])
async def test_a_filter_that_hands_mail_back_to_its_front_is_not_the_client(
    zone: Any, resolver: Resolver, told: str | None
) -> None:
    """XFORWARD names the filter of the front, which gave the mail back by SMTP: Received says who brought it."""
    head = (
        b"Received: from localhost (localhost [127.0.0.1]) by front.acme.example (Postfix)\r\n" + FRONT % b"192.0.2.1"
    )
    found = await judge(resolver, head + RAW.partition(b"\r\n")[2], client_ip=told, helo="localhost", is_front=NOBODY)
    assert (found.spf, found.dmarc) == ("pass", "pass")


async def test_what_a_front_left_out_is_found_out_here(zone: Any, resolver: Resolver) -> None:
    line = b"Authentication-Results: front.acme.example; spf=pass smtp.mailfrom=ann@sender.test\r\n"
    trusted: dict[str, Any] = {"authserv_trusted": ["front.acme.example"], "is_front": NOBODY, "client_ip": None}
    found = await judge(resolver, line + FRONT % b"203.0.113.9" + RAW, **trusted)
    assert (found.spf, found.dmarc, found.source) == ("pass", "pass", "front.acme.example")
