"""When an account that was refused is configured anew and no mail waits for it: a login shows whether it works now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.logs import get_logger
from mailroom_runtime.process.tasks import aside, end
from mailroom_runtime.smtp.trouble import SmtpTrouble

from .accounts import Accounts
from .couriers import AccountBroken, Couriers

log = get_logger()


class Mending:
    """Looks at accounts in the background; with waiting mail that is not needed, since the mail itself is the check."""

    def __init__(self, accounts: Accounts, couriers: Couriers, tables: ConfigTables) -> None:
        self._accounts, self._couriers, self._tables = accounts, couriers, tables
        self._looks: set[asyncio.Task[None]] = set()

    def look(self, address_id: str) -> None:
        """Start a look at an address that was said to need attention."""
        address = self._tables.book.addresses.get(address_id)
        if address is None or not address.active or not self._accounts.is_broken(address_id):
            return
        task = aside(self._look(address_id, address.revision), f"look-{address_id}")
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _look(self, address_id: str, revision: int) -> None:
        address = self._tables.book.addresses.get(address_id)
        if address is None:
            return
        now = datetime.now(UTC)
        try:
            if await self._couriers.works(address):
                await self._accounts.works(address_id, address.portal_id, now)
        except (SmtpTrouble, AccountBroken) as error:
            log.info("address.still_refused", address_id=address_id, revision=revision)
            if not (isinstance(error, SmtpTrouble) and error.temporary):
                worked_at = address.smtp.checked_at if address.smtp is not None else None
                await self._accounts.broken(address_id, address.portal_id, str(error), now, worked_at=worked_at)

    async def close(self) -> None:
        """Stop looking."""
        await end(*self._looks)
