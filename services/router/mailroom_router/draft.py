"""The work on one input of a ticket: events collected, state changed step by step, decided as data in the end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from mailroom_contracts import (
    Actor,
    Assigned,
    CommandRefused,
    DeliveryReport,
    EmailRouted,
    InputIgnored,
    Message,
    MessageSummary,
    OutboundMail,
    StatusChanged,
    TicketCommand,
    TicketEvent,
    TicketState,
    Unassigned,
    Woken,
    ids,
)
from mailroom_runtime.book import Book

from .capping import capped

Input = EmailRouted | TicketCommand | DeliveryReport
E = TypeVar("E", bound=TicketEvent)

MOST_RECENT = 64
ERASED_INPUTS = 16  # of them outlive an erasure, so that none which is read again after a crash undoes it
MOST_PEOPLE = 200
ROUTER = Actor(kind="router")


@dataclass(frozen=True, slots=True)
class Renewed:
    """What came of it, for the event that tells it."""

    copied: int
    left_out: int
    first_offset: int


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may know besides state and input. `online` None: presence is not known just now."""

    book: Book
    keys: Mapping[str, bytes]
    now: datetime
    online: frozenset[str] | None = None
    reply_lasts: timedelta = timedelta(days=17)
    renewed: Mapping[str, Renewed | str] = field(default_factory=dict)
    """Of commands that ask for it, by id: how a partition was written anew, or why it was not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An online agent of this queue is wanted for the ticket; `cause` is what the choice is remembered under."""

    portal_id: str
    queue_id: str
    cause: str
    reason: str
    must: bool = False  # refuse the command when nobody is there


@dataclass(frozen=True, slots=True)
class Decision:
    """What an input does: everything here is written in one transaction. `state` None: there is no ticket."""

    state: TicketState | None
    events: tuple[TicketEvent, ...]
    orders: tuple[OutboundMail, ...] = ()
    sent_on: EmailRouted | None = None
    commands: tuple[TicketCommand, ...] = ()  # what is asked of other tickets
    changed: bool = True  # False: the state is as it was, nothing of it need be written
    erased: bool = False  # the state is to be there no more
    forgotten: str = ""  # an address that is not in the ticket any more


