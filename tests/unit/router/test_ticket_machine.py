"""Whatever happens to tickets in whatever order: each input has an event, versions grow by one, replays are harmless."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from mailroom_contracts import (
    AddNote,
    Assign,
    AssignWaiting,
    AutoReplyCommand,
    BounceInfo,
    CancelMessage,
    ConfirmSender,
    MoveQueue,
    Person,
    Reply,
    ResendMessage,
    SetStatus,
    TicketEvent,
    TicketState,
    Verdicts,
)
from mailroom_contracts.ids import derive
from mailroom_router.draft import Input
from mailroom_router.facts import facts
from support.router_desk import BAD, NOW, OK, command, report, routed, run
from support.router_world import mail

PEOPLE = st.sampled_from(["jo@customer.example", "bob@customer.example", "eve@else.example"])
AGENTS = st.sampled_from([None, "a1", "a2"])
ONLINE = st.sampled_from([None, frozenset(), frozenset({"a1"}), frozenset({"a1", "a2"})])
REASONS = st.sampled_from(
    ["new", "number", "reference", "signed_id", "plus_address", "gmail_thread", "bounce", "own_mail"]
)


class Tickets(RuleBasedStateMachine):
    """One ticket and whatever its mail opens beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.states: dict[str, TicketState] = {}
        self.events: list[TicketEvent] = []
        self.inputs: list[Input] = []
        self.orders: dict[str, Any] = {}
        self.count = 0
        self.main = ""

    def take(self, message: Input, *, online: frozenset[str] | None = None, agent: str | None = None) -> None:
        before = self.states.get(message.ticket_id)
        decision = run(before, message, at=self.now, online=online, agent=agent)
        assert decision.events, "every input has an outcome"
        if message not in self.inputs:
            self.inputs.append(message)
        version = before.version if before else 0
        if not decision.changed:
            (event,) = decision.events
            assert event.version == version
            assert event.code == "already_known"  # type: ignore[attr-defined]
            assert not decision.orders
            assert decision.sent_on is None
            return
        for event in decision.events:
            assert event.ticket_id == message.ticket_id
            if decision.state is not None:
                version += 1
            assert event.version == version
            assert event.causation_id
        if decision.state is not None:
            assert decision.state.version == version
            assert len(decision.state.model_dump_json()) < 900_000
            facts(before, decision.state, decision.events)
            self.states[message.ticket_id] = decision.state
        self.events += [e for e in decision.events if e.version]
        for order in decision.orders:
            if order.action == "send":
                assert order.id not in self.orders, "one order, once"
                self.orders[order.id] = order
        if decision.sent_on is not None:
            assert decision.sent_on.hop <= 50
            assert decision.sent_on.ticket_id != message.ticket_id
            self.take(decision.sent_on, online=online, agent=agent)

    @property
    def state(self) -> TicketState:
        return self.states[self.main]

    def key(self) -> str:
        self.count += 1
        return str(self.count)

    @initialize(agent=AGENTS)
    def begin(self, agent: str | None) -> None:
        first = routed(mail(0, at=self.now))
        self.main = first.ticket_id
        self.take(first, agent=agent)

    @rule(sender=PEOPLE, reason=REASONS, online=ONLINE, agent=AGENTS, quiet=st.booleans(), bad=st.booleans())
    def mail_comes(
        self, sender: str, reason: str, online: frozenset[str] | None, agent: str | None, quiet: bool, bad: bool
    ) -> None:
        verdicts: Verdicts = BAD if bad else OK
        more: dict[str, Any] = {"out_of_office": quiet}
        if reason == "bounce":
            last = next((m.message_id for m in reversed(self.state.messages) if m.direction == "out"), None)
            more["bounce"] = BounceInfo(formal=quiet, original_message_id=last)
        received = mail(f"x{self.key()}", sender=sender, at=self.now, **more)
        ticket = None if reason == "new" else self.main
        if reason == "new" and more.get("bounce"):
            return
        self.take(routed(received, ticket=ticket, reason=reason, verdicts=verdicts), online=online, agent=agent)

    @rule(which=st.integers(0, 10_000), online=ONLINE, agent=AGENTS)
    def replay(self, which: int, online: frozenset[str] | None, agent: str | None) -> None:
        message = self.inputs[which % len(self.inputs)]
        before = self.states.get(message.ticket_id)
        if before is None or message.ce_id not in before.recent:
            return
        count = len(self.orders)
        self.take(message, online=online, agent=agent)
        assert self.states.get(message.ticket_id) is before
        assert len(self.orders) == count

    @rule(days=st.sampled_from([0.01, 1, 20]))
    def time_passes(self, days: float) -> None:
        self.now += timedelta(days=days)

    @rule(
        kind=st.sampled_from(["note", "assign", "status", "move", "confirm", "waiting"]),
        agent=AGENTS,
        number=st.integers(0, 3),
    )
    def asked(self, kind: str, agent: str | None, number: int) -> None:
        state, key = self.state, self.key()
        message: Input
        if kind == "note":
            message = command(AddNote, state, key, text="Called.")
        elif kind == "assign":
            message = command(Assign, state, key, assignee_id=agent, only_if_unassigned=number == 0)
        elif kind == "status":
            message = command(SetStatus, state, key, status=["open", "pending", "closed", "lost"][number])
        elif kind == "move":
            message = command(MoveQueue, state, key, queue_id=["q1", "q2", "q9", "none"][number])
        elif kind == "confirm":
            message = command(ConfirmSender, state, key, email="bob@customer.example")
        else:
            message = command(AssignWaiting, state, key)
        self.take(message, agent=agent)

    @rule(kind=st.sampled_from(["reply", "auto"]), address=st.sampled_from(["ad1", "ad3", "none"]))
    def answered(self, kind: str, address: str) -> None:
        state, key = self.state, self.key()
        if kind == "reply":
            self.take(command(Reply, state, key, text="It left.", from_address_id=address))
        else:
            self.take(
                command(AutoReplyCommand, state, key, receipt_id=derive("r"), address_id=address, subject="Got it",
                        to=Person(email="jo@customer.example"), text="Dear Jo", not_after=self.now)
            )  # fmt: skip

    @rule(
        kind=st.sampled_from(["sent", "deferred", "failed", "bounced", "refused", "cancelled", "parked", "strange"]),
        which=st.integers(0, 5), online=ONLINE, agent=AGENTS,
    )  # fmt: skip
    def reported(self, kind: str, which: int, online: frozenset[str] | None, agent: str | None) -> None:
        out = [m for m in self.state.messages if m.outbound_id]
        outbound = out[which % len(out)].outbound_id if out else "none"
        self.count += 1
        self.take(report(self.state, outbound or "", kind, self.count), online=online, agent=agent)

    @rule(again=st.booleans(), which=st.integers(0, 5))
    def resend_or_cancel(self, again: bool, which: int) -> None:
        out = [m for m in self.state.messages if m.direction == "out"]
        wanted = out[which % len(out)].id if out else "none"
        key = self.key()
        if again:
            self.take(command(ResendMessage, self.state, key, message_id=wanted))
        else:
            self.take(command(CancelMessage, self.state, key, message_id=wanted))

    @invariant()
    def events_are_whole(self) -> None:
        assert len({e.id for e in self.events}) == len(self.events)
        for ticket, state in self.states.items():
            assert [e.version for e in self.events if e.ticket_id == ticket] == list(range(1, state.version + 1))
            assert not (state.wants_online and state.assignee_id)
            assert not (state.wants_online and state.status == "closed")
            assert len(state.recent) <= 64
            assert sum(m.kind == "auto_reply" for m in state.messages) <= 1
            assert not set(state.participants) & {"support@acme.example", "sales@acme.example"}


Tickets.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestTickets = Tickets.TestCase
