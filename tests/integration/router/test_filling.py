"""An index that is filled by the bucket is the one that is written ticket by ticket."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio
from load.population import fill, state
from mailroom_contracts import TicketState, encode, topics
from mailroom_router import filling as module
from mailroom_router import rebuild_processes
from mailroom_router.agents import Agents
from mailroom_router.conversation import Clues
from mailroom_router.directories import Directories
from mailroom_router.facts import facts
from mailroom_router.filling import Filling
from mailroom_router.forgetting import Forgetting
from mailroom_router.lean_state import read_state
from mailroom_router.packed import is_over
from mailroom_router.rebuild import Rebuilding
from mailroom_router.redis_index import BOUNCE_DAYS, Index, Query
from mailroom_router.settings import RouterSettings
from mailroom_runtime.redis.valkey import connect
from support.router_world import World, mail
from support.servers import ValkeyServer


def lean(ticket: TicketState) -> TicketState:
    value = encode(topics.TICKETS, ticket, source="test").value
    assert value is not None
    return read_state(value)


def filling(client: redis.asyncio.Redis, prefix: str) -> Filling:
    return Filling(client, Index(client, prefix, 35), Agents(client, prefix))


async def kept(valkey: ValkeyServer, prefix: str) -> dict[bytes, Any]:
    """All that lies under a prefix."""
    client = redis.asyncio.Redis.from_url(valkey.url)
    found: dict[bytes, Any] = {}
    try:
        for key in [k async for k in client.scan_iter(f"{prefix}:*")]:
            name, kind = key.removeprefix(prefix.encode() + b":"), await client.type(key)
            if kind == b"hash":
                found[name] = await client.hgetall(key)
            else:
                found[name] = await (client.smembers(key) if kind == b"set" else client.get(key))
    finally:
        await client.aclose()
    return found


def named(found: dict[bytes, Any]) -> dict[bytes, Any]:
    """The same with what names tickets as it is found: how they are divided between entry and set depends on the order."""
    told: dict[bytes, Any] = {}
    for name, value in found.items():
        if not name.startswith(b"ix2:k:"):
            told[name] = value
        elif isinstance(value, dict):
            for field, inline in value.items():
                tickets = {inline[at : at + 16] for at in range(0, len(inline), 16)}
                told[name + b":" + field] = tickets | found.get(name + b":" + field, set())
    return told


def shared(first: int, last: int) -> list[TicketState]:
    """Tickets of which many have a name in common, as a newsletter's readers do."""
    found = []
    for number in range(first, last):
        ticket = state(number)
        root = f"news{number % 40}@x" if number % 3 else ticket.root
        found.append(ticket.model_copy(update={"root": root, "their_numbers": [f"d|{number % 50}"]}))
    return found


@pytest.mark.parametrize("buckets", [1, 1 << 17])
async def test_filled_by_the_bucket_or_ticket_by_ticket(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, buckets: int
) -> None:
    monkeypatch.setattr(module, "BUCKETS", buckets)  # with one, most goes out as buckets are full
    monkeypatch.setattr("mailroom_router.packed.BUCKETS", buckets)
    monkeypatch.setattr(module, "COMMAND_BYTES", 5_000)
    client = connect(valkey.url)
    try:
        tickets = shared(0, 600)
        slow, agents = Index(client, "slow", 35), Agents(client, "slow")
        since = datetime.now(UTC) - timedelta(days=BOUNCE_DAYS)
        for ticket in tickets:
            found = facts(None, ticket)
            if ticket.updated_at < since:
                found = type(found)(**{n: getattr(found, n) for n in found.__slots__ if n != "ordered"})
            await slow.learn([found])
            await agents.learn([found])
        for some in (tickets[:400] + tickets[:20], tickets[300:]):  # some of them twice
            one = filling(client, "fast")
            for ticket in some:
                one.take(ticket.id, lean(ticket))
                await one.give_way()
            await one.write()
        expected, found_there = named(await kept(valkey, "slow")), named(await kept(valkey, "fast"))
        assert len(expected) > 600
        assert found_there.keys() == expected.keys()
        assert [k for k in expected if expected[k] != found_there[k]] == []
    finally:
        await client.aclose()


async def test_of_a_ticket_the_last_state_counts(valkey: ValkeyServer) -> None:
    client = connect(valkey.url)
    try:
        one = filling(client, "t")
        ticket = state(5).model_copy(update={"status": "open", "wants_online": False})
        for agent in (None, "a1", "a2"):
            one.take(ticket.id, lean(ticket.model_copy(update={"assignee_id": agent})))
        await one.write()
        found = await kept(valkey, "t")
        assert found[b"load:p1:a2"] == {ticket.id.encode()}
        assert len([k for k in found if k.startswith(b"ix2:t:")]) == 1
        assert len([k for k in found if k.startswith(b"ix2:k:")]) == len(facts(None, ticket).names())
        # what came meanwhile
        await client.sadd("t:load:p1:a4", "another")
        one.take(ticket.id, lean(ticket.model_copy(update={"assignee_id": "a3", "queue_id": "q9"})))
        await one.write()
        found = await kept(valkey, "t")
        assert {k for k in found if k.startswith(b"load:")} == {b"load:p1:a3", b"load:p1:a4"}
        clues = await described(client, ticket)
        assert [clue.queue_id for clue in clues.values()] == ["q9"]
    finally:
        await client.aclose()


