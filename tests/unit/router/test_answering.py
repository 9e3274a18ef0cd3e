"""What agents do beyond answering once: new messages, forwards, holding back, and answers that are what was shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import (
    Address,
    CancelMessage,
    CommandRefused,
    Compose,
    DeliveryChanged,
    Forward,
    Forwarded,
    MessageAdded,
    Person,
    Quote,
    Reply,
    ReplyRequested,
    TicketCreated,
    TicketState,
)
from mailroom_mail import compose, read, sign_message_id, thread_mark, verify_message_id
from mailroom_outbound.composing import outgoing
from mailroom_router.conversation import clues
from mailroom_router.facts import facts
from mailroom_router.outputs import Outputs
from mailroom_router.ticket import Context, decide, finish
from support.router_desk import NOW, RING, after, book, command, report, routed, run, ticket, types
from support.router_world import mail


def answer(state: TicketState, key: str = "1", **more: Any) -> Any:
    return run(state, command(Reply, state, key, text="It left.", from_address_id="ad3", **more))


def came(state: TicketState, number: int, **more: Any) -> TicketState:
    more.setdefault("subject", "Order 1")
    made = run(state, routed(mail(number, at=NOW, **more), ticket=state.id, reason="signed_id")).state
    assert made is not None
    return made


def people(*emails: str) -> list[Person]:
    return [Person(email=e) for e in emails]


# recipients
def test_exactly_what_the_command_names_is_sent_and_else_the_rule() -> None:
    state = ticket(reply_to=[{"email": "a@customer.example"}, {"email": "b@customer.example"}])
    assert state.answers is not None
    (order,) = answer(state).orders
    assert [p.email for p in order.to] == ["a@customer.example", "b@customer.example"]
    (order,) = answer(state, to=people("x@y.example"), cc=people("z@y.example")).orders
    assert ([p.email for p in order.to], [p.email for p in order.cc]) == (["x@y.example"], ["z@y.example"])


def test_the_event_of_a_mail_says_whom_its_answers_go_to() -> None:
    received = mail(1, at=NOW, to=("support@acme.example", "bob@customer.example"), rcpt=("support@acme.example",))
    (_, added, *_) = run(None, routed(received)).events
    assert isinstance(added, MessageAdded)
    assert added.message.answers is not None
    assert [p.email for p in added.message.answers.reply_all.to] == ["jo@customer.example", "bob@customer.example"]


def test_an_answer_is_refused_when_somebody_wrote_unseen_and_goes_once_it_was_seen() -> None:
    state = ticket()
    seen = state.messages[-1].id
    state = came(state, 2)
    decision = answer(state, seen_id=seen)
    (event,) = decision.events
    assert isinstance(event, CommandRefused)
    assert event.code == "recipients_changed"
    assert "jo@customer.example" in event.reason
    assert not decision.orders
    assert types(answer(state, "2", seen_id=state.messages[-1].id)) == ["reply_requested"]


def test_a_colleagues_answer_counts_as_unseen_but_no_automatic_mail_and_no_note() -> None:
    state = ticket()
    seen = state.messages[-1].id
    quiet = came(state, 2, out_of_office=True)
    assert types(answer(quiet, seen_id=seen)) == ["reply_requested"]
    answered = answer(state).state
    assert answer(answered, "2", seen_id=seen).events[0].code == "recipients_changed"
    assert types(answer(answered, "3")) == ["reply_requested"], "who looked at nothing is not held up"


# marks of the thread
def test_the_subject_of_an_answer_is_that_of_the_mail_answered() -> None:
    state = came(ticket(subject="My order"), 2, subject="Re: [support #41] My order")
    (order,) = answer(state).orders
    assert order.subject == "Re: [support #41] My order"
    (order,) = answer(state, answered_id=state.messages[0].id, quotes=[Quote(text="first")]).orders
    assert order.subject == "Re: My order"
    assert order.in_reply_to == "m1@customer.example"
    assert order.quote is not None
    assert order.quote.text == "first"


def test_references_are_in_the_order_of_time_and_end_with_the_parent_once() -> None:
    state = ticket()
    state = answer(state).state
    state = came(state, 2)
    state = answer(state, "2").state
    first, mine, second, _ = [m.message_id for m in state.messages]
    (order,) = answer(state, "3").orders
    assert order.references == [first, mine, thread_mark(order.rfc_message_id), second]
    assert order.in_reply_to == second
    (order,) = answer(state, "3", answered_id=state.messages[0].id).orders
    assert order.references == [thread_mark(order.rfc_message_id), first], "what came later is none of its ancestors"
    assert order.in_reply_to == first


@given(st.lists(st.integers(0, 5), max_size=6), st.sampled_from([None, "root@customer.example", "m1@customer.example"]))
def test_a_program_that_answers_names_no_mail_twice(answered: list[int], root: str | None) -> None:
    """Whatever is answered: the mail as written has each id once, the parent last, and never its own, so that References of
    an answer (RFC 5322: the parent's and the parent's id) have none twice; and the answer finds the ticket by any of ours."""
    state = ticket(**({"references": [root]} if root else {}))
    for number, position in enumerate(answered):
        state = came(state, number + 2)
        message = state.messages[min(position, len(state.messages) - 1)]
        more = {"answered_id": message.id} if message.direction == "in" else {}
        decision = answer(state, str(number), **more)
        (order,), state = decision.orders, decision.state
        address = book().address("ad3")
        assert isinstance(address, Address)
        sent = read(compose(outgoing(order, address, (), ())))
        assert sent.in_reply_to == (order.in_reply_to,)
        assert sent.references[-1] == order.in_reply_to
        theirs = [*sent.references, sent.message_id]
        assert len(set(theirs)) == len(theirs)
        # a provider that gave our mail another Message-ID took only that one away
        back = mail(99, in_reply_to=["new@provider.example"], references=[*sent.references, "new@provider.example"])
        assert clues(back, RING).signed[0] == state.id


@given(st.from_regex(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,40}[a-z0-9])?){1,4}", fullmatch=True))
def test_our_message_id_is_short_with_any_domain_and_verifies(domain: str) -> None:
    made = sign_message_id("a" * 32, "0f" * 16, domain, RING)
    assert len(made) <= 77
    assert verify_message_id(f"<{made}>", RING) == "a" * 32
    assert made.partition("@")[2].count(".") >= 1


def test_the_ticket_number_stands_in_the_subject_where_the_address_asks_for_it() -> None:
    ours = book()
    shop = ours.addresses["ad3"]
    ours.apply("addresses", "ad3", shop.model_copy(update={"number_in_subject": True, "plus_replies": True}))
    state = ticket()
    once = finish(decide(state, command(Reply, state, text="x", from_address_id="ad3"), Context(ours, RING, NOW)))
    assert once.orders[0].subject == f"Re: Order 1 [#{state.number}]"
    assert once.orders[0].reply_to[0].email.startswith("shop+")
    state = state.model_copy(update={"subject": once.orders[0].subject})
    again = finish(decide(state, command(Reply, state, "2", text="x", from_address_id="ad3"), Context(ours, RING, NOW)))
    assert again.orders[0].subject.count(state.number) == 1


def test_an_id_that_a_provider_put_in_place_of_ours_is_known_from_then_on() -> None:
    state = answer(ticket()).state
    ours = state.messages[-1]
    told = run(state, report(state, ours.outbound_id, "sent", rfc_message_id="0100-ses@email.amazonses.com"))
    assert "0100-ses@email.amazonses.com" in facts(state, told.state, told.events).message_ids
    assert "0100-ses@email.amazonses.com" in facts(None, told.state).message_ids, "after a rebuild too"
    copy = mail(9, message_id="AM0PR@outlook.example", mailroom_id=ours.message_id, sender="shop@customer-shop.example")
    back = run(state, routed(copy, ticket=state.id, reason="own_mail"))
    assert types(back) == ["input_ignored"]
    assert "AM0PR@outlook.example" in facts(state, back.state, back.events).message_ids


# quoting
@pytest.mark.parametrize(("quote", "expected"), [("none", []), ("last", ["Where is my order 1?"]), ("all", ["b", "a"])])
def test_quoting_is_a_choice(quote: str, expected: list[str]) -> None:
    quotes = [Quote(text="b"), Quote(text="a")] if quote == "all" else []
    (order,) = answer(ticket(), quote=quote, quotes=quotes).orders
    assert [q.text for q in ([order.quote] if order.quote else []) + order.quotes] == expected


# holding
def test_a_held_answer_says_until_when_and_is_called_off_when_the_customer_writes() -> None:
    state = ticket()
    until = NOW + timedelta(hours=2)
    decision = answer(state, send_at=until, hold="later", cancel_on_mail=True)
    (event,) = decision.events
    assert isinstance(event, ReplyRequested)
    assert (event.message.send_at, event.message.hold) == (until, "later")
    assert event.message.delivery is not None
    assert event.message.delivery.next_try_at == until
    (order,) = decision.orders
    assert order.not_before == until
    assert order.not_after is not None
    assert order.not_after > until
    wrote = run(decision.state, routed(mail(2, at=NOW), ticket=state.id, reason="signed_id"))
    assert [o.action for o in wrote.orders] == ["cancel"]
    assert wrote.orders[0].id == order.id
    assert any(isinstance(e, DeliveryChanged) and "customer wrote" in (e.delivery.reason or "") for e in wrote.events)


def test_a_held_answer_goes_when_nobody_chose_otherwise_and_a_click_cancels_it() -> None:
    state = answer(ticket(), send_at=NOW + timedelta(seconds=10), hold="undo").state
    wrote = run(state, routed(mail(2, at=NOW), ticket=state.id, reason="signed_id"))
    assert not wrote.orders
    undone = run(state, command(CancelMessage, state, message_id=state.messages[-1].id))
    assert [o.action for o in undone.orders] == ["cancel"]


def test_a_time_that_is_over_holds_nothing_and_one_too_far_is_refused() -> None:
    (order,) = answer(ticket(), send_at=NOW - timedelta(minutes=1)).orders
    assert order.not_before is None
    assert answer(ticket(), send_at=after(1000)).events[0].code == "too_late"


# new message
def test_an_agent_writes_first_and_the_answer_joins() -> None:
    wanted = command(Compose, "c" * 32, from_address_id="ad3", to=people("kim@customer.example"), subject="Your delivery",
                     text="It comes on Friday.")  # fmt: skip
    decision = run(None, wanted)
    assert types(decision) == ["created", "reply_requested", "assigned"]
    created, requested, _ = decision.events
    assert isinstance(created, TicketCreated)
    assert (created.begun_by, created.customer.email, created.queue_id) == ("agent", "kim@customer.example", "q1")
    assert isinstance(requested, ReplyRequested)
    (order,) = decision.orders
    assert (order.subject, [p.email for p in order.to]) == ("Your delivery", ["kim@customer.example"])
    assert not order.in_reply_to
    answered = routed(mail(2, sender="kim@customer.example", references=[order.rfc_message_id]))
    assert answered.ticket_id == decision.state.id  # type: ignore[union-attr]
    after_it = run(decision.state, answered)
    assert types(after_it) == ["message_added"]
    assert not after_it.events[0].message.new_sender  # type: ignore[attr-defined]
    assert types(run(decision.state, wanted)) == ["input_ignored"], "sent once"


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"from_address_id": "ad1"}, "receive_only"), ({"from_address_id": "ad9"}, "unknown_address"),
     ({"queue_id": "q9"}, "unknown_queue"), ({"to": []}, "no_recipient")],
)  # fmt: skip
def test_a_new_message_that_cannot_be_sent_makes_no_ticket(fields: dict[str, Any], code: str) -> None:
    given_ = {"from_address_id": "ad3", "to": people("kim@customer.example"), "text": "x"} | fields
    decision = run(None, command(Compose, "c" * 32, **given_))
    assert decision.state is None
    assert [e.code for e in decision.events] == [code]  # type: ignore[attr-defined]
    assert not decision.orders


# forward
def test_a_third_partys_answer_is_theirs_and_never_goes_to_the_customer_by_itself() -> None:
    state = ticket()
    decision = run(state, command(Forward, state, to=people("lab@partner.example"), text="Can you look?",
                                  quotes=[Quote(text="Where is it?")], from_address_id="ad3"))  # fmt: skip
    (event,) = decision.events
    assert isinstance(event, Forwarded)
    assert event.message.kind == "forward"
    (order,) = decision.orders
    assert (order.subject, order.quote_style, order.in_reply_to) == ("Fwd: Order 1", "forward", None)
    state = decision.state
    assert state is not None
    back = run(state, routed(mail(2, sender="lab@partner.example", references=[order.rfc_message_id], at=NOW)))
    (added,) = back.events
    assert isinstance(added, MessageAdded)
    assert (added.message.third_party, added.message.new_sender) == (True, False)
    assert back.state is not None
    assert back.state.answers == state.answers
    assert "lab@partner.example" not in back.state.participants
    (reply,) = answer(back.state).orders
    assert [p.email for p in reply.to] == ["jo@customer.example"]
    assert reply.quote is not None
    assert reply.quote.text == "Where is my order 1?"
    # an answer to the third party makes it no participant either
    told = answer(back.state, "2", to=people("lab@partner.example")).state
    assert "lab@partner.example" not in told.participants


def test_a_third_partys_answer_opens_a_pending_ticket() -> None:
    state = ticket()
    state = run(state, command(Forward, state, to=people("lab@partner.example"), from_address_id="ad3")).state
    assert state is not None
    own = state.messages[-1].message_id
    state = state.model_copy(update={"status": "pending"})
    back = run(state, routed(mail(2, sender="lab@partner.example", references=[own], at=NOW)))
    assert back.state is not None
    assert back.state.status == "open"


def test_commands_to_other_tickets_are_records_of_their_partition() -> None:
    from mailroom_contracts import Merge

    state = ticket()
    decision = run(state, command(Merge, state, into="e" * 32))
    outputs = Outputs()
    outputs.add(state, decision, None)
    (record,) = outputs.elsewhere
    assert record.key == b"e" * 32
