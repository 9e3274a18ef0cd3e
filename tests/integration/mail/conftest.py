"""A DNS server of a test's own, with a sender's records in it, and a mail that is judged by them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mailroom_mail import Resolver, Verdicts, verdicts
from support.dns_server import DnsServer, Zone

RAW = (
    b"Received: from mx.sender.test by acme.example; Tue, 24 Nov 2026 12:00:00 +0000\r\nFrom: Ann <ann@sender.test>\r\nTo: support@acme.example\r\n"
    b"Subject: Where is my order\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@sender.test>\r\n\r\nWhere is it?\r\n"
)
DMARC_REJECT = "v=DMARC1; p=reject; sp=quarantine"


@pytest.fixture
async def dns_server() -> AsyncIterator[DnsServer]:
    """A DNS server on loopback: `.zone` for its records, `.address` for HOST:PORT."""
    async with DnsServer() as server:
        yield server


@pytest.fixture(scope="module")
def key() -> tuple[bytes, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, base64.b64encode(public).decode()


@pytest.fixture
def resolver(dns_server: DnsServer) -> Iterator[Resolver]:
    made = Resolver(dns_server.address)
    yield made
    made.close()


@pytest.fixture
def zone(dns_server: DnsServer, key: tuple[bytes, str]) -> Zone:
    zone = dns_server.zone
    zone.txt("sender.test", "v=spf1 ip4:192.0.2.0/24 include:_spf.sender.test -all")
    zone.txt("_spf.sender.test", "v=spf1 a:mx.sender.test mx ~all")
    zone.add("mx.sender.test", "A", "198.51.100.7")
    zone.add("_spf.sender.test", "MX", "10 mx.sender.test.")
    zone.txt("_dmarc.sender.test", DMARC_REJECT)
    zone.txt("s1._domainkey.sender.test", f"v=DKIM1; k=rsa; p={key[1]}")
    zone.txt("f1._domainkey.forwarder.test", f"v=DKIM1; k=rsa; p={key[1]}")
    zone.txt("forwarder.test", "v=spf1 ip4:203.0.113.0/24 -all")
    return zone


async def judge(resolver: Resolver, raw: bytes = RAW, **changes: Any) -> Verdicts:
    values: dict[str, Any] = {
        "client_ip": "192.0.2.1", "helo": "mx.sender.test", "mail_from": "ann@sender.test", "from_domain": "sender.test",
        "resolver": resolver,
    }  # fmt: skip
    return await verdicts(raw, **{**values, **changes})
