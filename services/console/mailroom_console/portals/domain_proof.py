"""Proof that a portal may have a mail domain: a TXT record that only who holds the domain can set.

Without it any portal of an installation could take the mail of a domain that another company means to bring tomorrow.
The record's value is bound to the portal and needs to be no secret: it says who set it, not who knows it.
"""

from __future__ import annotations

import dns.exception
from mailroom_contracts import ids

from mailroom_console.context import Console
from mailroom_console.languages import say
from mailroom_console.problems import Problem, conflict

from . import dns_records
from .public_providers import is_public

# RFC 2606 and RFC 6761: nobody has these, so on a stack for trying things out nobody can prove them.
_RESERVED = ("example", "test", "invalid", "localhost")


def record(portal_id: str, domain: str) -> dns_records.Record:
    """The record to set."""
    value = f"mailroom-portal={ids.derive('domain-proof', portal_id, domain)}"
    return dns_records.Record("proof", "TXT", f"_mailroom.{domain}", value)


def check_claimable(domain: str) -> None:
    """Raises `Problem` 409 `public_domain` for what no company may have, whoever asks."""
    if is_public(domain):
        raise conflict("public_domain", say("{domain} belongs to everybody: mail for it cannot be received here. Connect the mailbox as a Gmail or SMTP address instead.", domain=domain))  # fmt: skip


async def check(console: Console, portal_id: str, domain: str) -> None:
    """Look the record up. Raises `Problem` 409 `proof_missing` with `record`, or 503 while the DNS does not answer."""
    check_claimable(domain)
    if console.settings.seed == "local" and domain.rpartition(".")[2] in _RESERVED:
        return
    wanted = record(portal_id, domain)
    try:
        found = await dns_records.looked_up(console.settings.dns_server, wanted)
    except (dns.exception.DNSException, OSError) as error:
        raise Problem(
            503, "dns_unavailable", say("The DNS did not answer ({error}). Try again.", error=type(error).__name__)
        ) from None
    if wanted.value not in (text.strip() for text in found):
        raise conflict(
            "proof_missing",
            say("Show that {domain} is yours: set the TXT record {name} to {value}, then save again.", domain=domain, name=wanted.name, value=wanted.value),
            field="domains", record={"type": wanted.type, "name": wanted.name, "value": wanted.value},
        )  # fmt: skip
