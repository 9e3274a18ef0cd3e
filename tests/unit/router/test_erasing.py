"""A ticket that is to be forgotten: its state is deleted, an event says so, and nothing of its names stays in the index."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import Erase, Erased, decode, topics
from mailroom_router.draft import Decision
from mailroom_router.facts import facts
from mailroom_router.outputs import Outputs
from mailroom_router.ticket import decide, finish
from support.router_desk import command, context, routed, run, ticket
from support.router_world import mail


def erased(state: Any) -> Decision:
    return run(state, command(Erase, state, "e1", reason="person"))


def test_a_state_is_deleted_and_an_event_says_so() -> None:
    state = ticket()
    decision = erased(state)
    (event,) = decision.events
    assert isinstance(event, Erased)
    assert (event.ticket_id, event.reason, event.version) == (state.id, "person", state.version + 1)
    outputs = Outputs()
    outputs.add(state, decision, None)
    assert outputs.states == {state.id: None}
    (tombstone,) = outputs.state_records()
    assert (tombstone.topic, tombstone.key, tombstone.value) == (topics.TICKETS, state.id.encode(), None)
    (said,) = [decode(r.topic, r.value, r.headers) for r in outputs.records]
    assert said == event
    assert state.customer.email not in str(outputs.records)


def test_the_index_is_told_every_name_of_it() -> None:
    state = ticket()
    outputs = Outputs()
    outputs.add(state, erased(state), None)
    (told,) = outputs.facts
    assert told.gone
    assert told.names() == facts(None, state).names()
    assert not told.empty


def test_what_comes_later_begins_anew_and_of_another_portal_nothing_is_forgotten() -> None:
    state = ticket()
    outputs = Outputs()
    outputs.add(state, erased(state), None)
    again = finish(decide(None, routed(mail(1)), context()))
    outputs.add(None, again, None)
    assert again.state is not None
    assert outputs.states[again.state.id] == again.state
    other = run(state, command(Erase, state, "e2", reason="person").model_copy(update={"portal_id": "p2"}))
    assert [event.type for event in other.events] == ["ticket.command_refused"]
    assert not other.erased


def test_an_input_that_is_read_again_does_not_undo_it() -> None:
    first = finish(decide(None, routed(mail(1)), context()))
    assert first.state is not None
    outputs = Outputs()
    outputs.add(first.state, erased(first.state), None)
    kept = outputs.erased[first.state.id]
    repeated = finish(decide(None, routed(mail(1)), context(), kept))
    assert ([e.type for e in repeated.events], repeated.state) == (["ticket.input_ignored"], None)
    anew = finish(decide(None, routed(mail(2)), context(), kept))
    assert anew.state is not None
    once_more = run(anew.state, routed(mail(1)))
    assert [getattr(e, "code", "") for e in once_more.events] == ["already_known"], "nor what came after it"
