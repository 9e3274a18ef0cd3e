"""What each service does on Kafka, and so what it may: the least rights that its work needs.

`deploy/kafka` and `deploy/kubernetes/components` are written from this (`deploy/kafka/rights.py`), and tests hold a real
broker against it: a service with its own rights does its work, and one that tries more is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mailroom_contracts import topics
from mailroom_contracts.topics import TOPICS, Topic

from .groups import GROUPS, group_name

_CONFIGURATION = (topics.PORTALS, topics.ADDRESSES, topics.QUEUES, topics.AGENTS)
_INGEST_GMAIL_GROUP = "ingest_gmail"


class Right(NamedTuple):
    """One operation on one resource, in Kafka's words. `pattern`: literal or prefixed."""

    resource: str
    name: str
    pattern: str
    operation: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What a service reads and writes, whose dead letters it writes, the groups it joins and those it only looks at.

    `shortens`: whose first records it deletes. Kafka knows no right to that alone: it may delete the topic, too.
    """

    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    buries: tuple[Topic, ...] = ()
    shortens: tuple[Topic, ...] = ()
    joins: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    transactional: str | None = None
    everything: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Operations on whatever has the prefix, by kind of resource; of the cluster those on itself."""

    def listed(self, prefix: str) -> Iterator[Right]:
        """Each right by itself, for an installation's prefix."""
        reads_all = any(resource == "topic" for resource, _ in self.everything)
        for topic in self.reads if reads_all else (*self.reads, topics.RECORDS_SKIPPED):
            yield Right("topic", topic.full_name(prefix), "literal", "read")
        for topic in self.writes:
            yield Right("topic", topic.full_name(prefix), "literal", "write")
        for topic in self.buries:
            yield Right("topic", topic.dead_name(prefix), "literal", "write")
        for topic in self.shortens:
            yield Right("topic", topic.full_name(prefix), "literal", "delete")
        for group in self.joins:
            yield Right("group", group_name(prefix, group), "literal", "read")
        for group in self.watches:
            yield Right("group", group_name(prefix, group), "literal", "describe")
        if self.transactional is not None:
            for operation in ("write", "describe"):
                yield Right("transactional_id", f"{prefix}.{self.transactional}.", "prefixed", operation)
        for resource, operations in self.everything:
            for operation in operations:
                if resource == "cluster":
                    yield Right("cluster", "kafka-cluster", "literal", operation)
                else:
                    yield Right(resource, f"{prefix}.", "prefixed", operation)


_ROUTER_INPUTS = (topics.EMAIL_RECEIVED, topics.EMAIL_ROUTED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY)
_MAKES_TOPICS = (
    ("topic", ("create", "describe", "describe_configs", "read")),
    ("group", ("read",)),
    ("cluster", ("describe", "describe_configs")),
)

SERVICES: dict[str, Rights] = {
    "ingest_smtp": Rights(
        reads=(topics.PORTALS, topics.ADDRESSES),
        writes=(topics.EMAIL_RECEIVED,),
    ),
    "ingest_gmail": Rights(
        reads=(topics.ADDRESSES, topics.GMAIL_CURSORS, topics.ADDRESS_STATUS),
        writes=(topics.EMAIL_RECEIVED, topics.ADDRESS_STATUS, topics.GMAIL_CURSORS),
        joins=(_INGEST_GMAIL_GROUP,),
    ),
    "router": Rights(
        reads=(*_CONFIGURATION, *_ROUTER_INPUTS, topics.TICKETS, topics.TICKET_EVENTS, topics.EMAIL_OUTBOUND),
        writes=(topics.EMAIL_ROUTED, topics.TICKET_EVENTS, topics.TICKETS, topics.EMAIL_OUTBOUND,
                topics.TICKET_COMMANDS),
        buries=_ROUTER_INPUTS,
        shortens=(topics.TICKET_EVENTS,),
        joins=("router.place", "router.tickets"),
        transactional="router",
    ),
    "router_audit": Rights(
        reads=(*GROUPS["router.audit"], topics.EMAIL_ROUTED),  # of email.routed it asks for the end
        # it puts back what had no outcome
        writes=(topics.EMAIL_RECEIVED, topics.TICKET_COMMANDS, topics.EMAIL_DELIVERY),
        joins=("router.audit",),
        watches=("router.place", "router.tickets"),
    ),
    "autoreply": Rights(
        reads=(*_CONFIGURATION, topics.TICKET_EVENTS, topics.TICKET_COMMANDS),
        writes=(topics.TICKET_COMMANDS,),
        buries=(topics.TICKET_EVENTS,),
        joins=("autoreply",),
    ),
    "outbound": Rights(
        reads=(topics.PORTALS, topics.ADDRESSES, topics.ADDRESS_STATUS, topics.ADDRESS_TOKENS, topics.EMAIL_OUTBOUND,
               topics.EMAIL_LANES),
        writes=(topics.EMAIL_LANES, topics.EMAIL_DELIVERY, topics.ADDRESS_STATUS, topics.ADDRESS_TOKENS),
        buries=(topics.EMAIL_OUTBOUND, topics.EMAIL_LANES),
        joins=("outbound.orders", "outbound.lanes"),
    ),
    # shows everything, publishes the configuration, and puts dead letters back on whatever topic they came from
    "console": Rights(buries=(topics.TICKET_EVENTS,), writes=TOPICS, watches=tuple(GROUPS),
                      everything=(("topic", ("read",)),),
                      transactional="console"),
    "topics": Rights(everything=_MAKES_TOPICS),
    # who runs `mailroom doctor`, `records skip`, `dead replay`, `load`
    "operator": Rights(everything=(("topic", ("create", "describe", "describe_configs", "read", "write")),
                                   *_MAKES_TOPICS[1:])),
}  # fmt: skip


def user_name(service: str) -> str:
    """The principal's name: one for each service."""
    return f"mailroom-{service.replace('_', '-')}"
