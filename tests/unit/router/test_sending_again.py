"""Sending again after a partial loss: to those whom the message did not reach alone, unless the agent says otherwise."""

from __future__ import annotations

from mailroom_contracts import CancelMessage, RecipientReport, Reply, ReplyRequested, ResendMessage, TicketState
from mailroom_outbound.composing import envelope_recipients, narrowed
from support.router_desk import NOW, command, report, routed, run
from support.router_world import mail

JO, BO, CY = "jo@customer.example", "bo@customer.example", "cy@customer.example"


def partly_lost() -> tuple[TicketState, str]:
    """A ticket whose answer went to three, of whom Bo was refused; and the message's id."""
    state = run(None, routed(mail(1, at=NOW), address="ad3")).state
    assert state is not None
    reply = command(Reply, state, text="It left.", from_address_id="ad3", cc=[{"email": BO}], bcc=[{"email": CY}])
    state = run(state, reply).state or state
    message = state.messages[-1]
    lost = [RecipientReport(recipient=BO, state="failed", reason="550 no")]
    state = run(state, report(state, message.outbound_id or "", "failed", recipients=[
        *lost, *(RecipientReport(recipient=one, state="sent") for one in (JO, CY))])).state or state  # fmt: skip
    return state, message.id


def outcomes(state: TicketState, message: str) -> dict[str, str]:
    from mailroom_router.standing import of_message

    return {r.recipient: r.state for r in of_message(next(m for m in state.messages if m.id == message))}


def test_it_goes_to_the_lost_ones_alone_and_the_others_stay_as_they_are() -> None:
    state, message = partly_lost()
    decision = run(state, command(ResendMessage, state, message_id=message))
    (order,) = decision.orders
    assert envelope_recipients(order) == (BO,)
    assert [p.email for p in (*order.to, *order.cc, *order.bcc)] == [JO, BO, CY], "the mail itself is the same"
    assert decision.state is not None
    assert outcomes(decision.state, message) == {JO: "sent", BO: "queued", CY: "sent"}
    event = decision.events[0]
    assert isinstance(event, ReplyRequested)
    assert event.message.delivery is not None
    assert event.message.delivery.state == "queued"
    done = run(decision.state, report(state, order.id, "sent", 2)).state
    assert done is not None
    assert outcomes(done, message) == {JO: "sent", BO: "sent", CY: "sent"}
    late = run(done, report(state, order.id, "failed", 3, recipients=[]))
    assert late.events[0].code == "outdated"  # type: ignore[attr-defined]


def test_the_agent_may_say_otherwise_but_only_recipients_of_that_message() -> None:
    state, message = partly_lost()
    everybody = run(state, command(ResendMessage, state, message_id=message, recipients=[JO, BO, CY]))
    assert envelope_recipients(everybody.orders[0]) == (JO, BO, CY)
    assert everybody.orders[0].envelope == []
    two = run(state, command(ResendMessage, state, "2", message_id=message, recipients=["JO@customer.example", BO]))
    assert envelope_recipients(two.orders[0]) == (JO, BO)
    for wrong in (["eve@else.example"], [JO, "eve@else.example"], []):
        refused = run(state, command(ResendMessage, state, "3", message_id=message, recipients=wrong))
        assert refused.events[0].code == "unknown_recipient"  # type: ignore[attr-defined]
        assert not refused.orders


def test_not_while_others_are_still_tried_and_what_waits_can_be_cancelled() -> None:
    state = run(None, routed(mail(1, at=NOW), address="ad3")).state
    assert state is not None
    state = run(state, command(Reply, state, text="x", from_address_id="ad3", cc=[{"email": BO}])).state or state
    message = state.messages[-1]
    lost = [RecipientReport(recipient=BO, state="failed", reason="550 no")]
    state = (
        run(state, report(state, message.outbound_id or "", "deferred", reason="451", recipients=lost)).state or state
    )
    again = run(state, command(ResendMessage, state, message_id=message.id))
    assert again.events[0].code == "still_waiting"  # type: ignore[attr-defined]
    cancel = run(state, command(CancelMessage, state, message_id=message.id))
    assert cancel.orders[0].action == "cancel"
    gone = run(cancel.state, report(state, message.outbound_id or "", "cancelled", 2)).state
    assert gone is not None
    assert outcomes(gone, message.id) == {JO: "cancelled", BO: "failed"}
    both = run(gone, command(ResendMessage, state, "2", message_id=message.id))
    assert envelope_recipients(both.orders[0]) == (JO, BO)


def test_gmail_takes_recipients_from_the_fields_so_they_are_narrowed() -> None:
    state, message = partly_lost()
    (order,) = run(state, command(ResendMessage, state, message_id=message)).orders
    small = narrowed(order)
    assert ([p.email for p in small.to], small.cc, small.bcc) == ([BO], [], [])
    whole = order.model_copy(update={"envelope": []})
    assert narrowed(whole) is whole
