"""What the first step asks the index, with an index of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from mailroom_contracts import EmailReceived, EmailRouted, Record, decode_as, encode, topics
from mailroom_router.conversation import Known
from mailroom_router.first_step import Arrival, FirstStep, NeedsIndex
from mailroom_router.memories import as_memory
from mailroom_router.redis_gate import RedisGate
from mailroom_router.redis_index import Index, Query
from mailroom_runtime.book import Book
from support.router_desk import OpenGate
from support.router_world import acme, mail


class _Index:
    """Remembers receipts; `asked` are those that were looked up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.kept: dict[str, list[dict[str, Any]]] = {}

    async def look_up(self, queries: Sequence[Query]) -> tuple[list[Any], list[Known]]:
        self.asked += [q.received.id for q in queries]
        return [self.kept.get(q.received.id) for q in queries], [Known() for _ in queries]

    async def remember(self, routed: Sequence[tuple[EmailReceived, list[EmailRouted]]]) -> list[list[dict[str, Any]]]:
        return [self.kept.setdefault(received.id, [as_memory(r) for r in ways]) for received, ways in routed]


def _step(index: _Index, queue: str | None = None) -> FirstStep:
    book = Book()
    for topic, message in acme():
        if queue is not None and topic is topics.ADDRESSES:
            message = message.model_copy(update={"queue_id": queue})
        book.apply(topic.name, str(getattr(message, "id", "")), message)
    return FirstStep(book, cast(Index, index), cast(RedisGate, OpenGate()), {})


async def _routed(step: FirstStep, *mails: EmailReceived) -> list[EmailRouted]:
    records = [encode(topics.EMAIL_RECEIVED, m, source="test") for m in mails]
    results = await step.route([Arrival(r.value, r.headers) for r in records])
    assert all(isinstance(r, list) for r in results)
    values = [cast(list[Record], r)[0].value for r in results]
    return [decode_as(EmailRouted, v) for v in values if v is not None]


async def test_a_mail_that_names_nothing_is_not_looked_up() -> None:
    index = _Index()
    plain, reply = mail(1), mail(2, in_reply_to=["earlier@customer.example"])
    routed = await _routed(_step(index), plain, reply)
    assert index.asked == [reply.id]
    assert [r.receipt_id for r in routed] == [plain.id, reply.id]


async def test_it_still_goes_where_it_went_before() -> None:
    index = _Index()
    (first,) = await _routed(_step(index), mail(1))
    (second,) = await _routed(_step(index, queue="q2"), mail(1))
    assert (second.ticket_id, second.queue_id) == (first.ticket_id, first.queue_id)


async def test_while_the_index_is_rebuilt_only_mail_that_names_something_waits() -> None:
    index = _Index()
    step = _step(index)
    plain, reply = mail(1), mail(2, in_reply_to=["earlier@customer.example"])
    records = [encode(topics.EMAIL_RECEIVED, m, source="test") for m in (reply, plain)]
    gate = cast(OpenGate, step._gate)
    gate.rebuilding = True
    waits, goes = await step.route([Arrival(r.value, r.headers) for r in records])
    assert isinstance(waits, NeedsIndex)
    assert isinstance(goes, list)
    assert index.asked == []
    (goes,) = await step.route([Arrival(records[0].value, records[0].headers, waited=True)])
    assert isinstance(goes, list), "it waited long enough"
    assert index.asked == [reply.id]
    gate.rebuilding = False
    (goes,) = await step.route([Arrival(records[0].value, records[0].headers)])
    assert isinstance(goes, list)
