"""What a batch writes: events, states, orders and mail sent on, as records for one transaction. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mailroom_contracts import EmailRouted, Record, TicketState, encode, tombstone, topics
from mailroom_runtime.bus.tracing import child

from .draft import ERASED_INPUTS, Decision
from .facts import Facts, facts, gone

SOURCE = "router"
LARGEST = 950_000  # bytes; Kafka takes a megabyte
MANY_MESSAGES = 100  # states with fewer are small


class TooLarge(ValueError):
    """What an input leads to does not fit into a Kafka record."""


@dataclass(slots=True)
class Outputs:
    """Records by topic; `states` are those that changed, None for one that is erased."""

    records: list[Record] = field(default_factory=list)
    elsewhere: list[Record] = field(default_factory=list)  # for another partition: by key
    states: dict[str, TicketState | None] = field(default_factory=dict)
    erased: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the last inputs of those that are erased
    facts: list[Facts] = field(default_factory=list)
    _encoded: dict[str, Record] = field(default_factory=dict)  # of `states`, where it was made already

    def add(self, before: TicketState | None, decision: Decision, traceparent: str | None) -> None:
        """Add a decision. Raises `TooLarge`, and then nothing was added."""
        cause = decision.events[0].causation_id
        records = [
            encode(topics.TICKET_EVENTS, event, source=SOURCE, causation_id=cause, traceparent=traceparent)
            for event in decision.events
        ]
        records += [
            encode(topics.EMAIL_OUTBOUND, order, source=SOURCE, causation_id=cause, traceparent=traceparent)
            for order in decision.orders
        ]
        elsewhere: list[Record] = []
        elsewhere += [
            encode(topics.TICKET_COMMANDS, command, source=SOURCE, causation_id=cause, traceparent=child(traceparent))
            for command in decision.commands
        ]
        if decision.sent_on is not None:
            elsewhere.append(_routed(decision.sent_on, cause, traceparent))
        changed = decision.state if decision.changed else None
        whole: Record | None = None
        check = [*records, *elsewhere]
        if changed is not None and (changed.orders or len(changed.messages) > MANY_MESSAGES):
            whole = _state_record(changed)
            check.append(whole)
        _check(check)
        self.records += records
        self.elsewhere += elsewhere
        if decision.erased and before is not None:
            self.states[before.id] = None
            self.erased[before.id] = tuple(before.recent[-ERASED_INPUTS:])
            self._encoded[before.id] = tombstone(topics.TICKETS, before.id, source=SOURCE)
            self.facts.append(gone(before))
        if changed is not None:
            self.states[changed.id] = changed
            if whole is None:
                self._encoded.pop(changed.id, None)
            else:
                self._encoded[changed.id] = whole
            found = replace(facts(before, changed, decision.events), forgotten=decision.forgotten)
            if not found.empty:
                self.facts.append(found)

    def state_records(self) -> list[Record]:
        """The last state of each ticket: what lies between two inputs of one transaction nobody needs."""
        for ticket_id, state in self.states.items():
            if ticket_id not in self._encoded and state is not None:
                self._encoded[ticket_id] = _state_record(state)
        return [self._encoded[ticket_id] for ticket_id in self.states]


def _state_record(state: TicketState) -> Record:
    return encode(topics.TICKETS, state, source=SOURCE)


def _routed(routed: EmailRouted, cause: str, traceparent: str | None) -> Record:
    return encode(topics.EMAIL_ROUTED, routed, source=SOURCE, causation_id=cause, traceparent=child(traceparent))


def _check(records: Sequence[Record]) -> None:
    for record in records:
        if record.value is not None and len(record.value) > LARGEST:
            raise TooLarge(f"a record of {len(record.value)} bytes for {record.topic.name} is too large for Kafka")
