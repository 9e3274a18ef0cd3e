"""Records hold to CloudEvents and are read tolerantly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from mailroom_contracts import (
    Actor,
    Assigned,
    EmailReceived,
    SetStatus,
    TicketCreated,
    Undecodable,
    decode,
    encode,
    tombstone,
    topics,
)

AT = datetime(2026, 11, 24, 11, 55, 1, tzinfo=UTC)
EVENT = Assigned(
    id="e1", ticket_id="t1", portal_id="p1", version=2, at=AT, causation_id="r1", actor=Actor(kind="router"),
    assignee_id="a1", reason="online",
)  # fmt: skip


def test_the_cloudevents_sdk_reads_our_headers() -> None:
    record = encode(topics.TICKET_EVENTS, EVENT, source="router", causation_id="r1", traceparent="00-1")
    event = from_binary(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())
    assert event.get_id() == "e1"
    assert event.get_type() == "ticket.assigned"
    assert event.get_source() == "/mailroom/router"
    assert event.get_subject() == "t1"
    assert event.get_time() == AT
    assert event.get_specversion() == "1.0"
    assert event.get_attributes()["causationid"] == "r1"
    data: Any = event.get_data()
    assert data["assignee_id"] == "a1"


def test_round_trip_keeps_everything() -> None:
    record = encode(topics.TICKET_EVENTS, EVENT, source="router")
    assert decode(topics.TICKET_EVENTS, record.value, record.headers) == EVENT
    assert decode(topics.TICKET_EVENTS, record.value) == EVENT, "the type in the value is enough"


def test_unknown_fields_types_and_values_are_skipped() -> None:
    value = json.loads(encode(topics.TICKET_EVENTS, EVENT, source="router").value or b"")
    newer = json.dumps(value | {"colour": "green", "reason": "by_moonlight"}).encode()
    read = decode(topics.TICKET_EVENTS, newer)
    assert isinstance(read, Assigned)
    assert read.reason == "by_moonlight"
    assert decode(topics.TICKET_EVENTS, json.dumps(value | {"type": "ticket.danced"}).encode()) is None


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"[]", b"{}", b'{"type": 5}', b'{"type":"ticket.assigned"}'])
def test_poison_is_undecodable_and_not_repeated_in_the_error(value: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(topics.TICKET_EVENTS, value)


def test_an_error_names_the_field_and_not_its_content() -> None:
    with pytest.raises(Undecodable, match="received_at") as error:
        decode(topics.EMAIL_RECEIVED, b'{"id":"x","received_at":"hunter2"}')
    assert "hunter2" not in str(error.value)
    assert EmailReceived.__name__ in str(error.value)


def test_a_tombstone_has_no_value() -> None:
    record = tombstone(topics.ADDRESSES, "a1", source="console")
    assert record.value is None
    assert record.key == b"a1"
    assert decode(topics.ADDRESSES, None, record.headers) is None


def test_commands_and_created_events_carry_their_type() -> None:
    command = SetStatus(id="c", ticket_id="t", portal_id="p", actor=Actor(kind="api"), at=AT, status="closed")
    assert (
        json.loads(encode(topics.TICKET_COMMANDS, command, source="console").value or b"")["type"]
        == "ticket.set_status"
    )
    assert TicketCreated.model_fields["type"].default == "ticket.created"
