"""Type the address, the rest is found: its provider by domain, then by MX host, then SRV (RFC 6186, RFC 8314), then Mail
Autoconfig. What was found is a proposal that is shown with where it comes from; nothing of it is used unseen.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
import httpx
from mailroom_mail.trust.dns_lookup import host_and_port
from mailroom_runtime.smtp import autoconfig
from mailroom_runtime.smtp.connect import is_public
from mailroom_runtime.smtp.presets import Preset, by_mx, preset_for

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.mailboxes import email_address

WITHIN_S = 8.0
EACH_S = 3.0


@dataclass(frozen=True, slots=True)
class Found:
    """A proposal. `source`: where it comes from, in words; `sign_in`: id of the provider to sign in at, where that is set up;
    `passwords`: whether the provider takes any."""

    preset: Preset
    source: str
    username: str = ""
    sign_in: str | None = None


async def look(console: Console, text: str) -> Found | None:
    """The submission server of an address; None when nobody says one. Raises `Problem` for what is no address."""
    email = email_address(text)
    domain = email.rpartition("@")[2]
    try:
        async with asyncio.timeout(WITHIN_S):
            found = (
                _by_domain(console, domain) or await _by_dns(console, domain) or await _by_autoconfig(console, email)
            )
    except TimeoutError:
        return None
    return None if found is None else replace(found, sign_in=found.sign_in or _provider_of(console, found.preset))


def shown(found: Found | None) -> dict[str, Any]:
    """As a form takes it."""
    if found is None:
        return {"found": False}
    preset = found.preset
    return {"found": True, "name": preset.name, "host": preset.host, "port": preset.port, "tls": preset.tls, "note": say(preset.note),
            "source": found.source, "username": found.username, "sign_in": found.sign_in,
            "passwords": preset.passwords}  # fmt: skip


def _by_domain(console: Console, domain: str) -> Found | None:
    for provider in console.providers.all():
        if domain in provider.domains and provider.host:
            known = preset_for(f"x@{domain}") or Preset(provider.name, provider.host, provider.port, provider.tls)
            return Found(known, say("{domain} is {name}’s", domain=domain, name=provider.name), sign_in=provider.id)
    known_preset = preset_for(f"x@{domain}")
    return (
        None
        if known_preset is None
        else Found(known_preset, say("{domain} is {name}’s", domain=domain, name=known_preset.name))
    )


def _provider_of(console: Console, preset: Preset) -> str | None:
    family = {"smtp.office365.com": "microsoft", "smtp-mail.outlook.com": "microsoft", "smtp.gmail.com": "google"}
    wanted = family.get(preset.host)
    for provider in console.providers.all():
        if provider.id == wanted or (provider.host and provider.host == preset.host):
            return provider.id
    return None


async def _by_dns(console: Console, domain: str) -> Found | None:
    resolver = _resolver(console)
    mx, implicit, starttls = await asyncio.gather(
        _ask(resolver, domain, "MX"), _ask(resolver, f"_submissions._tcp.{domain}", "SRV"),
        _ask(resolver, f"_submission._tcp.{domain}", "SRV"),
    )  # fmt: skip
    for row in sorted(mx, key=lambda r: int(r.preference)):
        host = str(row.exchange).rstrip(".").lower()
        if (preset := by_mx(host)) is not None:
            return Found(preset, say("{domain}’s mail goes to {host}", domain=domain, host=host))
    for rows, tls in ((implicit, "implicit"), (starttls, "starttls")):
        for row in sorted(rows, key=lambda r: (int(r.priority), -int(r.weight))):
            host = str(row.target).rstrip(".").lower()
            if host:  # a target of "." says that there is no such service (RFC 6186 section 3.4)
                return Found(
                    Preset(domain, host, int(row.port), tls), say("{domain} says so in DNS (SRV)", domain=domain)
                )
    return None


async def _by_autoconfig(console: Console, email: str) -> Found | None:
    """The provider's own document, over https only, from public addresses only, and no further than it was asked."""
    domain = email.rpartition("@")[2]
    for host, path in (
        (f"autoconfig.{domain}", "/mail/config-v1.1.xml"),
        (domain, "/.well-known/autoconfig/mail/config-v1.1.xml"),
    ):
        document = await fetch(console, host, path)
        if document and (read := autoconfig.submission(document, email)) is not None:
            return Found(read[0], say("https://{host} says so", host=host), username=read[1])
    return None


async def fetch(
    console: Console, host: str, path: str, resolve: Callable[[str], Awaitable[list[str]]] | None = None, port: int = 443,
    ends_s: float = EACH_S,
) -> bytes | None:  # fmt: skip
    """A small document over https, from the very address that was looked at (no second look-up), without redirects."""
    addresses = await (resolve or (lambda name: _addresses(console, name)))(host)
    usable = [a for a in addresses if console.settings.allow_private_hosts or is_public(a)]
    if not usable:
        return None
    ip = f"[{usable[0]}]" if ":" in usable[0] else usable[0]
    body, ends = bytearray(), time.monotonic() + ends_s
    try:
        async with asyncio.timeout(ends_s), console.http.stream(
            "GET", f"https://{ip}:{port}{path}", headers={"Host": host, "Accept": "text/xml, application/xml"},
            extensions={"sni_hostname": host}, follow_redirects=False, timeout=ends_s,
        ) as answer:  # fmt: skip
            if answer.status_code != 200:
                return None
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > autoconfig.LARGEST or time.monotonic() > ends:
                    return None
    except (httpx.HTTPError, TimeoutError, ValueError):
        return None
    return bytes(body)


async def _addresses(console: Console, host: str) -> list[str]:
    resolver = _resolver(console)
    found = await asyncio.gather(_ask(resolver, host, "A"), _ask(resolver, host, "AAAA"))
    return [str(ipaddress.ip_address(str(row))) for rows in found for row in rows]


async def _ask(resolver: dns.asyncresolver.Resolver, name: str, kind: str) -> list[Any]:
    try:
        return list(await resolver.resolve(name, kind, search=False))[:20]
    except dns.exception.DNSException:
        return []


def _resolver(console: Console) -> dns.asyncresolver.Resolver:
    server = console.settings.dns_server
    if not server:
        try:
            resolver = dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            resolver = dns.asyncresolver.Resolver(configure=False)
    else:
        host, port = host_and_port(server)
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host], port
    resolver.lifetime = EACH_S
    return resolver
