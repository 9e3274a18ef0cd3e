"""What is read of a state in the short way is what the contract reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load.population import state
from mailroom_contracts import TicketState, Undecodable, decode_as, encode, schemas, topics
from mailroom_router.facts import closed_on, facts, holder
from mailroom_router.lean_state import LeanMessage, LeanState, read_facts, read_state
from support.made_records import value_of

SCHEMA = schemas.json_schema(TicketState)


def written(ticket: TicketState) -> bytes:
    value = encode(topics.TICKETS, ticket, source="test").value
    assert value is not None
    return value


def any_state(seed: int) -> dict[str, Any]:
    """Any state that the schema allows: of this release and, where optional fields are left out, of those before."""
    found = value_of(SCHEMA, SCHEMA, Random(seed))
    assert isinstance(found, dict)
    return found


def same(value: bytes) -> None:
    whole = decode_as(TicketState, value)
    assert read_facts(value) == facts(None, whole)
    lean = read_state(value)
    assert (closed_on(lean), holder(lean)) == (closed_on(whole), holder(whole))


@given(st.integers())
def test_the_facts_of_any_state_are_those_of_the_whole_decode(seed: int) -> None:
    ticket = TicketState.model_validate(any_state(seed))
    same(written(ticket))
    assert isinstance(read_state(written(ticket)), LeanState), "in the short way"


@given(st.integers(0, 10_000))
def test_the_facts_of_an_ordinary_ticket_are_those_of_the_whole_decode(number: int) -> None:
    same(written(state(number)))


@given(st.integers(), st.data())
def test_whatever_of_it_is_changed_is_read_alike_or_refused_alike(seed: int, data: st.DataObject) -> None:
    """Of the fields that the index needs; other writers may spell a time or a number in another way."""
    found = any_state(seed)
    messages = found.setdefault("messages", []) or [value_of(SCHEMA["$defs"]["MessageSummary"], SCHEMA, Random(seed))]
    found["messages"] = messages
    odd = st.sampled_from(
        [None, 7, -1, 1.5, True, "", [], ["x"], [1], {}, {"email": 3}, {"email": "a@b"}, "2026-11-24T11:55:01", 1764000000,
         "2026-11-24T23:55:01-05:00", "2026-11-24T11:55:01+00:00", "2026-11-24 11:55:01Z", "0001-01-01T00:00:00+14:00",
         "2026-11-24T11:55:60Z", "\ud800"]
    )  # fmt: skip
    where = data.draw(st.sampled_from([found, messages[0]]))
    name = data.draw(st.sampled_from((LeanState if where is found else LeanMessage).__struct_fields__))
    if data.draw(st.booleans()):
        where[name] = data.draw(odd)
    else:
        where.pop(name, None)
    value = json.dumps(found).encode()
    try:
        whole = decode_as(TicketState, value)
    except Undecodable:
        with pytest.raises(Undecodable):
            read_facts(value)
        return
    assert read_facts(value) == facts(None, whole)


@given(st.binary(max_size=40))
def test_what_is_no_state_is_refused(value: bytes) -> None:
    with pytest.raises(Undecodable):
        read_facts(value)


def test_a_time_in_another_zone_counts_as_it_does_in_utc() -> None:
    found = json.loads(written(state(0)))
    found.update(status="closed", closed_at="2026-11-24T23:30:00-05:00")
    value = json.dumps(found).encode()
    same(value)
    assert read_facts(value).closed == datetime(2026, 11, 25, tzinfo=UTC).date()


@pytest.mark.parametrize("name", ["updated_at", "closed_at", "snoozed_until"])
def test_a_time_that_is_none_in_utc_is_refused_as_the_contract_refuses_it(name: str) -> None:
    found = json.loads(written(state(0))) | {name: "0001-01-01T00:00:00+14:00"}
    with pytest.raises(Undecodable):
        read_facts(json.dumps(found).encode())
