"""The DNS records that a mail domain needs (MX, SPF, DKIM), and a check of each against the DNS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import dns.exception

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.principals import CONFIG, Principal
from mailroom_console.problems import invalid

from . import dkim_keys
from .dns_records import Record, found, resolver_of


@dataclass(frozen=True, slots=True)
class Check:
    """How a record stands. `state`: right, missing, wrong or unknown; `found`: what the DNS says."""

    record: Record
    state: str
    reason: str
    found: tuple[str, ...] = ()


async def wanted(console: Console, principal: Principal, domains: Sequence[str]) -> dict[str, list[Record]]:
    """The records to set for each of the portal's domains."""
    keys = await dkim_keys.published(console, principal)
    return {domain: _wanted(console, domain, keys.get(domain)) for domain in domains}


def _wanted(console: Console, domain: str, key: dict[str, str] | None) -> list[Record]:
    host = mail_host(console.settings.url)
    name = f"{key['selector'] if key else 'mailroom1'}._domainkey.{domain}"
    return [
        Record("mx", "MX", domain, f"10 {host}."),
        Record("spf", "TXT", domain, f"v=spf1 a:{host} ~all"),
        Record("dkim", "TXT", name, key["record"] if key else ""),
    ]


def mail_host(url: str) -> str:
    """The host that takes mail: the one that people reach the console at."""
    return urlsplit(url).hostname or "mail.example"


async def checked(console: Console, principal: Principal, domain: str, domains: Sequence[str]) -> list[Check]:
    """Look each record up and compare. Raises `Problem` 422 for a domain that is not the portal's."""
    principal.require(CONFIG)
    if domain not in domains:
        raise invalid("domain", say("This is not one of the portal's domains."))
    resolver = resolver_of(console.settings.dns_server)
    checks = []
    for record in (await wanted(console, principal, [domain]))[domain]:
        if not record.value:
            checks.append(Check(record, "missing", say("No key has been made yet.")))
            continue
        if resolver is None:
            checks.append(Check(record, "unknown", say("This machine knows no DNS server.")))
            continue
        try:
            said = await found(resolver, record)
        except (dns.exception.DNSException, OSError) as error:
            checks.append(
                Check(
                    record, "unknown", say("The DNS did not answer ({error}). Try again.", error=type(error).__name__)
                )
            )
            continue
        checks.append(judge(record, said))
    return checks


def judge(record: Record, found: Sequence[str]) -> Check:
    """Compare what is wanted with what was found. Pure."""
    if record.kind == "mx":
        return _judge_mx(record, found)
    marker = "v=spf1" if record.kind == "spf" else "v=dkim1"
    own = [text for text in found if text.lower().replace(" ", "").startswith(marker)]
    if record.kind == "dkim" and not own:
        own = [text for text in found if "p=" in text]
    if not own:
        return Check(record, "missing", say("There is no such record yet."), tuple(found[:5]))
    if len(own) > 1:
        return Check(record, "wrong", say("There are several such records; only one may be there."), tuple(own[:5]))
    if record.kind == "spf":
        host = record.value.split()[1].partition(":")[2].lower()
        terms = own[0].lower().split()
        if any(host in term or term.lstrip("+") in ("mx", "+all") for term in terms[1:]):
            return Check(record, "right", say("Mail from our server passes."), tuple(own))
        return Check(record, "wrong", say("It does not name {host}: add a:{host} to it.", host=host), tuple(own))
    wanted_key, found_key = _key(record.value), _key(own[0])
    if wanted_key == found_key:
        return Check(record, "right", say("Signatures can be checked with it."), tuple(own))
    return Check(record, "wrong", say("It holds another key."), tuple(own))


def _judge_mx(record: Record, found: Sequence[str]) -> Check:
    host = record.value.split()[-1].rstrip(".").lower()
    ordered = sorted(found, key=_preference)
    hosts = [text.split()[-1].rstrip(".").lower() for text in ordered]
    if not hosts:
        return Check(record, "missing", say("There is no such record yet."))
    if hosts[0] == host:
        return Check(record, "right", say("Mail comes to us."), tuple(ordered[:5]))
    if host in hosts:
        return Check(record, "wrong", say("Mail goes to {host} first.", host=hosts[0]), tuple(ordered[:5]))
    return Check(record, "wrong", say("Mail goes to {host}.", host=hosts[0]), tuple(ordered[:5]))


def _preference(text: str) -> int:
    number = text.split()[0] if text.split() else ""
    return int(number) if number.isascii() and number.isdigit() else 99_999


def _key(text: str) -> str:
    match = re.search(r"p=([A-Za-z0-9+/=\s]*)", text)
    return "".join(match.group(1).split()) if match else ""
