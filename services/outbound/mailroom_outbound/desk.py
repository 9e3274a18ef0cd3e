"""What all lanes of this process share."""

from __future__ import annotations

from dataclasses import dataclass

from mailroom_runtime.blobs import BlobStore
from mailroom_runtime.health import Health
from mailroom_runtime.tables import ConfigTables

from .accounts import Accounts
from .couriers import Couriers
from .lease import Leases
from .records import Records
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
