"""Who hands mail on to an address: learned from a probe, or named by an administrator. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mailroom_contracts import EmailReceived, Forwarder

from mailroom_console.languages import say
from mailroom_console.mailboxes import domain_name, email_address
from mailroom_console.problems import Problem, invalid

MOST = 20
_DOMAIN_KINDS = ("spf_domain", "arc", "dkim")


def learned(received: EmailReceived, own_domains: set[str], *, allow_private: bool) -> list[Forwarder]:
    """The forwarder's marks on a probe: SPF domain, ARC sealer, DKIM signer; its host only where nothing else is.

    Our own domains say nothing: we sent the probe ourselves.
    """
    verdicts = received.verdicts
    found: list[Forwarder] = []

    def add(kind: str, value: str | None) -> None:
        if value and value.lower() not in own_domains:
            found.append(Forwarder(kind=kind, value=value.lower(), seen_at=received.received_at))

    if verdicts.spf == "pass":
        add("spf_domain", verdicts.spf_domain)
    if verdicts.arc == "pass":
        add("arc", verdicts.arc_domain)
    for signature in verdicts.dkim:
        if signature.result == "pass":
            add("dkim", signature.domain)
    if not found and received.envelope.client_ip:
        network = _host_network(received.envelope.client_ip, allow_private=allow_private)
        if network:
            add("network", network)
    return list({(f.kind, f.value): f for f in found}.values())


def merged(known: list[dict[str, Any]], new: list[Forwarder]) -> list[dict[str, Any]]:
    """Known and new forwarders: those that were named, and the newest of those that were learned."""
    everything = {(f["kind"], f["value"]): f for f in known}
    for forwarder in new:
        everything.pop((forwarder.kind, forwarder.value), None)
        everything[forwarder.kind, forwarder.value] = forwarder.model_dump(mode="json", exclude_none=True)
    by_hand = named_of(everything.values())
    return [*by_hand, *[f for f in everything.values() if f not in by_hand][-MOST:]]


def named_of(known: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that an administrator named: nothing was seen of them."""
    return [f for f in known if not f.get("seen_at")]


def given(wanted: Sequence[Mapping[str, Any]], known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The forwarders that are wanted, each `{kind, value}`; what was learned of one that stays is kept.

    Raises `Problem` 422 at `forwarders` for one that cannot be.
    """
    if len(wanted) > MOST * 3:
        raise invalid("forwarders", say("At most {most} lists and forwarders.", most=MOST * 3))
    before = {(f["kind"], f["value"]): f for f in known}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in wanted:
        kind = str(one.get("kind") or "")
        key = (kind, _value(kind, str(one.get("value") or "").strip()))
        found[key] = before.get(key, {"kind": key[0], "value": key[1]})
    return list(found.values())


def from_lines(text: str) -> list[dict[str, str]]:
    """What was typed, one on a line: a list's address, a domain (as which its server passes SPF, signs or seals), or a
    network."""
    found: list[dict[str, str]] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if "@" in line:
            found.append({"kind": "list", "value": line})
        elif "/" in line or line.replace(".", "").isdigit() or ":" in line:
            found.append({"kind": "network", "value": line})
        else:
            found += [{"kind": kind, "value": line} for kind in _DOMAIN_KINDS]
    return found


def as_lines(known: Iterable[Mapping[str, Any]]) -> str:
    """Forwarders as they are typed; a domain stands once for all that its server is known by."""
    return "\n".join(dict.fromkeys(str(f["value"]) for f in known))


def _value(kind: str, value: str) -> str:
    if kind == "list":
        try:
            return email_address(value)
        except Problem:
            raise invalid("forwarders", say("{value!r} is no address of a mailing list.", value=value[:80])) from None
    if kind in _DOMAIN_KINDS:
        return domain_name(value, "forwarders")
    if kind != "network":
        raise invalid(
            "forwarders", say("A forwarder's kind is list, {names} or network.", names=", ".join(_DOMAIN_KINDS))
        )
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise invalid("forwarders", say("{value!r} is no network such as 192.0.2.0/24.", value=value[:80])) from None
    if network.prefixlen < (16 if network.version == 4 else 32):
        raise invalid("forwarders", say("{value} is too large: everybody in it would be believed.", value=value[:80]))
    return str(network)


def _host_network(ip: str, *, allow_private: bool) -> str | None:
    """The host alone: its neighbours may be anybody's."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    if not address.is_global and not allow_private:
        return None
    return str(ipaddress.ip_network(address))
