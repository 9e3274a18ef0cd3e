"""Who may receive here: the decision about one recipient. Pure; the tables are passed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from mailroom_contracts import Address, Portal
from mailroom_mail import ascii_domain

from .paths import Path
from .replies import LATER_RECIPIENT, NO_RELAY, UNKNOWN, UNKNOWN_INACTIVE, Reply


class Directory(Protocol):
    """The part of the configuration tables that decides about recipients."""

    def address_by_email(self, email: str) -> Address | None: ...

    def portal_of_domain(self, domain: str) -> Portal | None: ...

    def addresses_of_portal(self, portal_id: str) -> Iterator[Address]: ...

    def home_domain(self) -> str | None:
        """The domain of the only portal; None where there are several: then a bare `<postmaster>` is nobody's."""
        ...

    def fresh(self) -> bool:
        """Whether the view was confirmed lately: only then may somebody be turned away for good."""
        ...


@dataclass(frozen=True, slots=True)
class Recipient:
    """An accepted recipient. `email` is as sent, domain in lower case, with its plus part."""

    email: str
    portal_id: str
    address_id: str


def decide(path: Path, directory: Directory) -> Recipient | Reply:
    """Accept the recipient, or the reply that refuses it.

    Accepted are active addresses of an active portal that hosts their domain, also with `+anything` after the local
    part. `postmaster` reaches somebody at every domain of ours that has an active address (RFC 5321 section 4.5.1).
    Nothing is relayed. A refusal for good needs a fresh view, otherwise the client is asked to come again.
    """
    domain, portal = _hosted(path.domain or directory.home_domain() or "", directory)
    if portal is None or not portal.active:
        if not directory.fresh():
            return LATER_RECIPIENT
        return NO_RELAY if path.domain else UNKNOWN
    inactive = False
    for local in _candidates(path.local):
        address = directory.address_by_email(f"{local}@{domain}")
        if address is None or address.portal_id != portal.id:
            continue
        if address.active:
            return Recipient(f"{path.local}@{path.domain.lower()}", portal.id, address.id)
        inactive = True
    if path.local.lower() == "postmaster" and not inactive:
        stand_in = postmaster(portal, domain, directory)
        if stand_in is not None:
            # named by the address itself, so that the router need not know of postmasters
            return Recipient(stand_in.email, portal.id, stand_in.id)
    if not directory.fresh():
        return LATER_RECIPIENT
    return UNKNOWN_INACTIVE if inactive else UNKNOWN


def postmaster(portal: Portal, domain: str, directory: Directory) -> Address | None:
    """Who reads the domain's postmaster mail where nobody has that address: its first internal address."""
    ours = [
        address
        for address in directory.addresses_of_portal(portal.id)
        if address.active and address.kind == "internal" and address.email.lower().rpartition("@")[2] == domain
    ]
    return min(ours, key=lambda address: address.email, default=None)


def _hosted(domain: str, directory: Directory) -> tuple[str, Portal | None]:
    """The domain as names are compared (RFC 5890: A-labels), and its portal. What can be no domain is nobody's."""
    try:
        name = ascii_domain(domain)
    except ValueError:
        return domain.lower(), None
    return name, directory.portal_of_domain(name)


def _candidates(local: str) -> Iterator[str]:
    """The local part, then without its last +part, and so on: an address may have a plus of its own."""
    local = local.lower()
    while local:
        yield local
        local, plus, _ = local.rpartition("+")
        if not plus:
            return
