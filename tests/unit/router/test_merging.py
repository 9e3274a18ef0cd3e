"""Tickets that become one, and one that becomes two; each decides by itself, commands go between them."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from mailroom_contracts import (
    EmailRouted,
    Merge,
    MessageAdded,
    Reply,
    Split,
    TicketCommand,
    TicketCreated,
    TicketEvent,
    TicketState,
    Unmerge,
)
from mailroom_router.ticket import Decision
from support.router_desk import NOW, after, command, routed, run, types
from support.router_world import mail


class Desk:
    """Tickets by id; what one asks of another is done after it, as the topics do."""

    def __init__(self) -> None:
        self.states: dict[str, TicketState] = {}
        self.events: list[TicketEvent] = []

    def do(self, message: EmailRouted | TicketCommand, **more: Any) -> Decision:
        decision = run(self.states.get(message.ticket_id), message, **more)
        if decision.state is not None:
            self.states[message.ticket_id] = decision.state
        self.events += decision.events
        for asked in (*decision.commands, *((decision.sent_on,) if decision.sent_on else ())):
            self.do(asked, **more)
        return decision

    def mail(self, number: int, ticket: str | None = None, **more: Any) -> str:
        more.setdefault("at", NOW)
        got = (
            routed(mail(number, **more), ticket=ticket, reason="signed_id") if ticket else routed(mail(number, **more))
        )
        self.do(got)
        return got.ticket_id


def recipients(desk: Desk, ticket: str) -> list[str]:
    state = desk.states[ticket]
    decision = run(state, command(Reply, state, "try", text="x", from_address_id="ad3"))
    return [p.email for order in decision.orders for p in order.to] or [e.code for e in decision.events]  # type: ignore[attr-defined]


def two() -> tuple[Desk, str, str]:
    desk = Desk()
    first = desk.mail(1, at=after(0))
    second = desk.mail(2, sender="kim@customer.example", at=after(0.1))
    return desk, first, second


def test_a_merged_ticket_goes_on_in_the_other_and_its_mail_does_too() -> None:
    desk, first, second = two()
    desk.do(command(Merge, second, into=first))
    source, target = desk.states[second], desk.states[first]
    assert (source.merged_into, source.status) == (first, "closed")
    assert [t.id for t in target.taken_in] == [second]
    assert "kim@customer.example" in target.participants
    assert recipients(desk, first) == ["kim@customer.example"], "the later of the two last mails is answered"
    assert recipients(desk, second) == ["merged"]
    desk.mail(3, second, sender="kim@customer.example", at=after(0.2))
    assert len(desk.states[second].messages) == 1
    assert [m.message_id for m in desk.states[first].messages][-1] == "m3@customer.example"


def test_a_merge_is_undone_and_nobody_of_the_other_ticket_is_answered_here_any_more() -> None:
    desk, first, second = two()
    desk.do(command(Merge, second, into=first))
    desk.mail(3, second, sender="kim@customer.example", at=after(0.2))
    desk.do(command(Unmerge, second))
    source, target = desk.states[second], desk.states[first]
    assert (source.merged_into, source.status) == (None, "open")
    assert target.taken_in == []
    assert recipients(desk, first) == ["jo@customer.example"]
    assert recipients(desk, second) == ["kim@customer.example"]


def test_a_merge_into_what_cannot_take_it_undoes_itself() -> None:
    desk, first, second = two()
    desk.do(command(Merge, second, into="f" * 32))
    assert desk.states[second].merged_into is None
    desk.do(command(Merge, second, "2", into=first))
    desk.do(command(Merge, first, into=second))
    assert desk.states[first].merged_into is None, "in a circle"
    assert types(run(desk.states[first], command(Merge, first, "3", into=first))) == ["command_refused"]


def test_a_split_mail_begins_a_ticket_of_its_own() -> None:
    desk, first, _ = two()
    desk.mail(3, first, sender="kim@customer.example", subject="Another matter", at=after(0.2))
    event = next(e for e in desk.events if isinstance(e, MessageAdded) and e.message.subject == "Another matter")
    desk.do(command(Split, first, message_id=event.message.id, message=event.message))
    created = [e for e in desk.events if isinstance(e, TicketCreated)][-1]
    assert (created.begun_by, created.split_from, created.customer.email) == ("split", first, "kim@customer.example")
    assert recipients(desk, created.ticket_id) == ["kim@customer.example"]
    assert recipients(desk, first) == ["jo@customer.example"]
    assert not any(
        t == "spam"
        for t in types(run(desk.states[first], command(Split, first, "2", message_id="x", message=event.message)))
    )


def test_a_tickets_only_mail_is_not_split() -> None:
    desk, first, _ = two()
    added = next(e for e in desk.events if isinstance(e, MessageAdded))
    refused = desk.do(command(Split, first, message_id=added.message.id, message=added.message))
    assert [e.code for e in refused.events] == ["only_message"]  # type: ignore[attr-defined]


step = st.tuples(st.sampled_from(["merge", "unmerge", "mail"]), st.integers(0, 2), st.integers(0, 2))


def test_of_two_merges_the_one_that_stays_is_still_answered_and_comes_back_to_nobody_who_left() -> None:
    desk, first, second = two()
    third = desk.mail(3, sender="lee@customer.example", at=after(0.2))
    desk.do(command(Merge, second, "1", into=first))
    desk.do(command(Merge, third, "2", into=first))
    desk.do(command(Unmerge, second, "3"))
    assert recipients(desk, first) == ["lee@customer.example"], "the last mail, whose ticket stays"
    desk.do(command(Unmerge, third, "4"))
    assert recipients(desk, first) == ["jo@customer.example"]


@settings(max_examples=80, deadline=None)
@example([("merge", 0, 1), ("merge", 2, 1), ("mail", 0, 0), ("unmerge", 0, 0), ("mail", 2, 0), ("unmerge", 2, 0)])
@given(st.lists(step, max_size=14))
def test_whatever_is_merged_and_undone_no_mail_is_lost_and_nobody_is_answered_by_a_ticket_they_left(
    steps: list[tuple[str, int, int]],
) -> None:
    desk = Desk()
    names = ["ann", "bob", "eve"]
    tickets = [desk.mail(n, sender=f"{name}@customer.example", at=after(n / 100)) for n, name in enumerate(names)]
    sent = 3
    for number, (what, one, other) in enumerate(steps):
        if what == "merge":
            desk.do(command(Merge, tickets[one], str(number), into=tickets[other]))
        elif what == "unmerge":
            desk.do(command(Unmerge, tickets[one], str(number)))
        else:
            desk.mail(100 + number, tickets[one], sender=f"{names[one]}@customer.example", at=after(1 + number / 100))
            sent += 1
    assert sum(isinstance(e, MessageAdded) for e in desk.events) == sent
    for one, ticket in enumerate(tickets):
        seen, at = {ticket}, ticket
        while (into := desk.states[at].merged_into) is not None:
            assert into not in seen, "a circle"
            seen.add(into)
            at = into
        if at == ticket:
            family = {one} | {n for n, t in enumerate(tickets) if desk.states[t].merged_into is not None}
            assert set(recipients(desk, ticket)) <= {f"{names[n]}@customer.example" for n in family}
