"""Sender authentication on receipt: what is looked up, whose word replaces it, and when it is not tried at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from ipaddress import ip_address

import mailroom_mail
from mailroom_contracts import DkimResult, Verdicts
from mailroom_mail.trust.dns_lookup import Resolver
from mailroom_mail.trust.front_fields import is_local
from mailroom_runtime.intake import Understood

from .session import Delivery
from .settings import Network

_STRIKES = 3  # mails in a row for which DNS gave no answer in time
_PAUSE_S = 30.0


class NoJudge:
    """Verdicts switched off."""

    async def verdicts(self, delivery: Delivery, understood: Understood) -> Verdicts:
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
        fronts: Collection[Network] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = Resolver(server or None)
        self._has_server = bool(server)
        self._timeout = timeout_s
        self._authserv_ids = tuple(authserv_ids)
        self._fronts = tuple(fronts)
        self._clock = clock
        self._strikes = 0
        self._paused_until = float("-inf")

    def _is_front(self, client_ip: str) -> bool:
        address = ip_address(client_ip)
        return any(address in network for network in self._fronts)

    def close(self) -> None:
        """Let the look-up threads end."""
        self._resolver.close()

    async def verdicts(self, delivery: Delivery, understood: Understood) -> Verdicts:
        """The verdicts for one mail that was read."""
        front = delivery.from_front
        if not front and not self._has_server and is_local(delivery.client_ip):
            return Verdicts()
        now = self._clock()
        if now < self._paused_until:
            return Verdicts(spf="temperror", dmarc="temperror")
        mail, told = understood.mail, delivery.told
        from_domain = mail.from_.email.rpartition("@")[2].lower() if mail.from_ is not None else None
        found = await mailroom_mail.verdicts(
            delivery.raw,
            client_ip=told.client_ip if told is not None else delivery.client_ip or None,
            helo=(told.helo if told is not None else delivery.client_name) or None,
            mail_from=delivery.mail_from,
            from_domain=from_domain or None,
            resolver=self._resolver,
            authserv_trusted=self._authserv_ids if front else (),
            # the front server is not who sends the mail: its address says nothing about the sender
            is_front=self._is_front if front else None,
            local_clients=self._has_server,
            timeout_s=self._timeout,
            post=understood.kind.list_post,
            enclosed=mail.enclosed_source,
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
            list_author=found.list_author,
        )
