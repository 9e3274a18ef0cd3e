"""What mail does to a ticket: new, added, copy, stranger, follow-up, reopening, out of office."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from mailroom_contracts import (
    Assign,
    GmailOrigin,
    InputIgnored,
    MessageAdded,
    MoveQueue,
    SetStatus,
    TicketCreated,
    TicketState,
    Verdicts,
    ids,
)
from support.router_desk import BAD, NOW, after, command, routed, run, types
from support.router_world import mail


def ticket(**more: Any) -> TicketState:
    state = run(None, routed(mail(1, at=NOW)), **more).state
    assert state is not None
    return state


def test_new_mail_makes_a_ticket_and_asks_for_an_agent() -> None:
    first = routed(mail(1, at=NOW))
    decision = run(None, first, agent="a1")
    assert types(decision) == ["created", "message_added", "assigned"]
    assert [e.version for e in decision.events] == [1, 2, 3]
    assert {e.causation_id for e in decision.events} == {first.receipt_id}
    state = decision.state
    assert state is not None
    assert (state.assignee_id, state.wants_online, state.version) == ("a1", False, 3)
    assert state.participants == ["jo@customer.example"], "our own address takes no part"
    assert ticket().wants_online, "nobody online: it waits"


def test_option_off_means_never_assigned_by_itself() -> None:
    decision = run(None, routed(mail(1), queue="q2", address="ad2"), agent="a2")
    assert types(decision) == ["created", "message_added"]
    assert decision.state is not None
    assert not decision.state.wants_online


def test_a_repeat_gives_one_event_of_its_own_and_changes_nothing() -> None:
    first = routed(mail(1, at=NOW))
    state = run(None, first).state
    again = run(state, first, at=after(1))
    assert types(again) == ["input_ignored"]
    assert again.events[0].version == state.version  # type: ignore[union-attr]
    assert not again.changed
    assert again.state is state
    assert again.events[0].id == run(state, first, at=after(2)).events[0].id
    # also when the input is long out of the recent ones
    assert state is not None
    assert types(run(state.model_copy(update={"recent": []}), first)) == ["input_ignored"]


def test_same_message_id_from_and_date_is_a_copy_and_a_different_mail_is_not() -> None:
    state = ticket()
    other_way = mail(1, at=NOW, rcpt=("shop@acme.example",))
    assert other_way.id != mail(1, at=NOW).id
    copy = run(state, routed(other_way, ticket=state.id))
    (added,) = copy.events
    assert isinstance(added, MessageAdded)
    assert added.message.copy_of == state.messages[0].id
    assert len(copy.state.messages) == 1  # type: ignore[union-attr]
    parcel = mail("1b", message_id="m1@customer.example", at=NOW)
    both = run(state, routed(parcel))
    assert parcel.id != mail(1).id
    assert routed(parcel).ticket_id == state.id
    assert types(both) == ["message_added"]
    assert both.events[0].message.copy_of is None  # type: ignore[attr-defined]
    assert len(both.state.messages) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("reason", ["number", "reference", "gmail_thread"])
def test_a_strangers_mail_goes_on_to_its_own_linked_ticket_once(reason: str) -> None:
    state = ticket()
    stranger = routed(mail(7, sender="eve@else.example"), ticket=state.id, reason=reason)
    decision = run(state, stranger)
    assert types(decision) == ["input_ignored"]
    sent = decision.sent_on
    assert sent is not None
    assert (sent.hop, sent.reason, sent.linked_to) == (1, "sent_on", state.id)
    assert sent.ticket_id != state.id
    assert decision.state.participants == state.participants  # type: ignore[union-attr]
    made = run(None, sent)
    assert types(made)[:2] == ["created", "message_added"]
    assert isinstance(made.events[0], TicketCreated)
    assert made.events[0].linked_to == state.id
    assert {e.causation_id for e in made.events} == {stranger.receipt_id}


def test_who_takes_part_may_continue_by_number_but_not_when_dmarc_fails() -> None:
    state = ticket()
    assert types(run(state, routed(mail(2), ticket=state.id, reason="number"))) == ["message_added"]
    false = run(state, routed(mail(3), ticket=state.id, reason="number", verdicts=BAD))
    assert false.sent_on is not None
    assert false.sent_on.ticket_id != state.id
    assert false.sent_on.linked_to == state.id


def test_an_unknown_sender_with_our_signed_id_is_added_as_new_sender_and_takes_no_part() -> None:
    state = ticket()
    decision = run(
        state, routed(mail(2, sender="bob@customer.example", reply_to=[]), ticket=state.id, reason="signed_id")
    )
    (added,) = decision.events
    assert isinstance(added, MessageAdded)
    assert added.message.new_sender
    after_ = decision.state
    assert after_ is not None
    assert after_.unconfirmed == ["bob@customer.example"]
    assert "bob@customer.example" not in after_.participants
    assert after_.answer_to.email == "jo@customer.example"  # type: ignore[union-attr]
    failed = run(
        state, routed(mail(2, sender="bob@customer.example"), ticket=state.id, reason="signed_id", verdicts=BAD)
    )
    assert failed.sent_on is not None


def test_a_colleague_in_cc_takes_part() -> None:
    received = mail(1, at=NOW, cc=[{"email": "Colleague@customer.example"}])
    state = run(None, routed(received)).state
    assert state is not None
    decision = run(state, routed(mail(2, sender="colleague@customer.example"), ticket=state.id))
    assert types(decision) == ["message_added"]
    assert not decision.events[0].message.new_sender  # type: ignore[attr-defined]


def closed(state: TicketState) -> TicketState:
    made = run(state, command(SetStatus, state, status="closed")).state
    assert made is not None
    return made


def test_mail_on_a_closed_ticket_reopens_it_and_after_long_opens_one_follow_up() -> None:
    state = closed(ticket(agent="a1"))
    assert types(run(state, routed(mail(2, at=after(2)), ticket=state.id))) == ["message_added", "status_changed"]
    late = [run(state, routed(mail(n, at=after(20)), ticket=state.id)) for n in (3, 4)]
    targets = {d.sent_on.ticket_id for d in late if d.sent_on}
    assert targets == {ids.follow_up_id(state.id, 1)}
    made = run(None, late[0].sent_on)  # type: ignore[arg-type]
    assert made.events[0].follow_up_of == state.id  # type: ignore[attr-defined]


def test_reopening_hands_back_what_an_absent_agent_had() -> None:
    state = closed(ticket(agent="a1"))
    mine = routed(mail(2, at=after(1)), ticket=state.id)
    away = run(state, mine, online=frozenset(), agent="a2")
    assert types(away) == ["message_added", "status_changed", "unassigned", "assigned"]
    assert away.state.assignee_id == "a2"  # type: ignore[union-attr]
    nobody = run(state, mine, online=frozenset())
    assert nobody.state.wants_online  # type: ignore[union-attr]
    here = run(state, mine, online=frozenset({"a1"}), agent="a2")
    assert types(here) == ["message_added", "status_changed"]
    unknown = run(state, mine, online=None, agent="a2")
    assert types(unknown) == ["message_added", "status_changed"], "Redis away: nobody is taken for absent"


def test_out_of_office_neither_reopens_nor_reassigns_nor_follows_up() -> None:
    state = closed(ticket(agent="a1"))
    note = mail(2, at=after(30), out_of_office=True, automatic_signs=["auto-submitted:auto-replied"])
    decision = run(state, routed(note, ticket=state.id), online=frozenset())
    assert types(decision) == ["message_added"]
    assert decision.events[0].message.kind == "out_of_office"  # type: ignore[attr-defined]
    assert decision.state.status == "closed"  # type: ignore[union-attr]
    assert decision.state.assignee_id == "a1"  # type: ignore[union-attr]


def test_a_full_ticket_opens_a_follow_up() -> None:
    state = ticket()
    many = state.model_copy(
        update={
            "messages": [state.messages[0].model_copy(update={"id": str(n), "fingerprint": str(n)}) for n in range(500)]
        }
    )
    decision = run(many, routed(mail(2), ticket=state.id))
    assert decision.sent_on is not None
    assert decision.sent_on.follow_up_of == state.id


def test_our_own_mail_come_back_is_ignored_and_gmail_answers_of_our_people_are_ours() -> None:
    state = ticket()
    from mailroom_contracts import Reply

    sent = run(state, command(Reply, state, text="It left.", from_address_id="ad3")).state
    assert sent is not None
    own = sent.messages[-1].message_id
    back = run(sent, routed(mail(5, message_id=own), ticket=state.id, reason="own_mail"))
    assert isinstance(back.events[0], InputIgnored)
    assert back.events[0].code == "own_mail"
    gmail = GmailOrigin(address_id="ad3", message_id="g1", thread_id="t1", sent=True)
    there = run(state, routed(mail(6, sender="shop@customer-shop.example", gmail=gmail), ticket=state.id))
    assert there.events[0].message.direction == "out"  # type: ignore[attr-defined]
    assert there.events[0].message.kind == "external_reply"  # type: ignore[attr-defined]
    unknown = run(None, routed(mail(8, gmail=gmail), ticket=ids.derive("x"), reason="gmail_thread"))
    assert unknown.state is None
    assert types(unknown) == ["input_ignored"]
    begun = run(None, routed(mail(9, sender="shop@customer-shop.example", gmail=gmail)))
    assert begun.state is None, "what a person writes to somebody is no ticket whose customer we are"
    assert types(begun) == ["input_ignored"]


def test_what_an_import_brings_says_so() -> None:
    gmail = GmailOrigin(address_id="ad3", message_id="g1", thread_id="t1", imported=True)
    created = run(None, routed(mail(1, gmail=gmail))).events[0]
    assert isinstance(created, TicketCreated)
    assert created.imported
    assert not run(None, routed(mail(2))).events[0].imported  # type: ignore[attr-defined]


def test_a_named_ticket_that_does_not_exist_or_is_another_portals_gives_a_new_one() -> None:
    gone = run(None, routed(mail(2), ticket=ids.derive("gone"), reason="signed_id"))
    assert gone.sent_on is not None
    assert gone.state is None
    assert gone.events[0].version == 0
    state = ticket()
    foreign = run(state, routed(mail(3, portal="p2"), ticket=state.id, reason="signed_id"))
    assert foreign.sent_on is not None
    assert foreign.sent_on.linked_to is None, "nothing of the other portal's ticket is named"


def test_reply_to_is_answered_but_not_when_it_is_ours_or_dmarc_failed() -> None:
    asked = run(None, routed(mail(1, reply_to=[{"email": "team@customer.example"}]))).state
    assert asked.answer_to.email == "team@customer.example"  # type: ignore[union-attr]
    loop = run(None, routed(mail(1, reply_to=[{"email": "support@acme.example"}]))).state
    assert loop.answer_to.email == "jo@customer.example"  # type: ignore[union-attr]
    false = run(None, routed(mail(1, reply_to=[{"email": "eve@else.example"}]), verdicts=Verdicts(dmarc="fail"))).state
    assert false.answer_to.email == "jo@customer.example"  # type: ignore[union-attr]


def test_pending_ticket_opens_again_by_an_answer_without_handing_back() -> None:
    state = run(ticket(agent="a1"), command(SetStatus, ticket(), status="pending")).state
    decision = run(state, routed(mail(2, at=NOW + timedelta(hours=1)), ticket=state.id), online=frozenset())  # type: ignore[union-attr]
    assert types(decision) == ["message_added", "status_changed"]
    assert decision.state.assignee_id == "a1"  # type: ignore[union-attr]


def test_moving_and_giving_back() -> None:
    state = ticket(agent="a1")
    moved = run(state, command(MoveQueue, state, queue_id="q2"), agent="a2")
    assert types(moved) == ["queue_changed", "unassigned", "assigned"], "a1 does not work in Sales"
    back = run(state, command(Assign, state, assignee_id=None))
    assert types(back) == ["unassigned"]
    assert not back.state.wants_online, "given back on purpose"  # type: ignore[union-attr]
