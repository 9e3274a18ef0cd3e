"""Sender authentication on receipt: what is looked up, whose word replaces it, and when it is not tried at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import ip_address

import mailroom_mail
from mailroom_contracts import DkimResult, Verdicts
from mailroom_mail.trust.dns_lookup import Resolver

from .session import Delivery

_STRIKES = 3  # mails in a row for which DNS gave no answer in time
_PAUSE_S = 30.0


class NoJudge:
    """Verdicts switched off."""

    async def verdicts(self, delivery: Delivery, from_domain: str | None) -> Verdicts:
        return Verdicts(source="off")


class DnsJudge:
    """SPF, DKIM, ARC and DMARC by DNS, within `timeout_s`; a trusted front server's results in their place.

    Clients on loopback and private networks are not looked up unless a DNS server is set: nothing in public DNS speaks
    of them. When DNS answers nothing for several mails in a row, it is left alone for a while (temperror at once), so
    that a broken DNS does not slow down the mail.
    """

    def __init__(
        self,
        *,
        server: str,
        timeout_s: float,
        authserv_ids: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = Resolver(server or None)
        self._has_server = bool(server)
        self._timeout = timeout_s
        self._authserv_ids = tuple(authserv_ids)
        self._clock = clock
        self._strikes = 0
        self._paused_until = float("-inf")

    def close(self) -> None:
        """Let the look-up threads end."""
        self._resolver.close()

    async def verdicts(self, delivery: Delivery, from_domain: str | None) -> Verdicts:
        """The verdicts for one mail; `from_domain` is that of its From field."""
        front = delivery.from_front
        if not front and not self._has_server and is_local(delivery.client_ip):
            return Verdicts()
        now = self._clock()
        if now < self._paused_until:
            return Verdicts(spf="temperror", dmarc="temperror")
        found = await mailroom_mail.verdicts(
            delivery.raw,
            # the front server is not who sends the mail: its address says nothing about the sender
            client_ip=None if front else delivery.client_ip or None,
            helo=delivery.client_name or None,
            mail_from=delivery.mail_from,
            from_domain=from_domain,
            resolver=self._resolver,
            authserv_trusted=self._authserv_ids if front else (),
            timeout_s=self._timeout,
        )
        late = self._clock() - now >= 0.9 * self._timeout and "temperror" in (found.spf, found.dmarc)
        self._strikes = self._strikes + 1 if late else 0
        if self._strikes >= _STRIKES:
            self._strikes, self._paused_until = 0, self._clock() + _PAUSE_S
        return Verdicts(
            spf=found.spf,
            spf_domain=found.spf_domain,
            dkim=[DkimResult(domain=one.domain, result=one.result, selector=one.selector) for one in found.dkim],
            dmarc=found.dmarc,
            dmarc_policy=found.dmarc_policy,
            arc=found.arc,
            arc_domain=found.arc_domain,
            source=found.source,
            forwarded_by=found.forwarded_by,
        )


@lru_cache(maxsize=4096)
def is_local(client_ip: str) -> bool:
    """Whether an address is loopback, private or link-local (RFC 6890); an unreadable one is."""
    try:
        address = ip_address(client_ip.partition("%")[0])
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_private or mapped.is_link_local)
