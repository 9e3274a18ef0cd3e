"""Commands, delivery reports and bounces: carried out, or refused with a reason that people understand."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_contracts import (
    AddNote,
    Assign,
    AssignWaiting,
    AutoReplyCommand,
    BounceInfo,
    CancelMessage,
    CommandRefused,
    ConfirmSender,
    DeliveryChanged,
    EmailReceived,
    MoveQueue,
    Person,
    RecipientReport,
    Reply,
    ReplyRequested,
    ResendMessage,
    SetStatus,
    TicketCommand,
    TicketState,
    ids,
)
from mailroom_mail import thread_mark, verify_message_id, verify_plus_address
from support.router_desk import NOW, RING, after, command, report, routed, run, ticket, types
from support.router_world import mail


def refused(state: TicketState | None, message: TicketCommand, **more: Any) -> str:
    decision = run(state, message, **more)
    (event,) = decision.events
    assert isinstance(event, CommandRefused), event
    assert event.reason
    assert event.causation_id == message.id
    assert not decision.orders
    return event.code


def replied(state: TicketState, key: str = "1") -> TicketState:
    made = run(state, command(Reply, state, key, text="It left.", from_address_id="ad3")).state
    assert made is not None
    return made


def test_a_reply_leaves_from_an_address_that_sends_and_can_be_answered() -> None:
    state = ticket(references=["root@customer.example"])
    decision = run(
        state, command(Reply, state, text="It left.", from_address_id="ad3", cc=[Person(email="x@y.example")])
    )
    (event,) = decision.events
    (order,) = decision.orders
    assert isinstance(event, ReplyRequested)
    assert event.outbound_id == order.id
    assert order.from_ == Person(email="shop@customer-shop.example", name="The Shop")
    assert [p.email for p in order.to] == ["jo@customer.example"]
    assert order.subject == "Re: Order 1"
    assert order.in_reply_to == "m1@customer.example"
    assert order.references == ["root@customer.example", thread_mark(order.rfc_message_id), "m1@customer.example"]
    assert verify_message_id(order.rfc_message_id, RING) == state.id
    assert order.rfc_message_id.endswith("@customer-shop.example")
    assert order.quote is not None
    assert order.quote.text == "Where is my order 1?"
    assert order.reply_to == []
    assert order.not_after == after(17)
    assert "x@y.example" in decision.state.participants  # type: ignore[union-attr]


def test_replies_are_refused_where_no_address_may_send() -> None:
    state = ticket()
    assert refused(state, command(Reply, state, text="x")) == "receive_only"
    (event,) = run(state, command(Reply, state, text="x")).events
    assert event.reason == "support@acme.example only receives. Reply from shop@customer-shop.example."  # type: ignore[attr-defined]
    assert refused(state, command(Reply, state, text="x", from_address_id="ad2")) == "receive_only"
    assert refused(state, command(Reply, state, text="x", from_address_id="ad9")) == "unknown_address"
    assert refused(state, command(Reply, state, text="x", from_address_id="nope")) == "unknown_address"


def test_unknown_ticket_wrong_portal_and_unknown_type() -> None:
    lost = ids.derive("nothing")
    decision = run(None, command(AddNote, lost, text="x"))
    assert (types(decision), decision.events[0].version, decision.state) == (["command_refused"], 0, None)
    state = ticket()
    assert refused(state, command(AddNote, state, text="x", portal_id="p2")) == "wrong_portal"
    strange = TicketCommand(
        id="c", type="ticket.dance", ticket_id=state.id, portal_id="p1", actor={"kind": "api"}, at=NOW
    )
    assert refused(state, strange) == "unknown_type"


def auto(state: TicketState, key: str = "1") -> AutoReplyCommand:
    return command(AutoReplyCommand, state, key, receipt_id=mail(1).id, address_id="ad1",
                   to=Person(email="jo@customer.example"), subject="Got it", text="Dear Jo", not_after=after(1))  # fmt: skip


def test_one_automatic_reply_per_ticket() -> None:
    state = ticket()
    decision = run(state, auto(state))
    (order,) = decision.orders
    assert types(decision) == ["auto_replied"]
    assert (order.auto_submitted, order.not_after, order.in_reply_to) == (
        "auto-replied",
        after(1),
        "m1@customer.example",
    )
    assert verify_plus_address(order.reply_to[0].email, RING) == state.id
    assert decision.state is not None
    assert refused(decision.state, auto(state, "2")) == "already_auto_replied"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (lambda s: command(Assign, s, assignee_id="a9"), "unknown_agent"),
        (lambda s: command(Assign, s, assignee_id="a2", only_if_unassigned=True), "already_assigned"),
        (lambda s: command(SetStatus, s, status="lost"), "bad_status"),
        (lambda s: command(MoveQueue, s, queue_id="q9"), "unknown_queue"),
        (lambda s: command(ConfirmSender, s, email="eve@else.example"), "unknown_sender"),
        (lambda s: command(ResendMessage, s, message_id="none"), "unknown_message"),
        (lambda s: command(CancelMessage, s, message_id="none"), "unknown_message"),
        (lambda s: command(AssignWaiting, s), "not_waiting"),
    ],
)
def test_refusals(message: object, code: str) -> None:
    state = ticket()
    assert refused(state, message(state)) == code  # type: ignore[operator]


def test_taking_assigning_and_waiting() -> None:
    state = ticket(agent=None)
    assert state.wants_online
    taken = run(state, command(Assign, state, assignee_id="a2", only_if_unassigned=True))
    assert taken.events[0].reason == "take"  # type: ignore[attr-defined]
    waited = run(state, command(AssignWaiting, state), agent="a2")
    assert waited.events[0].reason == "came_online"  # type: ignore[attr-defined]
    nobody = run(state, command(AssignWaiting, state))
    assert nobody.events[0].code == "nobody_online"  # type: ignore[attr-defined]
    assert nobody.state.wants_online  # type: ignore[union-attr]


def test_confirming_a_sender() -> None:
    state = ticket()
    added = run(state, routed(mail(2, sender="bob@customer.example"), ticket=state.id, reason="signed_id")).state
    assert added is not None
    decision = run(added, command(ConfirmSender, state, email="Bob@customer.example"))
    assert types(decision) == ["sender_confirmed"]
    assert "bob@customer.example" in decision.state.participants  # type: ignore[union-attr]


def test_delivery_trouble_reopens_and_late_reports_change_nothing() -> None:
    state = replied(ticket())
    order = state.messages[-1].outbound_id
    assert order is not None
    state = run(state, command(SetStatus, state, status="closed")).state or state
    deferred = run(state, report(state, order, "deferred", reason="421 later"))
    assert types(deferred) == ["delivery_changed"]
    failed = run(deferred.state, report(state, order, "failed", 2), online=frozenset(), agent="a2")
    assert types(failed) == ["delivery_changed", "status_changed", "unassigned", "assigned"]
    assert failed.events[1].reason == "delivery_failed"  # type: ignore[attr-defined]
    for late in ("sent", "deferred"):
        assert run(failed.state, report(state, order, late, 1 if late == "sent" else 3)).events[0].code == "outdated"  # type: ignore[attr-defined]
    assert run(state, report(state, "other", "sent")).events[0].code == "outdated"  # type: ignore[attr-defined]
    probe = report(state, order, "sent").model_copy(update={"ticket_id": "ad1"})
    assert run(None, probe).events[0].version == 0


def test_resend_and_cancel() -> None:
    state = replied(ticket())
    message = state.messages[-1]
    assert refused(state, command(ResendMessage, state, message_id=message.id)) == "not_failed"
    cancel = run(state, command(CancelMessage, state, message_id=message.id))
    assert (cancel.orders[0].action, cancel.orders[0].id) == ("cancel", message.outbound_id)
    gone = run(cancel.state, report(state, message.outbound_id or "", "cancelled")).state
    assert gone is not None
    assert refused(gone, command(CancelMessage, state, "2", message_id=message.id)) == "not_waiting"
    again = run(gone, command(ResendMessage, state, "2", message_id=message.id))
    (order,) = again.orders
    assert order.id == ids.outbound_id(state.id, message.id, 1)
    assert order.rfc_message_id == message.message_id
    assert order.text == "It left."
    assert again.events[0].resend  # type: ignore[attr-defined]
    # what the first order still reports is about nothing any more
    assert run(again.state, report(state, message.outbound_id or "", "failed", 9)).events[0].code == "outdated"  # type: ignore[attr-defined]


def bounce(original: str | None, *, state: str = "failed", formal: bool = True, number: int = 50) -> EmailReceived:
    info = BounceInfo(formal=formal, original_message_id=original,
                      recipients=[RecipientReport(recipient="jo@customer.example", state=state, status="5.1.1")])  # fmt: skip
    return mail(number, sender="mailer-daemon@mx.example", bounce=info)


def test_a_bounce_shows_on_its_message_and_reopens() -> None:
    state = replied(ticket())
    state = run(state, command(SetStatus, state, status="closed")).state or state
    own = state.messages[-1].message_id
    decision = run(state, routed(bounce(own), ticket=state.id, reason="bounce"), online=frozenset({"a1"}))
    assert types(decision) == ["delivery_changed", "status_changed"]
    changed = decision.events[0]
    assert isinstance(changed, DeliveryChanged)
    assert changed.delivery.state == "bounced"
    assert changed.bounce is not None
    assert "5.1.1" in (changed.delivery.reason or "")
    assert len(decision.state.messages) == len(state.messages) + 1  # type: ignore[union-attr]


def test_a_delay_notice_is_no_failure_and_what_matches_nothing_is_listed_or_a_ticket() -> None:
    state = replied(ticket())
    own = state.messages[-1].message_id
    delayed = run(state, routed(bounce(own, state="deferred"), ticket=state.id, reason="bounce"))
    assert delayed.events[0].delivery.state == "sent"  # type: ignore[attr-defined]
    other = bounce("unknown@x.example")
    other = other.model_copy(update={"content": other.content.model_copy(update={"bounce": BounceInfo(formal=True)})})
    formal = run(state, routed(other, ticket=state.id, reason="bounce"))
    assert formal.events[0].code == "unmatched_bounce"  # type: ignore[attr-defined]
    assert formal.events[0].detail is not None  # type: ignore[attr-defined]
    words = other.model_copy(update={"content": other.content.model_copy(update={"bounce": BounceInfo(formal=False)})})
    assert run(state, routed(words, ticket=state.id, reason="bounce")).sent_on is not None


def test_an_automatic_replys_bounce_does_not_reopen() -> None:
    state = run(ticket(), auto(ticket())).state
    assert state is not None
    closed = run(state, command(SetStatus, state, status="closed")).state
    decision = run(closed, routed(bounce(state.messages[-1].message_id), ticket=state.id, reason="bounce"))
    assert types(decision) == ["delivery_changed"]
