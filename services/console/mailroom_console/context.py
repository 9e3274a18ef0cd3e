"""What every part of the console works with, wired once in `app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from mailroom_oauth import Keeper, Providers
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.seals.sealing import Sealer
from mailroom_runtime.smtp.check_pace import CheckPace

from mailroom_console.storage.database import Database
from mailroom_console.storage.notifications import Notifications

from . import times
from .settings import ConsoleSettings

if TYPE_CHECKING:
    from mailroom_console.live.here import Here
    from mailroom_console.live.live import Live
    from mailroom_console.read_model.model import ReadModel


@dataclass(slots=True)
class Console:
    """Settings, database, bus, stores, and the two views that follow Kafka."""

    settings: ConsoleSettings
    database: Database
    notifications: Notifications
    producer: Producer
    presence: Presence
    here: Here
    blobs: BlobStore
    sealer: Sealer
    read: ReadModel
    live: Live
    http: httpx.AsyncClient
    providers: Providers
    keeper: Keeper
    check_pace: CheckPace = field(default_factory=CheckPace)
    clock: Callable[[], datetime] = field(default=times.now)

    def now(self) -> int:
        """The present time as the database stores it."""
        return times.micros(self.clock())
