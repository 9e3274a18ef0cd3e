"""The scripts and pipelines in a real Valkey: choosing agents, the index, remembered receipts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
import redis.asyncio
from mailroom_contracts import (
    Address,
    EmailReceived,
    EmailRouted,
    Forwarder,
    Trace,
    Verdicts,
    decode_as,
    encode,
    ids,
    topics,
)
from mailroom_router.agents import Agents
from mailroom_router.conversation import Known, TicketClue, clues, route
from mailroom_router.draft import Wanted
from mailroom_router.facts import Facts, Ordered
from mailroom_router.first_step import Arrival, FirstStep
from mailroom_router.packed import customer_mark
from mailroom_router.placement import Place
from mailroom_router.redis_gate import RedisGate
from mailroom_router.redis_index import Index, Query
from mailroom_runtime.book import Book
from mailroom_runtime.process.tasks import end
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import connect
from support.known import known_by
from support.router_desk import NOW, OK, RING
from support.router_world import acme, mail
from support.servers import ValkeyServer


@pytest_asyncio.fixture
async def client(valkey: ValkeyServer) -> AsyncIterator[redis.asyncio.Redis]:
    made = connect(valkey.url)
    yield made
    await made.aclose()


def wish(ticket: str, cause: str = "c") -> tuple[str, Wanted, list[str]]:
    return ticket, Wanted("p1", "q1", cause, "online"), ["a1", "a2", "a3"]


async def test_the_agent_with_the_fewest_open_tickets_then_the_longest_idle(client: redis.asyncio.Redis) -> None:
    agents, presence = Agents(client, "t"), Presence(client, "t")
    assert await agents.choose([wish("t0")]) == [None], "nobody online"
    await presence.set("p1", "a1", "online")
    await presence.set("p1", "a2", "online")
    await presence.set("p1", "a3", "away")
    chosen = await agents.choose([wish(f"t{n}") for n in range(6)])
    assert Counter(chosen) == {"a1": 3, "a2": 3}
    # two of one's tickets are closed: the next two are theirs
    await agents.learn([Facts("t0", "p1", leaves=chosen[0]), Facts("t2", "p1", leaves=chosen[0])])
    assert set(await agents.choose([wish("t7"), wish("t8")])) == {chosen[0]}
    # equal again: whoever waits longest
    nxt = (await agents.choose([wish("t9")]))[0]
    assert nxt != chosen[0]
    assert await agents.online([("p1", "a1"), ("p1", "a3"), ("p1", "a9")]) == {"a1"}


async def test_a_choice_is_remembered_and_made_once_however_many_ask(client: redis.asyncio.Redis) -> None:
    agents, presence = Agents(client, "t"), Presence(client, "t")
    for agent in ("a1", "a2", "a3"):
        await presence.set("p1", agent, "online")
    answers = await asyncio.gather(*(Agents(client, "t").choose([wish("t1")]) for _ in range(20)))
    assert len({a for (a,) in answers}) == 1
    (first,) = answers[0]
    assert first is not None
    await presence.set("p1", first, "offline")
    assert await agents.choose([wish("t1")]) == [first], "a replay gets the same answer"
    assert await agents.choose([wish("t1", "other")]) != [first]
    await client.script_flush()
    assert await agents.choose([wish("t1")]) == [first], "a script that is gone is loaded again"


async def test_the_index_answers_a_batch_and_keeps_portals_apart(client: redis.asyncio.Redis) -> None:
    index = Index(client, "t", 35)
    facts = Facts("T1", "p1", clue="p1|q1|ad1|jo@customer.example", message_ids=("m1@x",), number="MR-00000000",
                  thread="ad5:th1",
                  ordered=(Ordered("own@acme", "o1", ("jo@customer.example",), NOW, answer=True),))  # fmt: skip
    await index.learn([facts, facts])
    received = [mail(1, references=["m1@x"]), mail(2, references=["m1@x"], portal="p2"), mail(3)]
    before, known = await index.look_up([Query(r, clues(r, RING)) for r in received])
    assert before == [None, None, None]
    assert known[0].references == {"m1@x": ["T1"]}
    assert known[0].tickets["T1"] == TicketClue("p1", "q1", "ad1", customer_mark("jo@customer.example"))
    assert known[0].tickets["T1"].is_of("jo@customer.example")
    assert not known[0].tickets["T1"].is_of("eve@customer.example")
    assert known[1].references == {}
    many = [Facts(ids.derive("N", str(n)), "p1", message_ids=("news@x",)) for n in range(100)]
    await index.learn(many)
    news = await known_by(client, "t", "m", "news@x")
    assert len(news) == 32, "a newsletter's id does not grow for ever"
    assert set(news) <= {facts.ticket_id for facts in many}


async def test_receipts_go_where_they_went_before_and_the_first_decision_wins(client: redis.asyncio.Redis) -> None:
    index = Index(client, "t", 35)
    received = mail(1)
    here = route(received, [Place("ad1", "q1", OK)], clues(received, RING), Known())
    there = route(received, [Place("ad2", "q2", OK)], clues(received, RING), Known())
    (kept,) = await index.remember([(received, here)])
    (again,) = await index.remember([(received, there)])
    assert kept == again
    assert again[0]["q"] == "q1"
    before, _ = await index.look_up([Query(received, clues(received, RING))])
    assert before == [kept]
    # the copy that came through another forwarder is its own
    copy = received.model_copy(
        update={
            "content": received.content.model_copy(update={"traces": [Trace(header="Delivered-To", address="x@y")]})
        }
    )
    before, _ = await index.look_up([Query(copy, clues(copy, RING))])
    assert before == [None]


async def test_a_mail_that_may_be_for_two_addresses_goes_where_its_author_wrote_last(
    client: redis.asyncio.Redis,
) -> None:
    forwarder = Forwarder(kind="spf_domain", value="fwd.example")
    book = Book()
    for topic, message in acme():
        if isinstance(message, Address) and message.id == "ad3":
            message = message.model_copy(update={"forwarders": [forwarder]})
            other = {"id": "ad5", "email": "sales@customer-shop.example", "queue_id": "q2"}
            book.apply(topic.name, "ad5", message.model_copy(update=other))
        book.apply(topic.name, message.record_key, message)

    async def routed(*mails: EmailReceived) -> list[tuple[str, str]]:
        """By a process that has just started."""
        step = FirstStep(book, Index(client, "t", 35), RedisGate(client, "t"), RING)
        step._gate.up = step._gate.ready = True
        records = [encode(topics.EMAIL_RECEIVED, m, source="test") for m in mails]
        found = []
        for result in await step.route([Arrival(r.value, r.headers) for r in records]):
            assert isinstance(result, list)
            found += [decode_as(EmailRouted, r.value) for r in result if r.value]
        return [(one.address_id, one.queue_id) for one in found]

    verdicts = Verdicts(spf="pass", spf_domain="fwd.example")

    def blind(number: int, **more: Any) -> EmailReceived:
        return mail(number, rcpt=("shop@acme.example",), to=("undisclosed@c.example",), verdicts=verdicts, **more)

    def to_sales(number: int, **more: Any) -> EmailReceived:
        return mail(number, rcpt=("shop@acme.example",), to=("sales@customer-shop.example",), verdicts=verdicts, **more)

    assert await routed(blind(1), blind(1)) == [("ad4", "q1")] * 2, "the server forwards it for both: one ticket"
    assert await routed(to_sales(2)) == [("ad5", "q2")]
    assert await routed(blind(3)) == [("ad5", "q2")]
    assert await routed(blind(1)) == [("ad4", "q1")], "a copy that comes late goes where it went"
    assert await routed(blind(4, sender="kim@customer.example")) == [("ad4", "q1")], "another's habit is not Kim's"
    later = mail(5, rcpt=("shop@acme.example",), to=("shop@customer-shop.example",), verdicts=verdicts)
    assert await routed(later, blind(6)) == [("ad3", "q1")] * 2, "written to in the same batch"
    # a ticket that it answers goes before habits
    ticket = Facts("T1", "p1", clue="p1|q2|ad5|jo@customer.example", message_ids=("own@sales",))
    await Index(client, "t", 35).learn([ticket])
    assert await routed(blind(7, in_reply_to=["own@sales"])) == [("ad5", "q2")]


async def test_nobody_waits_for_a_redis_that_is_away(client: redis.asyncio.Redis, valkey: ValkeyServer) -> None:
    rebuilt: list[int] = []

    async def rebuild() -> None:
        rebuilt.append(1)

    gate = RedisGate(client, "t")
    watching = asyncio.create_task(gate.watch(rebuild, lambda up, ready: None))
    assert await _until(lambda: gate.ready)
    valkey.stop()
    assert await _until(lambda: not gate.up)
    assert not gate.rebuilding, "nobody waits for it"
    assert await gate.attempt(client.get("x"), "default") == "default"
    valkey.start()
    assert await _until(lambda: gate.ready)
    assert len(rebuilt) == 2, "another instance: rebuilt"
    valkey.flush()
    assert await _until(lambda: len(rebuilt) == 3)
    await end(watching)


async def test_an_index_that_is_emptied_while_it_is_rebuilt_is_rebuilt_again(
    client: redis.asyncio.Redis, valkey: ValkeyServer
) -> None:
    entries: list[int] = []

    async def rebuild() -> None:
        await client.set("t:ix2:entry", "1")
        entries.append(len(entries))
        if len(entries) == 1:
            valkey.flush()  # the same instance, but what was written before is gone

    gate = RedisGate(client, "t")
    watching = asyncio.create_task(gate.watch(rebuild, lambda up, ready: None))
    assert await _until(lambda: gate.ready)
    assert len(entries) == 2
    assert await client.get("t:ix2:entry") == "1"
    await end(watching)


async def test_a_watch_that_is_cancelled_while_redis_is_away_ends(
    client: redis.asyncio.Redis, valkey: ValkeyServer
) -> None:
    begun = asyncio.Event()

    async def rebuild() -> None:
        begun.set()
        await asyncio.Event().wait()

    watching = asyncio.create_task(RedisGate(client, "t").watch(rebuild, lambda up, ready: None))
    await asyncio.wait_for(begun.wait(), 15)
    valkey.stop()
    await asyncio.wait_for(end(watching), 15)
    assert watching.cancelled()


async def _until(check: object) -> bool:
    from support.waiting import eventually

    return bool(await eventually(check, 15))  # type: ignore[arg-type]