@dataclass(slots=True)
class Draft:
    """One input being worked on."""

    state: TicketState | None
    ticket_id: str
    portal_id: str
    cause: str  # the input's own id: event ids and repeats
    causation_id: str  # the root cause that events name
    context: Context
    at: datetime
    actor: Actor = ROUTER
    events: list[TicketEvent] = field(default_factory=list)
    orders: list[OutboundMail] = field(default_factory=list)
    commands: list[TicketCommand] = field(default_factory=list)
    sent_on: EmailRouted | None = None
    wanted: Wanted | None = None
    version: int = 0
    command_type: str = ""
    known: bool = False
    erased: bool = False
    forgotten: str = ""
    before: tuple[str, ...] = ()  # inputs of the ticket of this id that was erased
    many_tickets: bool = False  # the cause may be that of other tickets' events too

    def emit(self, cls: type[E], *, discriminator: str = "", **fields: Any) -> E:
        """Add an event; its version is the next one of the ticket."""
        self.version += 1
        event = cls(
            id=ids.event_id(
                self.cause,
                str(cls.model_fields["type"].default),
                discriminator,
                ticket=self.ticket_id if self.many_tickets else "",
            ),
            ticket_id=self.ticket_id,
            portal_id=self.portal_id,
            version=self.version if self.state is not None else 0,
            at=self.at,
            causation_id=self.causation_id,
            actor=fields.pop("actor", self.actor),
            **fields,
        )
        self.events.append(event)
        return event

    def change(self, **fields: Any) -> TicketState:
        """Change the state."""
        self.state = self.ticket.model_copy(update=fields)
        return self.state

    @property
    def ticket(self) -> TicketState:
        """The state, where there must be one."""
        assert self.state is not None, "no ticket"
        return self.state

    def refuse(self, code: str, reason: str) -> None:
        """The command is not carried out."""
        self.emit(CommandRefused, command_type=self.command_type, code=code, reason=reason)

    def ignore(self, input_type: str, code: str, reason: str, **fields: Any) -> None:
        """The input changes nothing."""
        self.emit(InputIgnored, discriminator=code, input_type=input_type, code=code, reason=reason, **fields)

    def set_status(self, status: str, reason: str = "agent") -> None:
        """Record another status; closings are counted."""
        ticket = self.ticket
        changes: dict[str, Any] = {"status": status}
        if status == "closed":
            changes |= {"closing_count": ticket.closing_count + 1, "closed_at": self.at, "wants_online": False}
        elif ticket.status == "closed" and ticket.assignee_id is None:
            changes["wants_online"] = ticket.prefer_online
        self.emit(StatusChanged, status=status, previous=ticket.status, reason=reason)
        self.change(**changes)
        if status == "closed" and ticket.snoozed_until is not None:
            self.emit(Woken, reason="closed")
            self.change(snoozed_until=None)

    def assign(self, agent_id: str, reason: str) -> None:
        """Record an assignee."""
        self.emit(Assigned, assignee_id=agent_id, reason=reason)
        self.change(assignee_id=agent_id, wants_online=False)

    def unassign(self, reason: str) -> None:
        """Record that nobody has the ticket; `reason` is a word of the contract."""
        ticket = self.ticket
        self.emit(Unassigned, previous_id=ticket.assignee_id, reason=reason)
        self.change(assignee_id=None, wants_online=ticket.prefer_online and ticket.status != "closed")

    def want_agent(self, reason: str, *, must: bool = False) -> None:
        """Ask for an online agent of the ticket's queue; until one is found the ticket waits."""
        ticket = self.ticket
        self.wanted = Wanted(ticket.portal_id, ticket.queue_id, self.cause, reason, must)

    def reopen(self, reason: str) -> None:
        """Open again; where online agents are preferred, an assignee who is not there hands it back to the queue."""
        ticket = self.ticket
        if ticket.merged_into is not None:
            return  # its conversation goes on elsewhere
        if ticket.snoozed_until is not None:
            self.emit(Woken, reason=reason)
            self.change(snoozed_until=None)
        if ticket.status != "open":
            self.set_status("open", reason)
        online = self.context.online
        if ticket.assignee_id is not None and ticket.prefer_online and online is not None:
            if ticket.assignee_id not in online:
                self.unassign("offline")
                self.want_agent("online")
        elif ticket.assignee_id is None and ticket.prefer_online:
            self.want_agent("online")

    def add_summary(self, summary: MessageSummary) -> None:
        """Keep what later inputs need of a message."""
        ticket = self.ticket
        self.change(messages=[*ticket.messages, summary], message_count=ticket.message_count + 1)

    def replace_summary(self, summary: MessageSummary) -> None:
        """Change what is kept of a message."""
        self.change(messages=[summary if m.id == summary.id else m for m in self.ticket.messages])

    def find(self, **wanted: Any) -> MessageSummary | None:
        """The newest message with these values."""
        if self.state is None:
            return None
        return next(
            (m for m in reversed(self.state.messages) if all(getattr(m, k) == v for k, v in wanted.items())), None
        )


def causes(message: Input) -> tuple[str, str]:
    """An input's own id, and the root cause that its events name."""
    if isinstance(message, EmailRouted):
        return message.id, message.receipt_id
    return message.ce_id, message.ce_id


def finish(draft: Draft, agent_id: str | None = None) -> Decision:
    """The decision, once an agent was looked for (None: nobody is online, or nobody was wanted)."""
    if draft.erased:
        return Decision(draft.state, tuple(draft.events), changed=False, erased=True)
    if draft.known:
        return Decision(draft.state, tuple(draft.events), changed=False)
    if draft.wanted is not None:
        if agent_id is not None:
            draft.assign(agent_id, draft.wanted.reason)
        elif draft.wanted.must:
            draft.refuse("nobody_online", "Nobody of the queue is online any more.")
        else:
            draft.change(wants_online=True)
    if draft.state is not None:
        recent = [*draft.before, *draft.state.recent, draft.cause][-MOST_RECENT:]
        draft.state = capped(draft.change(version=draft.version, updated_at=draft.at, recent=recent))
    return Decision(draft.state, tuple(draft.events), tuple(draft.orders), draft.sent_on, tuple(draft.commands),
                    forgotten=draft.forgotten)  # fmt: skip


def input_type(message: Message) -> str:
    """The input's type, as events name it."""
    return message.ce_type
