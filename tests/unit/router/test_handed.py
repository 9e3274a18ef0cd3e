"""What the first step hands to the second in memory is what Kafka would have brought, and is kept within bounds."""

from __future__ import annotations

from functools import partial

import pytest
from mailroom_contracts import EmailRouted, decode, encode, topics
from mailroom_router.conversation import Known, clues, route
from mailroom_router.handed import LARGEST, Handed
from mailroom_router.placement import places
from mailroom_runtime.book import Book
from support.router_world import acme, mail


def routed_mails(number: int, **content: object) -> list[EmailRouted]:
    book = Book()
    for topic, row in acme():
        book.apply(topic.name, row.id, row)  # type: ignore[attr-defined]
    received = mail(number, **content)  # type: ignore[arg-type]
    ours = partial(book.is_ours, portal_id=received.portal_id)
    return route(received, places(received, book, None), clues(received, {}), Known(), ours)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"to": ("support@acme.example", "sales@acme.example")},
        {"subject": "Grüße"},
        {"to": ("nobody@else.example",)},
    ],
    ids=["plain", "two queues", "umlauts", "to none of ours"],
)
def test_what_is_handed_over_equals_what_kafka_brings(content: dict[str, object]) -> None:
    handed = Handed()
    for routed in routed_mails(1, **content):
        record = encode(topics.EMAIL_ROUTED, routed, source="router")
        handed.put(record.value, routed)
        assert record.value is not None
        found = handed.take(bytes(bytearray(record.value)))
        assert found is routed
        assert found == decode(topics.EMAIL_ROUTED, record.value, record.headers)


def test_it_is_handed_over_once_and_only_for_the_same_bytes() -> None:
    (routed,) = routed_mails(1)
    handed = Handed()
    handed.put(b"one", routed)
    assert handed.take(b"other") is None
    assert handed.take(None) is None
    assert handed.take(b"one") is routed
    assert handed.take(b"one") is None, "an aborted transaction decodes again"


def test_the_oldest_makes_room() -> None:
    (routed,) = routed_mails(1)
    handed = Handed(most_bytes=30)
    for number in range(5):
        handed.put(b"%010d" % number, routed)
    assert [number for number in range(5) if handed.take(b"%010d" % number)] == [2, 3, 4]
    handed.put(b"x" * (LARGEST + 1), routed)
    assert handed.take(b"x" * (LARGEST + 1)) is None
    handed.put(b"%010d" % 7, routed)
    assert handed.take(b"%010d" % 7) is routed
