"""Known forwarders: a mail that one of them hands over breaks SPF by nature, and that is not held against it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from .verdict_records import Forwarder, Verdicts


def forwarder_of(verdict: Verdicts, client_ip: str | None, own_domains: Iterable[str] = ()) -> Forwarder:
    """By what the server that handed over this mail can be known again: remembered by *Check forwarding*. Pure.

    `own_domains` are those that the probe itself was sent for and signed as: they say nothing of who forwards.
    """
    own = {domain.lower() for domain in own_domains}
    return Forwarder(
        spf_domain=verdict.spf_domain if verdict.spf == "pass" and verdict.spf_domain not in own else None,
        arc_domain=verdict.arc_domain if verdict.arc == "pass" else None,
        dkim_domain=next((one.domain for one in verdict.dkim if one.result == "pass" and one.domain not in own), None),
        network=_network(client_ip),
    )


def known_forwarder(verdict: Verdicts, known: Iterable[Forwarder], client_ip: str | None) -> str | None:
    """The name (domain or network) by which a mail shows that a known forwarder handed it over, or None. Pure."""
    signers = {one.domain for one in verdict.dkim if one.result == "pass" and one.domain}
    network = _network(client_ip)
    for one in known:
        if one.arc_domain and verdict.arc == "pass" and verdict.arc_domain == one.arc_domain:
            return one.arc_domain
        if one.spf_domain and verdict.spf == "pass" and verdict.spf_domain == one.spf_domain:
            return one.spf_domain
        if one.dkim_domain and one.dkim_domain in signers:
            return one.dkim_domain
        if one.network and one.network == network:
            return one.network
    return None


def forwarded_verdict(verdict: Verdicts, known: Iterable[Forwarder], client_ip: str | None) -> Verdicts:
    """The verdicts with what a known forwarder explains: SPF and DMARC failures become `forwarded`. Pure.

    Only a forwarder of that address can earn it; from anywhere else the verdicts stay as they are.
    """
    name = known_forwarder(verdict, known, client_ip)
    if name is None:
        return verdict
    return replace(
        verdict,
        spf="forwarded" if verdict.spf in ("fail", "softfail", "neutral", "permerror") else verdict.spf,
        dmarc="forwarded" if verdict.dmarc == "fail" else verdict.dmarc,
        forwarded_by=name,
    )


def _network(client_ip: str | None) -> str | None:
    """The /24 or /64 around an address."""
    if not client_ip:
        return None
    try:
        address = ipaddress.ip_address(client_ip.split("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
