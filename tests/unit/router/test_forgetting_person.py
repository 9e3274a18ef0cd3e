"""A person is taken out of another customer's ticket, whose state and index know of nobody there any more."""

from __future__ import annotations

from typing import Any

from mailroom_contracts import CommandRefused, ForgetPerson, Person, PersonForgotten
from mailroom_router.draft import Decision
from mailroom_router.outputs import Outputs
from mailroom_runtime.forgotten import digest_of
from support.router_desk import command, routed, run, ticket
from support.router_world import mail

PAT = "pat@third.example"


def shared() -> Any:
    """A ticket in whose second mail Pat is named, and the third is Pat's."""
    state = ticket()
    for number, sender, cc in ((2, state.customer.email, [Person(email=PAT, name="Pat Doe")]), (3, PAT, [])):
        state = run(state, routed(mail(number, sender=sender, cc=cc, text=f"Words {number}"), ticket=state.id)).state
        assert state is not None
    assert PAT in state.participants
    return state


def forgotten(state: Any, email: str = "Pat@Third.example") -> Decision:
    return run(state, command(ForgetPerson, state, "f1", email=email))


def test_the_state_knows_the_person_no_more_and_the_event_does_not_say_who_it_was() -> None:
    state = shared()
    decision = forgotten(state)
    (event,) = decision.events
    assert isinstance(event, PersonForgotten)
    assert event.person == digest_of(state.portal_id, PAT)
    outputs = Outputs()
    outputs.add(state, decision, None)
    written = str([*outputs.records, *outputs.state_records()])
    assert PAT not in written.lower()
    assert "Words 3" not in written
    assert decision.state is not None
    assert [m.id for m in decision.state.messages] == [m.id for m in state.messages]
    assert decision.state.customer == state.customer
    (told,) = outputs.facts
    assert (told.forgotten.lower(), told.gone, told.empty) == (PAT, False, False)


def test_asked_for_again_it_changes_nothing_and_the_customer_cannot_be_taken_out() -> None:
    once = forgotten(shared()).state
    assert once is not None
    again = run(once, command(ForgetPerson, once, "f2", email=PAT)).state
    assert again is not None
    same = {"version", "updated_at", "recent"}
    assert again.model_dump(exclude=same) == once.model_dump(exclude=same)
    (event,) = run(once, command(ForgetPerson, once, "f3", email=once.customer.email)).events
    assert isinstance(event, CommandRefused)
    assert event.code == "is_customer"
