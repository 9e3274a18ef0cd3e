"""Nobody can falsify how our mail stands: a sweep of reports that name something that is not so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from mailroom_contracts import (
    BounceInfo,
    DeliveryChanged,
    EmailReceived,
    RecipientReport,
    Reply,
    SetStatus,
    TicketState,
)
from mailroom_router.conversation import Known, clues
from mailroom_router.ticket import Decision
from support.arriving import placed
from support.router_desk import NOW, RING, after, command, report, routed, run, types
from support.router_world import mail

JO, BO = "jo@customer.example", "bo@customer.example"
FORMAL, WORDED = True, False


def answered(*cc: str) -> TicketState:
    """A ticket of Jo's with our answer (to Jo and `cc`), sent and then closed."""
    state = run(None, routed(mail(1, at=NOW), address="ad3"), agent="a1").state
    assert state is not None
    reply = command(Reply, state, text="It left.", from_address_id="ad3", cc=[{"email": one} for one in cc])
    state = run(state, reply).state
    assert state is not None
    state = run(state, report(state, state.messages[-1].outbound_id or "", "sent")).state
    assert state is not None
    state = run(state, command(SetStatus, state, status="closed")).state
    assert state is not None
    return state


def own_id(state: TicketState) -> str:
    return next(m.message_id for m in reversed(state.messages) if m.direction == "out" and m.message_id) or ""


def told(
    recipient: str = JO, *, formal: bool = FORMAL, original: str | None = None, mailroom_id: str | None = None,
    state: str = "bounced", null: bool = True, at: datetime = NOW, number: int = 70, **more: Any,
) -> EmailReceived:  # fmt: skip
    """A report; with neither id it names none."""
    info = {k: more.pop(k) for k in ("original_from", "original_to") if k in more}
    bounce = BounceInfo(
        formal=formal, original_message_id=original, mailroom_id=mailroom_id,
        recipients=[RecipientReport(recipient=recipient, state=state, status="5.1.1", reason="550 5.1.1 gone")], **info,
    )  # fmt: skip
    signs = ["null-return-path"] if null else ["from:mailer-daemon"]
    return mail(number, sender="mailer-daemon@mx.example", bounce=bounce, automatic_signs=signs, at=at, **more)


def arrives(state: TicketState, received: EmailReceived, known: Known | None = None, address: str = "ad3") -> Decision:
    """What the report does to the ticket, both steps; `known`: what the index has."""
    one = placed(received, known, address=address)
    if one.ticket_id != state.id:
        return run(None, one)
    return run(state, one, at=received.received_at)


def unchanged(state: TicketState, decision: Decision) -> bool:
    if any(isinstance(e, DeliveryChanged) for e in decision.events):
        return False
    same = decision.state
    return same is None or same.id != state.id or (same.messages == state.messages and same.status == "closed")


def by_recipient(state: TicketState) -> Known:
    return Known(bounced=(state.id, state.messages[-1].outbound_id or ""))


def test_a_true_report_changes_it() -> None:
    state = answered()
    decision = arrives(state, told(original=own_id(state)))
    assert types(decision) == ["delivery_changed", "status_changed"]


@pytest.mark.parametrize("formal", [FORMAL, WORDED])
@pytest.mark.parametrize("null", [True, False])
def test_an_id_that_is_not_ours_changes_nothing(formal: bool, null: bool) -> None:
    state = answered()
    ours = own_id(state)
    names = [
        "never-sent@acme.example",
        ours[:-20] + "a" + ours[-19:],
        ours.replace(".k", ".z", 1),
        "m1@customer.example",
    ]
    for name in names:
        for field in ("original", "mailroom_id"):
            received = told(formal=formal, null=null, **{field: name})  # type: ignore[arg-type]
            assert clues(received, RING).bounced_recipients == (), "it names an id: never by recipient"
            assert unchanged(state, arrives(state, received)), name
            # nor when what it refers to, and what the index has, is ours
            references = told(formal=formal, null=null, references=[ours], **{field: name})  # type: ignore[arg-type]
            assert unchanged(state, arrives(state, references)), name
            assert unchanged(state, arrives(state, received, by_recipient(state)))


