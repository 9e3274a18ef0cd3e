"""Sign-ins of SMTP accounts are renewed before they end, whether mail waits or not: so that no mail waits for it, and that
withdrawn access is told within the hour and not with the next mail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from mailroom_contracts import Address
from mailroom_oauth import Keeper, OAuthTrouble, ProviderAway
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.logs import get_logger

from .accounts import Accounts

log = get_logger()
LOOK_EVERY_S = 30.0


class Renewal:
    """Every process looks at every address; the keeper renews each once."""

    def __init__(self, keeper: Keeper, tables: ConfigTables, accounts: Accounts) -> None:
        self._keeper, self._tables, self._accounts = keeper, tables, accounts
        self._told: dict[str, int] = {}  # address -> the sign-in that we said is refused

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for address in list(self._tables.book.addresses.values()):
                if address.active and address.smtp is not None and address.smtp.auth == "oauth" and address.smtp.secret:
                    await self._look(address, address.smtp.secret_revision)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, address: Address, revision: int) -> None:
        now = datetime.now(UTC)
        try:
            await self._keeper.token(address)
        except ProviderAway as trouble:
            log.info("oauth.not_renewed_yet", address_id=address.id, reason=str(trouble)[:200])
        except OAuthTrouble as trouble:
            if self._told.get(address.id) != revision:
                self._told[address.id] = revision
                worked_at = address.smtp.checked_at if address.smtp is not None else None
                await self._accounts.broken(address.id, address.portal_id, str(trouble), now, worked_at=worked_at)
        else:
            if self._told.pop(address.id, None) == revision:
                # an administrator allowed it again, or the operator mended the registration
                await self._accounts.works(address.id, address.portal_id, now)
