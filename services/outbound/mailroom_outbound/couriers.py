"""Which courier an address sends through, by its kind. A further kind is one more entry in `Couriers.makers`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import aiosmtplib
from mailroom_contracts import Address, SmtpAccount
from mailroom_gmail import GmailClient, GoogleSettings, kept_token
from mailroom_mail import dkim_sign
from mailroom_oauth import Keeper, SignedIn
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.seals.sealing import SealBroken
from mailroom_runtime.smtp.connect import Access, open_session

from .courier import Courier
from .gmail import GmailCourier, UnderWay
from .session import Session
from .settings import OutboundSettings
from .smtp import SmtpCourier, pool_of, session_pool

log = get_logger()


class AccountBroken(Exception):
    """There is no way to send from this address until a person mends it; the message says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """A courier, how many mails it takes at once, and how many more may be in hand for each: their attempts are recorded
    while others are sent. After a crash those count as uncertain too, so a near server gets many, a far one few."""

    courier: Courier
    slots: int = 1
    ahead: int = 1


Maker = Callable[[Address], Made]


class Couriers:
    """Makes couriers. `make` raises `AccountBroken`."""

    def __init__(
        self,
        settings: OutboundSettings,
        tables: ConfigTables,
        access: Access | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._settings, self._tables = settings, tables
        self._sealer = settings.sealer()
        self._access = access or Access(
            allow_private=settings.allow_private_hosts,
            ca_file=settings.smtp_ca_file,
            dns_server=settings.dns_server,
            timeout_s=settings.connect_timeout_s,
            helo_name=settings.helo_name or None,
        )
        self._google, self._keeper = GoogleSettings(), keeper
        self._threads = ThreadPoolExecutor(settings.gmail_threads, thread_name_prefix="gmail")
        self._handing_over: UnderWay = {}
        self.makers: dict[str, Maker] = {
            "internal": self._through_relay,
            "smtp": self._through_account,
            "gmail": self._through_gmail,
        }

    def make(self, address: Address) -> Made:
        """The courier of an address as it is configured now."""
        maker = self.makers.get(address.kind)
        if maker is None:
            raise AccountBroken(f"Nothing here can send from an address of kind {address.kind}.")
        return maker(address)

    async def works(self, address: Address) -> bool:
        """Sign in and leave again. False: nothing can be said about this kind. Raises `SmtpTrouble`, `AccountBroken`."""
        account = address.smtp
        if address.kind != "smtp" or account is None:
            return False
        client = await self._sign_in(address, account)()
        await Session.over(client).leave()
        return True

    def open_secret(self, sealed: str | None, bound_to: str) -> str:
        """A sealed secret's content. Raises `AccountBroken`, without repeating it."""
        if sealed is None:
            raise AccountBroken("No password is stored. Enter it again.")
        if self._sealer is None:
            raise AccountBroken("The stored password cannot be opened here: MAILROOM_SECRET_KEYS is empty.")
        try:
            return self._sealer.open(sealed, bound_to=bound_to)
        except SealBroken as error:
            raise AccountBroken(f"The stored password cannot be opened: {error}. Enter it again.") from None

    def _through_relay(self, address: Address) -> Made:
        account, password = self._settings.relay()
        # the operator chose this server, so it may be anywhere
        pool = session_pool(account, password, replace(self._access, allow_private=True, dns_server=""))
        domain = address.email.rpartition("@")[2].lower()

        async def sign(raw: bytes) -> bytes:
            return await self._signed(raw, address, domain)

        return Made(SmtpCourier(pool, sign=sign, waits=self._settings.waits()), slots=account.max_connections, ahead=24)

    def _through_account(self, address: Address) -> Made:
        account = address.smtp
        if account is None:
            raise AccountBroken("It has no SMTP server.")
        pool = pool_of(account, self._sign_in(address, account))
        courier = SmtpCourier(pool, host=account.host, waits=self._settings.waits())
        return Made(courier, slots=max(account.max_connections, 1))

    def _sign_in(self, address: Address, account: SmtpAccount) -> Callable[[], Awaitable[aiosmtplib.SMTP]]:
        """How a session of a customer's own account is opened: with its password, or with tokens of its provider."""
        if account.auth == "oauth":
            if self._keeper is None or not account.secret:
                raise AccountBroken("Nobody is signed in for this address. Sign in.")
            return SignedIn(self._keeper, address, self._access).open
        password = self.open_secret(account.secret, address.id) if account.username else None
        return lambda: open_session(account, password, self._access)

    def _through_gmail(self, address: Address) -> Made:
        if address.gmail is None or not address.gmail.secret:
            raise AccountBroken("It is not connected with Google. Press Reconnect.")
        try:
            token = kept_token(self.open_secret(address.gmail.secret, address.id))
        except ValueError as error:
            raise AccountBroken(f"It cannot be opened: {error}. Press Reconnect.") from None
        client = GmailClient(self._google, token, self._threads)
        return Made(
            GmailCourier(
                client, self._handing_over, settle_s=self._google.timeout_s, within_s=self._settings.send_timeout_s
            )
        )

    async def _signed(self, raw: bytes, address: Address, domain: str) -> bytes:
        """The mail with the portal's DKIM signature, where it has a key for the domain."""
        portal = self._tables.book.portals.get(address.portal_id)
        key = next((k for k in portal.dkim if k.domain.lower() == domain), None) if portal is not None else None
        if portal is None or key is None:
            return raw
        try:
            pem = self.open_secret(key.secret, portal.id)
            return await asyncio.to_thread(dkim_sign, raw, key.domain, key.selector, pem.encode())
        except (AccountBroken, ValueError) as error:
            # unsigned mail may still arrive (SPF); mail that is not sent certainly does not
            log.error("dkim.not_signed", portal_id=portal.id, domain=domain, reason=str(error))
            return raw