@pytest.mark.parametrize("formal", [FORMAL, WORDED])
@pytest.mark.parametrize(
    "recipient", ["vip@example.org", "jo@else.example", "support@acme.example", "xjo@customer.example"]
)
def test_a_recipient_that_the_message_never_had_changes_nothing(recipient: str, formal: bool) -> None:
    state = answered(BO)
    assert unchanged(state, arrives(state, told(recipient, formal=formal, original=own_id(state))))
    assert unchanged(state, arrives(state, told(recipient, formal=formal, mailroom_id=own_id(state))))


def test_without_any_id_only_a_report_that_nothing_contradicts_counts() -> None:
    state = answered()
    known = by_recipient(state)
    fits = told()
    assert clues(fits, RING).bounced_recipients == (JO,)
    assert types(arrives(state, fits, known)) == ["delivery_changed", "status_changed"]
    assert clues(told(null=False), RING).bounced_recipients == (), "not with the null sender"
    contradicting = [
        told(at=after(6)),
        told(original_from="somebody@else.example"),
        told(original_to=["other@customer.example"]),
        told("eve@else.example"),
    ]
    for received in contradicting:
        assert unchanged(state, arrives(state, received, known))
    assert unchanged(state, arrives(state, told(), known, address="ad2")), "to an address it did not leave from"
    agreeing = told(original_from="shop@customer-shop.example", original_to=[JO])
    assert not unchanged(state, arrives(state, agreeing, known))


def test_a_later_message_is_not_blamed_for_an_earlier_ones_report() -> None:
    state = answered()
    first = own_id(state)
    state = run(state, command(Reply, state, "2", text="More.", from_address_id="ad3")).state or state
    decision = arrives(state, told(original=first))
    changed = decision.events[0]
    assert isinstance(changed, DeliveryChanged)
    assert changed.message_id == next(m.id for m in state.messages if m.message_id == first)


def test_reports_merge_by_recipient_and_never_go_back() -> None:
    state = answered(BO)
    ours = own_id(state)

    def take(recipient: str, how: str, number: int) -> dict[str, str]:
        nonlocal state
        decision = arrives(state, told(recipient, original=ours, state=how, number=number))
        changed = next(e for e in decision.events if isinstance(e, DeliveryChanged))
        assert decision.state is not None
        state = decision.state
        return {"": changed.delivery.state} | {r.recipient: r.state for r in changed.delivery.recipients}

    assert take(JO, "deferred", 71) == {"": "sent", JO: "deferred", BO: "sent"}
    assert take(BO, "bounced", 72) == {"": "bounced", JO: "deferred", BO: "bounced"}
    assert take(BO, "deferred", 73) == {"": "bounced", JO: "deferred", BO: "bounced"}
    assert take(JO, "sent", 74) == {"": "bounced", JO: "sent", BO: "bounced"}
    assert take(JO, "bounced", 75) == {"": "bounced", JO: "bounced", BO: "bounced"}
    assert state.messages[2].delivery is not None or state.messages[1].delivery is not None


def test_a_second_loss_opens_a_ticket_again_that_was_closed_after_the_first() -> None:
    state = answered(BO)
    ours = own_id(state)
    state = arrives(state, told(JO, original=ours, number=71)).state or state
    assert state.status == "open"
    state = run(state, command(SetStatus, state, "2", status="closed")).state or state
    same = arrives(state, told(JO, original=ours, number=72))
    assert same.state is not None
    assert same.state.status == "closed", "the same loss told twice is no news"
    state = arrives(state, told(BO, original=ours, number=73)).state or state
    assert state.status == "open"


def test_refusals_at_rcpt_are_among_the_recipients_whatever_follows() -> None:
    state = run(None, routed(mail(1, at=NOW), address="ad3")).state
    assert state is not None
    state = run(state, command(Reply, state, text="x", from_address_id="ad3", cc=[{"email": BO}])).state or state
    order = state.messages[-1].outbound_id or ""
    refused = [RecipientReport(recipient=BO, state="failed", reason="550 no")]
    waiting = run(state, report(state, order, "deferred", 1, reason="451 later", recipients=refused))
    delivery = waiting.events[0].delivery  # type: ignore[attr-defined]
    assert {r.recipient: r.state for r in delivery.recipients} == {JO: "deferred", BO: "failed"}
    assert delivery.state == "failed"
    assert waiting.state is not None
    sent = run(waiting.state, report(state, order, "sent", 2, server_reply="250 ok"))
    delivery = sent.events[0].delivery  # type: ignore[attr-defined]
    assert {r.recipient: r.state for r in delivery.recipients} == {JO: "sent", BO: "failed"}
    assert BO in (delivery.reason or "")
