"""What every part of the console works with, wired once in `app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from mailroom_runtime.blobs import BlobStore
from mailroom_runtime.kafka import Producer
from mailroom_runtime.presence import Presence
from mailroom_runtime.sealing import Sealer

from . import times
from .database import Database
from .settings import ConsoleSettings

if TYPE_CHECKING:
    from .live import Live
    from .readmodel import ReadModel


@dataclass(slots=True)
class Console:
    """Settings, database, bus, stores, and the two views that follow Kafka."""

    settings: ConsoleSettings
    database: Database
    producer: Producer
    presence: Presence
    blobs: BlobStore
    sealer: Sealer
    read: ReadModel
    live: Live
    http: httpx.AsyncClient
    clock: Callable[[], datetime] = field(default=times.now)

    def now(self) -> int:
        """The present time as the database stores it."""
        return times.micros(self.clock())
