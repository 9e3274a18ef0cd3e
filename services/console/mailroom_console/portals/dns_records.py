"""DNS records that a mail domain has, and what the DNS says of them."""

from __future__ import annotations

from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.resolver
from mailroom_mail.trust.dns_lookup import host_and_port

_PATIENCE_S = 6.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record to set. `kind`: mx, spf, dkim or proof; `value` as it is typed at a DNS provider; "" while it has to be made."""

    kind: str
    type: str
    name: str
    value: str


async def looked_up(server: str, record: Record) -> list[str]:
    """What the DNS says of a record; `server` as in `MAILROOM_DNS_SERVER`. Raises OSError without any server."""
    resolver = resolver_of(server)
    if resolver is None:
        raise OSError("this machine knows no DNS server")
    return await found(resolver, record)


async def found(resolver: dns.asyncresolver.Resolver, record: Record) -> list[str]:
    """What the DNS says; [] when there is no such record. Raises `DNSException`."""
    try:
        answer = await resolver.resolve(record.name, record.type, lifetime=_PATIENCE_S)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    if record.type == "MX":
        return [f"{item.preference} {item.exchange.to_text()}" for item in answer]
    return [b"".join(item.strings).decode("utf-8", "replace") for item in answer]


def resolver_of(server: str) -> dns.asyncresolver.Resolver | None:
    """The resolver of a server, or of this machine where none is named; None when that knows none."""
    try:
        resolver = dns.asyncresolver.Resolver(configure=not server)
    except dns.resolver.NoResolverConfiguration:
        return None
    if server:
        host, port = host_and_port(server)
        resolver.nameservers = [host]
        resolver.port = port
    return resolver
