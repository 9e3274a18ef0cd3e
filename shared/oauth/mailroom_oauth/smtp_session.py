"""A signed-in SMTP session for an address that signs in at its provider."""

from __future__ import annotations

import aiosmtplib
from mailroom_contracts import Address
from mailroom_runtime.smtp.connect import Access, open_session
from mailroom_runtime.smtp.trouble import SmtpTrouble

from .keeper import Keeper
from .trouble import OAuthTrouble, ProviderAway


class SignedIn:
    """Opens sessions with tokens of the keeper. A refused token is renewed once, and not again before one was taken."""

    def __init__(self, keeper: Keeper, address: Address, access: Access) -> None:
        self._keeper, self._address, self._access = keeper, address, access
        self._renewed = False

    async def open(self) -> aiosmtplib.SMTP:
        """A session that may send. Raises `SmtpTrouble`."""
        account = self._address.smtp
        assert account is not None
        token = await self._token()
        try:
            session = await open_session(account, token, self._access)
        except SmtpTrouble as trouble:
            if trouble.code != "token_refused" or self._renewed:
                raise
            self._renewed = True
            session = await open_session(account, await self._token(refused=token), self._access)
        self._renewed = False
        return session

    async def _token(self, refused: str | None = None) -> str:
        try:
            return await self._keeper.token(self._address, refused=refused)
        except ProviderAway as trouble:
            raise SmtpTrouble("login_unavailable", str(trouble), temporary=True) from None
        except OAuthTrouble as trouble:
            raise SmtpTrouble("sign_in_needed", str(trouble)) from None
