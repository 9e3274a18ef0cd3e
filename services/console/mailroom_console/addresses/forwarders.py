"""Who forwarded a probe: what later tells this forwarder's mail from a stranger's. Pure."""

from __future__ import annotations

import ipaddress
from typing import Any

from mailroom_contracts import EmailReceived, Forwarder

MOST = 20


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
    """Known and new forwarders, the newest kept."""
    everything = {(f["kind"], f["value"]): f for f in known}
    for forwarder in new:
        everything.pop((forwarder.kind, forwarder.value), None)
        everything[forwarder.kind, forwarder.value] = forwarder.model_dump(mode="json", exclude_none=True)
    return list(everything.values())[-MOST:]


def _host_network(ip: str, *, allow_private: bool) -> str | None:
    """The host alone: its neighbours may be anybody's."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    if not address.is_global and not allow_private:
        return None
    return str(ipaddress.ip_network(address))
