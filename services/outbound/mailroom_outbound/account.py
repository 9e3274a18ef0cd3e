"""The account of one lane as it is used now: its courier, how it stands, and how many mails it takes at once."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from mailroom_contracts import Address, SmtpAccount

from .courier import Deferred, close_later
from .couriers import Made
from .desk import Desk
from .pace import Pace
from .standing import Standing


class Account:
    """One address's way out. `made` is None until it is needed, and after it was configured anew."""

    def __init__(self, address_id: str, desk: Desk) -> None:
        self.address_id = address_id
        self.made: Made | None = None
        self.hands = asyncio.Semaphore(1)
        self.standing = Standing(address_id, desk.policy)
        self._desk, self._pace = desk, Pace()

    @property
    def address(self) -> Address | None:
        """Its configuration; None where the tables do not know it (yet)."""
        return self._desk.tables.book.addresses.get(self.address_id)

    def courier_of(self, address: Address) -> Made:
        """The courier, made when it is needed. Raises `AccountBroken`."""
        if self.made is None:
            self.made = self._desk.couriers.make(address)
            self.hands = asyncio.Semaphore(self.made.slots)
        return self.made

    def retire(self) -> None:
        """Make a new courier next time; the old one says goodbye in the background once it is not used any more."""
        if self.made is not None:
            close_later(self.made.courier)
            self.made = None

    @property
    def smtp(self) -> SmtpAccount | None:
        """The SMTP account behind it, where it has one."""
        address = self.address
        return address.smtp if address is not None else None

    def hold(self, outcome: Deferred, now: datetime) -> Deferred:
        """Hold still at once, before anything is recorded: the next mail in hand must not try too. What the outcome is
        for this account."""
        account = self.smtp
        revision = account.secret_revision if account is not None else None
        proven = account is not None and (account.checked_at is not None or self.standing.accepted == revision)
        outcome = self.standing.judged(outcome, now, proven=proven)
        self.standing.note(outcome, now)
        if self.standing.is_broken:
            self.retire()
        return outcome

    def works(self) -> None:
        """It answered and let us in, whatever it said about a mail."""
        account = self.smtp
        self.standing.works(account.secret_revision if account is not None else None)

    def reconfigured(self) -> datetime:
        """The address changed: try it again, with what is configured now. Until when it would have held still."""
        held_until = self.standing.hold_until
        self.standing.try_again()
        self.retire()
        return held_until

    def places(self) -> int:
        """How many mails may be in hand at once. More than there are connections, since recording an attempt and its
        outcome takes time too; a limit per minute counts starts, so there each start must be a send."""
        if self.standing.careful or self.made is None:
            return 1
        return self.made.slots if self._pace.per_minute is not None else self.made.slots * (1 + self.made.ahead)

    def wait_s(self) -> float:
        """Seconds until the provider's limit lets one more start."""
        account = self.smtp
        self._pace.per_minute = account.messages_per_minute if account is not None else None
        return self._pace.wait_s(time.monotonic())

    def started(self) -> None:
        """One starts now."""
        self._pace.started(time.monotonic())
