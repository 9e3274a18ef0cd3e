"""Commands of other systems, right and wrong: whoever says an id and a ticket is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import AddNote, CommandRefused, TicketCommand, Undecodable
from mailroom_router.command_reading import UnclearCommand, read_command
from support.router_desk import NOW, command, routed, run
from support.router_world import mail

GOOD: dict[str, Any] = {
    "id": "c1", "type": "ticket.set_status", "ticket_id": "t1", "portal_id": "p1", "actor": {"kind": "api", "id": "x"},
    "at": "2026-11-30T09:00:00Z", "status": "closed",
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(value: Any, key: bytes | None = b"t1", **headers: str) -> TicketCommand:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_command(key, raw, [(name, text.encode()) for name, text in headers.items()])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"status": 7}, "status"),
        ({"at": "2026-11-30T09:00:00"}, "timezone"),
        ({"at": "yesterday"}, "at:"),
        ({"portal_id": None}, "portal_id"),
        ({"actor": "me"}, "actor"),
        ({"id": 5}, "id:"),
    ],
)
def test_a_wrong_field_is_named_to_whoever_asked(wrong: dict[str, Any], says: str) -> None:
    found = read(GOOD | wrong, ce_id="c1", ce_type="ticket.set_status")
    assert isinstance(found, UnclearCommand)
    assert (found.id, found.ticket_id, found.type) == ("c1", "t1", "ticket.set_status")
    assert says in found.problem
    state = run(None, routed(mail(1, at=NOW))).state
    assert state is not None
    (event,) = run(state, found.model_copy(update={"ticket_id": state.id})).events
    assert isinstance(event, CommandRefused)
    assert (event.code, event.causation_id, event.portal_id) == ("malformed", "c1", state.portal_id)
    assert says in event.reason


def test_headers_and_key_are_enough_to_be_answered() -> None:
    found = read(b"\xff\xfe", ce_id="c9", ce_type="ticket.reply")
    assert isinstance(found, UnclearCommand)
    assert (found.id, found.ticket_id, found.type, found.actor.kind) == ("c9", "t1", "ticket.reply", "api")
    (event,) = run(None, found).events
    assert isinstance(event, CommandRefused)
    assert (event.version, event.code) == (0, "malformed")


def test_one_without_id_or_ticket_cannot_be_answered() -> None:
    for value, key in (
        (b"{}", b"t1"),
        (b'{"id": "c1"', None),
        (b"[]", None),
        (json.dumps({"id": "c1"}).encode(), None),
    ):
        with pytest.raises(Undecodable):
            read(value, key)


def test_a_command_of_a_type_that_is_not_known_is_the_plain_command() -> None:
    found = read(GOOD | {"type": "ticket.dance"})
    assert type(found) is TicketCommand
    assert found.type == "ticket.dance"


@given(value=st.binary() | JSON.map(lambda v: json.dumps(v).encode()), key=st.none() | st.binary(),
       headers=st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "ce_subject", "x"]), st.binary())))  # fmt: skip
def test_whatever_comes_is_read_or_undecodable(
    value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    try:
        found = read_command(key, value, headers)
    except Undecodable:
        return
    assert found.id
    assert found.ticket_id


@given(name=st.sampled_from(sorted(GOOD)), value=JSON)
def test_any_value_of_any_field_is_carried_out_or_answered(name: str, value: Any) -> None:
    found = read(GOOD | {name: value}, ce_id="c1", ce_type="ticket.set_status")
    (event, *_) = run(None, found).events
    assert isinstance(event, CommandRefused)


def test_one_command_id_on_several_tickets_gives_events_of_different_ids() -> None:
    states = [run(None, routed(mail(n, at=NOW))).state for n in (1, 2)]
    notes = [command(AddNote, state, "same", text="x").model_copy(update={"id": "same"}) for state in states if state]
    events = [event for state, note in zip(states, notes, strict=True) for event in run(state, note).events]
    assert len(events) == 2
    assert len({event.id for event in events}) == 2
    assert {event.causation_id for event in events} == {"same"}
    again = [event.id for state, note in zip(states, notes, strict=True) for event in run(state, note).events]
    assert again == [event.id for event in events]
