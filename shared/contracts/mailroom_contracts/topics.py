"""Every topic: its name, key, how long it is kept, and what is in it. Full names are PREFIX.NAME.v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .base import Message
from .commands import COMMANDS, TicketCommand, command_class
from .config import Address, AddressStatus, AddressTokens, Agent, GmailCursor, Portal, Queue
from .events import EVENTS, TicketEvent, event_class
from .mail import EmailReceived, EmailRouted
from .outbound import DeliveryReport, LaneEntry, OutboundMail
from .skipped import RecordsSkipped
from .tickets import TicketState

DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_PREFIX = "mailroom"
DEFAULT_PARTITIONS = 8
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` None: compacted; -1: for ever. `tombstones_ms`: how long a compacted topic keeps those.

    `segment_ms`: how old the part may be that Kafka is still writing to, and so keeps on its disks though it was deleted.
    `tombstone_type`: the `ce_type` of its tombstones, where anything is ever deleted.
    """

    name: str
    key: str
    about: str
    models: tuple[type[Message], ...]
    retention_ms: int | None
    tombstones_ms: int | None = None
    tombstone_type: str | None = None
    segment_ms: int | None = None

    @property
    def compacted(self) -> bool:
        return self.retention_ms is None

    def full_name(self, prefix: str = DEFAULT_PREFIX) -> str:
        return f"{prefix}.{self.name}.v1"

    def dead_name(self, prefix: str = DEFAULT_PREFIX) -> str:
        return f"{self.full_name(prefix)}.dead"

    def model_for(self, kind: Any) -> type[Message] | None:
        """The class for a `type` (from the value or ce_type), or None when this version does not know it."""
        if self is TICKET_EVENTS:
            return event_class(kind)
        if self is TICKET_COMMANDS:
            return command_class(kind)
        return self.models[0]

    def configs(self) -> dict[str, str]:
        """Topic settings as Kafka names them."""
        if self.compacted:
            configs = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": str(DAY_MS)}
            if self.tombstones_ms is not None:
                configs["delete.retention.ms"] = str(self.tombstones_ms)
            return configs
        configs = {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        if self.segment_ms is not None:
            configs["segment.ms"] = str(self.segment_ms)
        return configs


PORTALS = Topic(
    "portals", "portal id", "Companies that this installation serves.", (Portal,), None, tombstone_type=DELETED
)
ADDRESSES = Topic(
    "addresses", "address id", "Email addresses and their settings.", (Address,), None, tombstone_type=DELETED
)
QUEUES = Topic("queues", "queue id", "Queues and their agents.", (Queue,), None, tombstone_type=DELETED)
AGENTS = Topic("agents", "agent id", "Agents.", (Agent,), None, tombstone_type=DELETED)
ADDRESS_STATUS = Topic(
    "address.status", "address id:aspect", "How addresses stand.", (AddressStatus,), None, tombstone_type=DELETED
)
ADDRESS_TOKENS = Topic("address.tokens", "address id", "Renewed sign-in tokens, sealed.", (AddressTokens,), None)
GMAIL_CURSORS = Topic("gmail.cursors", "address id", "How far Gmail inboxes were read.", (GmailCursor,), None)
EMAIL_RECEIVED = Topic(
    "email.received", "message identity", "Accepted mail, normalised.", (EmailReceived,), 30 * DAY_MS
)
EMAIL_ROUTED = Topic("email.routed", "ticket id", "Mail with its ticket decided.", (EmailRouted,), 30 * DAY_MS)
TICKET_COMMANDS = Topic(
    "ticket.commands", "ticket id", "What is asked of tickets.", tuple(COMMANDS.values()), 30 * DAY_MS
)
TICKET_EVENTS = Topic(
    "ticket.events", "ticket id", "What happened to tickets.", tuple(EVENTS.values()), -1, segment_ms=7 * DAY_MS
)
TICKETS = Topic(
    "tickets", "ticket id", "The present state of each ticket.", (TicketState,), None, tombstone_type=DELETED
)
EMAIL_OUTBOUND = Topic("email.outbound", "ticket id", "Mail to send.", (OutboundMail,), 30 * DAY_MS)
# a tombstone says "done": kept longer than orders are repeated (3 days), so that a repeat is not sent again
EMAIL_LANES = Topic(
    "email.outbound.lanes",
    "outbound id",
    "Each outgoing mail's way.",
    (LaneEntry,),
    None,
    tombstones_ms=4 * DAY_MS,
    tombstone_type="email.lane_ended",
)
EMAIL_DELIVERY = Topic("email.delivery", "ticket id", "What became of outgoing mail.", (DeliveryReport,), 30 * DAY_MS)
RECORDS_SKIPPED = Topic(
    "records.skipped", "topic/partition/offset", "Unreadable records that are passed over.", (RecordsSkipped,), None
)

TOPICS: tuple[Topic, ...] = (
    PORTALS, ADDRESSES, QUEUES, AGENTS, ADDRESS_STATUS, ADDRESS_TOKENS, GMAIL_CURSORS, EMAIL_RECEIVED, EMAIL_ROUTED,
    TICKET_COMMANDS, TICKET_EVENTS, TICKETS, EMAIL_OUTBOUND, EMAIL_LANES, EMAIL_DELIVERY, RECORDS_SKIPPED,
)  # fmt: skip
DEAD_RETENTION_MS = 90 * DAY_MS

__all__ = ["TOPICS", "TicketCommand", "TicketEvent", "Topic"]


def by_name(name: str) -> Topic:
    """The topic of that short name. Raises KeyError naming the known ones."""
    for topic in TOPICS:
        if topic.name == name:
            return topic
    raise KeyError(f"no topic {name!r}; there are: {', '.join(t.name for t in TOPICS)}")
