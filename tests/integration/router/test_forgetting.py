"""The index stays as large as the tickets that somebody may still write to: the rest is forgotten, and found otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest_asyncio
import redis.asyncio
from load.population import state
from mailroom_contracts import ids
from mailroom_router.conversation import clues, route
from mailroom_router.facts import Facts, facts, gone
from mailroom_router.forgetting import Forgetting
from mailroom_router.packed import is_over
from mailroom_router.placement import Place
from mailroom_router.redis_index import Index, Query
from mailroom_runtime.redis.valkey import connect
from support.known import known_by
from support.router_desk import OK, RING
from support.router_world import mail
from support.servers import ValkeyServer

TODAY = datetime.now(UTC).date()
LONG_AGO = TODAY - timedelta(days=401)


@pytest_asyncio.fixture
async def client(valkey: ValkeyServer) -> AsyncIterator[redis.asyncio.Redis]:
    made = connect(valkey.url, timeout_s=30)
    yield made
    await made.aclose()


def ticket(number: int, closed: date | None, *names: str, portal: str = "p1") -> Facts:
    key = ids.derive("ticket", str(number))
    return Facts(key, portal, clue=f"{portal}|q1|ad1|jo@customer.example", closed=closed, message_ids=names,
                 number=f"MR-{number}", thread=f"ad1:{number}", their_numbers=(f"d|{number}",))  # fmt: skip


def keeping_all(client: redis.asyncio.Redis) -> Index:
    return Index(client, "t", 35, lambda _: 100_000)


async def test_what_was_closed_for_long_is_forgotten_and_nothing_else(client: redis.asyncio.Redis) -> None:
    index = keeping_all(client)
    late = [ticket(n, LONG_AGO, "news@x", f"own{n}@x") for n in range(40)]
    here = [ticket(100, None, "news@x", "shared@x"), ticket(101, TODAY, "shared@x"),
            ticket(102, LONG_AGO, portal="p2")]  # fmt: skip
    text = Facts("no-digest", "p1", clue="p1|q1|ad1|jo@customer.example", closed=LONG_AGO, message_ids=("shared@x",))
    await index.learn([*late[:20], *here, *late[20:], text])
    await client.mset({f"t:ix:n:p1:{n}": "of the release before" for n in range(300)})
    kept = {"p1": 400, "p2": 500}
    sweep = Forgetting(client, "t", index, lambda portal, closed: is_over(closed, kept[portal]))
    assert await sweep.sweep() == 41
    assert await known_by(client, "t", "m", "news@x") == [here[0].ticket_id]
    assert await known_by(client, "t", "m", "shared@x") == sorted(one.ticket_id for one in here[:2])
    for one in late:
        number = (one.number or "").removeprefix("MR-")
        for kind, name in (("n", one.number or ""), ("g", f"ad1:{number}"), ("m", f"own{number}@x")):
            assert await known_by(client, "t", kind, name) == []
    assert await known_by(client, "t", "n", "MR-102", "p2") == [here[2].ticket_id], "its portal keeps it longer"
    assert await sweep.sweep() == 0, "and finds nothing more to do"
    assert not [key async for key in client.scan_iter("t:ix:*")], "what the release before wrote is gone, too"
    await index.learn([ticket(1, None, "again@x")])
    assert len(await known_by(client, "t", "m", "again@x")) == 1


async def test_an_index_whose_tickets_are_all_old_is_empty_again(client: redis.asyncio.Redis) -> None:
    index = keeping_all(client)
    await index.learn([ticket(n, LONG_AGO, f"a{n}@x", f"b{n}@x") for n in range(2_000)])
    full = await client.dbsize()
    sweep = Forgetting(client, "t", index, lambda _, closed: is_over(closed, 400))
    assert await sweep.sweep() == 2_000
    assert (full > 2_000, await client.dbsize()) == (True, 1), "but for the names of places"
    # and what a rebuild reads of old tickets is not written at all
    await Index(client, "t", 35).learn([ticket(n, LONG_AGO, f"a{n}@x") for n in range(100)])
    assert await client.dbsize() == 1


async def test_an_answer_to_our_mail_finds_a_ticket_that_the_index_forgot(client: redis.asyncio.Redis) -> None:
    from mailroom_mail import sign_message_id

    index = Index(client, "t", 35)
    old = ticket(7, LONG_AGO, "own@customer.example")
    await index.learn([old])
    ours = sign_message_id(old.ticket_id, "m1", "acme.example", RING)
    received = mail(1, in_reply_to=[ours], references=["own@customer.example", ours])
    _, (known,) = await index.look_up([Query(received, clues(received, RING))])
    (way,) = route(received, [Place("ad1", "q1", OK)], clues(received, RING), known)
    assert (way.ticket_id, way.reason) == (old.ticket_id, "signed_id")
    # the customer's own thread leads to the ticket that it made: the second step knows what became of it
    first = mail(2, message_id="own@customer.example")
    (made,) = route(first, [Place("ad1", "q1", OK)], clues(first, RING), known)
    later = mail(3, in_reply_to=["own@customer.example"], references=["own@customer.example"])
    _, (nothing,) = await index.look_up([Query(later, clues(later, RING))])
    (way,) = route(later, [Place("ad1", "q1", OK)], clues(later, RING), nothing)
    assert (way.ticket_id, nothing.references) == (made.ticket_id, {})


async def test_a_hundred_tickets_take_few_bytes(client: redis.asyncio.Redis) -> None:
    """With as many in a bucket as an installation of millions has: 6.6 entries a ticket, 30 bytes an entry."""
    index = keeping_all(client)
    index.bucket = lambda number: f"t:ix2:k:{number % 20}"  # type: ignore[method-assign]
    index.ticket_bucket = lambda number: f"t:ix2:t:{number % 5}"  # type: ignore[method-assign]
    await index.learn([facts(None, state(number).model_copy(update={"orders": []})) for number in range(400)])
    keys = [key async for key in client.scan_iter("t:ix2:[kt]:*")]
    assert {await client.object("encoding", key) for key in keys} == {"listpack"}
    taken = sum([await client.memory_usage(key) or 0 for key in keys])
    assert taken / 400 < 290, "0.35 of what it was: a key and a set for each name"


async def test_of_an_erased_ticket_no_name_stays_and_of_its_neighbours_all(client: redis.asyncio.Redis) -> None:
    index = keeping_all(client)
    here, other = state(0), state(1)
    shared = Facts(other.id, "p1", message_ids=(here.root,))
    await index.learn([facts(None, here), facts(None, other), shared])
    assert await known_by(client, "t", "m", here.root) == sorted([here.id, other.id])
    told = gone(here)
    assert told.ordered
    await index.learn([told])
    for kind, name in told.names():
        assert here.id not in await known_by(client, "t", kind, name)
    assert await known_by(client, "t", "m", here.root) == [other.id]
    assert await known_by(client, "t", "n", other.number) == [other.id]
    answer = mail(1, in_reply_to=[here.messages[1].message_id or ""])
    _, (known,) = await index.look_up([Query(answer, clues(answer, RING))])
    assert (known.references, known.tickets) == ({}, {})
    for order in told.ordered:
        assert not await client.exists(index._order("p1", order.message_id))