async def described(client: redis.asyncio.Redis, ticket: TicketState) -> dict[str, Any]:
    """What an answer to a ticket finds."""
    asked = Query(mail("answer"), Clues(references=(ticket.root,)))
    _, (known,) = await Index(client, "t", 35).look_up([asked])
    return dict(known.tickets)


@pytest.mark.parametrize("when", ["at once", "when its names were written", "when all was written"])
@pytest.mark.parametrize("how", ["erased", "closed for long"])
async def test_a_ticket_that_is_known_no_more_is_swept_with_the_names_of_its_older_state(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, when: str, how: str
) -> None:
    monkeypatch.setattr(module, "COMMAND_BYTES", 0)
    if when == "when its names were written":
        monkeypatch.setattr(module, "TOGETHER", 1)
    client = connect(valkey.url)
    try:
        one = filling(client, "t")
        gone, stays = (state(n).model_copy(update={"status": "open", "assignee_id": "a1"}) for n in (5, 6))
        for ticket in (gone, stays):
            one.take(ticket.id, lean(ticket))
            await one.give_way()
        if when == "when all was written":
            await one.write()
            assert len(await client.smembers("t:load:p1:a1")) == 2
        if how == "erased":
            one.forget(gone.id)
        else:
            closed = {"status": "closed", "closed_at": datetime.now(UTC) - timedelta(days=401)}
            one.take(gone.id, lean(gone.model_copy(update=closed)))
        await one.write()
        assert await client.smembers("t:load:p1:a1") == {stays.id}
        index = Index(client, "t", 35)
        assert await Forgetting(client, "t", index, lambda _, closed: is_over(closed, 400)).sweep() == 1
        found = await kept(valkey, "t")
        assert len([k for k in found if k.startswith(b"ix2:t:")]) == 1
        assert len([k for k in found if k.startswith(b"ix2:k:")]) == len(facts(None, stays).names())
        one.take(gone.id, lean(gone))  # it was begun again
        await one.write()
        assert list(await described(client, gone)) == [gone.id]
    finally:
        await client.aclose()


async def test_of_a_ticket_that_was_erased_before_nothing_is_told(valkey: ValkeyServer) -> None:
    client = connect(valkey.url)
    try:
        one = filling(client, "t")
        one.forget(state(5).id)
        await one.write()
        assert await kept(valkey, "t") == {}
    finally:
        await client.aclose()


@pytest.mark.parametrize("fails", [False, True])
async def test_an_index_that_processes_fill_is_the_same_and_one_that_fails_leaves_it_to_the_router(
    world: World, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    settings, prefix = world.settings, world.settings.topic_prefix
    await fill(settings.kafka, prefix, settings.partitions, range(300))
    client = connect(valkey.url)
    index = Index(client, prefix, 35)
    try:
        here = Rebuilding(settings, client, index, Agents(client, prefix), Directories(client, prefix))
        await here.run()
        expected = await kept(valkey, prefix)
        await client.flushall()
        for name, value in world.env(**({"MAILROOM_PARTITIONS": "none"} if fails else {})).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(rebuild_processes, "MANY", 300)
        filled = []
        whole = rebuild_processes._filled

        async def watched(*shares: Any) -> bool:
            filled.append(await whole(*shares))
            return bool(filled[0])

        monkeypatch.setattr(rebuild_processes, "_filled", watched)
        router = RouterSettings(**settings.model_dump(include={"kafka", "redis", "topic_prefix", "partitions"}))
        await rebuild_processes.rebuild(router, client, index, {"p1": 400})
        assert filled == [not fails]
        found = await kept(valkey, prefix)
        assert named(found) == named(expected)
        assert any(key.startswith(b"ix2:dir:") for key in found)
    finally:
        await client.aclose()


async def test_a_process_that_fills_ends_with_the_router() -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as kafka:
        port = kafka.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mailroom_router.rebuild_processes",
            stdin=asyncio.subprocess.PIPE, env={**os.environ, "MAILROOM_KAFKA": f"127.0.0.1:{port}"},
        )  # fmt: skip
        try:
            assert process.stdin is not None
            process.stdin.write(b'{"partitions": [0], "kept_days": {}}\n')
            async with asyncio.timeout(30):
                await asked.wait()
                assert process.returncode is None
                process.stdin.close()
                assert await process.wait() == 1
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
