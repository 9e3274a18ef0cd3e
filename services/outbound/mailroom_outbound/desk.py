"""What all lanes of this process share."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mailroom_contracts import LaneEntry
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.health import Health

from .accounts import Accounts
from .couriers import Couriers
from .lease import Leases
from .records import Records
from .refusals import refusal
from .schedule import Policy


@dataclass(frozen=True)
class Desk:
    """The one composition of adapters that lanes work with."""

    records: Records
    accounts: Accounts
    tables: ConfigTables
    blobs: BlobStore
    couriers: Couriers
    leases: Leases
    health: Health
    policy: Policy
    send_timeout_s: float

    def why_refused(self, entry: LaneEntry, seen_at: float) -> str | None:
        """Why an entry must not be sent, or None. `seen_at`: when it came (monotonic seconds): an address counts as
        unknown only once the configuration was read to its end after that."""
        address = self.tables.book.addresses.get(entry.address_id)
        reason = refusal(entry.order, address, self.tables.book.portals.get(entry.portal_id))
        if address is None and not self.tables.fresh(within_s=time.monotonic() - seen_at):
            return None
        return reason
