"""A ticket that everything is done to for ever: it opens a follow-up, says so, and none of its inputs is ever poison."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from mailroom_contracts import (
    AddNote,
    BounceInfo,
    CommandRefused,
    DeliveryReport,
    NoteAdded,
    Person,
    RecipientReport,
    Reply,
    TicketState,
    encode,
    ids,
    topics,
)
from mailroom_mail import ticket_number
from mailroom_router.capping import MOST_BYTES, capped
from mailroom_router.outputs import LARGEST, Outputs
from mailroom_router.ticket import Decision, Input, too_large
from support.router_desk import NOW, after, command, context, routed, run, types
from support.router_world import mail

LONG = "x" * 240


def _taken(state: TicketState | None, message: Input) -> Decision:
    """Decided, and written as the router does: raises TooLarge where that would be poison."""
    decision = run(state, message, at=after(0.01))
    outputs = Outputs()
    outputs.add(state, decision, None)
    for record in outputs.state_records():
        assert len(record.value or b"") < LARGEST
    return decision


def _mail(number: int, state: TicketState) -> Input:
    return routed(
        mail(number, at=NOW, message_id=f"{number}{'m' * 900}@x.example", cc=[Person(email=f"c{n}.{number}.{LONG}@x.example") for n in range(20)]),
        ticket=state.id, reason="signed_id",
    )  # fmt: skip


def _note(number: int, state: TicketState) -> Input:
    return command(AddNote, state, str(number), text="seen")


def _reply(number: int, state: TicketState) -> Input:
    people = [Person(email=f"p{n}.{number}.{LONG}@x.example", name=LONG) for n in range(40)]
    return command(Reply, state, str(number), text="Yes.", from_address_id="ad3", to=people)


def _report(number: int, state: TicketState) -> Input:
    sent = [m for m in state.messages if m.outbound_id]
    about = sent[number % len(sent)].outbound_id if sent else "unknown"
    reports = [RecipientReport(recipient=f"{n}{LONG}@x.example", state="failed", reason=LONG * 3) for n in range(40)]
    return DeliveryReport(outbound_id=about or "", portal_id="p1", ticket_id=state.id, message_id="m", address_id="ad3",
                          state="deferred", attempt=number, at=NOW, reason=LONG * 4, recipients=reports)  # fmt: skip


def _bounce(number: int, state: TicketState) -> Input:
    """A true one: of the recipients that the message had, each time in other words."""
    sent = [m for m in state.messages if m.outbound_id]
    about = sent[number % len(sent)] if sent else None
    info = BounceInfo(
        formal=True, original_message_id=about.message_id if about else "gone@x.example",
        recipients=[RecipientReport(recipient=one, state="bounced", reason=f"{number} {LONG * 2}")
                    for one in (about.recipients if about else ["jo@customer.example"])],
    )  # fmt: skip
    return routed(mail(f"bounce{number}", at=NOW, bounce=info), ticket=state.id, reason="bounce")


def _everything(number: int, state: TicketState) -> Input:
    return (_mail, _note, _reply, _report, _bounce)[number % 5](number, state)


KINDS: dict[str, Callable[[int, TicketState], Input]] = {
    "mail": _mail, "notes": _note, "replies": _reply, "bounces": _bounce, "everything": _everything,
}  # fmt: skip


def _grown(kind: str) -> Iterator[tuple[TicketState, Decision]]:
    """Some of the kind, the like of them up to nearly the limit, and then more than a hundred beyond it."""
    state = run(None, routed(mail(1, at=NOW))).state
    assert state is not None
    state = _taken(state, _reply(0, state)).state or state
    for number in range(1, 160):
        decision = _taken(state, KINDS[kind](number, state))
        assert decision.state is not None
        state = decision.state
        yield state, decision
        if number == 20:
            like = [m.model_copy(update={"id": f"{m.id}{n}"}) for n in range(23) for m in state.messages[2:]]
            state = state.model_copy(update={"messages": [*state.messages, *like]})


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_grows_it_a_ticket_is_full_in_the_end_and_nothing_is_poison(kind: str) -> None:
    *_, (state, _) = _grown(kind)
    assert len(encode(topics.TICKETS, state, source="t").value or b"") < LARGEST
    # what a person writes is not in it, but in its follow-up, which is one for all that comes
    decision = _taken(state, routed(mail("late", at=NOW), ticket=state.id, reason="signed_id"))
    sent_on = decision.sent_on
    assert sent_on is not None
    assert sent_on.ticket_id == ids.follow_up_id(state.id, 1_000_000)
    follow_up = _taken(None, sent_on).state
    assert follow_up is not None
    assert follow_up.follow_up_of == state.id
    assert [m.direction for m in follow_up.messages] == ["in"]
    # and agents can still do everything there, and here
    for number, made in enumerate((_note, _reply, _report, _bounce), 9_000):
        assert not isinstance(_taken(state, made(number, state)).events[-1], CommandRefused)


def test_a_full_ticket_says_once_where_it_goes_on() -> None:
    said: list[str] = []
    for _, decision in _grown("mail"):
        said += [e.message.text for e in decision.events if isinstance(e, NoteAdded)]
        if len(said) == 1 and decision.sent_on is not None:
            assert ticket_number(decision.sent_on.ticket_id) in said[0]
    assert len(said) == 1


def test_at_the_end_of_a_row_of_full_tickets_mail_begins_anew_and_is_not_sent_round() -> None:
    *_, (state, _) = _grown("notes")
    last = routed(mail("end", at=NOW), ticket=state.id, reason="sent_on", hop=50)
    decision = _taken(state, last)
    assert decision.sent_on is not None
    begun = _taken(None, decision.sent_on)
    assert types(begun)[:2] == ["created", "message_added"]
    assert begun.state is not None
    assert begun.state.id not in (state.id, ids.follow_up_id(state.id, 1_000_000))
    assert begun.state.linked_to == state.id


def test_a_state_that_is_too_long_already_is_capped_by_its_next_input() -> None:
    state = run(None, routed(mail(1, at=NOW))).state
    assert state is not None
    people = [f"{n}.{LONG * 4}@x.example" for n in range(1000)]
    long = state.model_copy(update={"participants": people, "unconfirmed": people, "messages": state.messages * 900})
    assert len(long.model_dump_json()) > LARGEST
    short = capped(long)
    assert len(short.model_dump_json()) <= MOST_BYTES
    assert short.messages, "what fits is kept"
    assert _taken(long, command(AddNote, long, text="x")).state is not None


def test_a_command_that_leads_to_too_much_is_refused_in_words() -> None:
    state = run(None, routed(mail(1, at=NOW))).state
    assert state is not None
    decision = too_large(state, command(AddNote, state, text="x"), context())
    (event,) = decision.events
    assert isinstance(event, CommandRefused)
    assert event.code == "too_large"
