"""A router without tables takes over: at once by the directories in Valkey, else by reading; never on an old state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio
from aiokafka import TopicPartition
from mailroom_contracts import Actor, EmailReceived, Erase, TicketState, ids, tombstone, topics
from mailroom_router.directories import Directories
from mailroom_router.directory import PARTS, Lines, entries, spot_of
from mailroom_runtime.bus.single_records import SingleRecords
from mailroom_runtime.redis.presence import Presence
from mailroom_runtime.redis.valkey import connect
from support.processes import ServiceProcess
from support.router_directories import directories_are_there, directories_hold
from support.router_world import World, check_consistent, mail
from support.servers import ValkeyServer
from support.waiting import eventually, while_it_moves

Starter = Callable[..., ServiceProcess]
PARTITIONS = 2


@pytest_asyncio.fixture
async def client(valkey: ValkeyServer) -> AsyncIterator[redis.asyncio.Redis]:
    made = connect(valkey.url)
    yield made
    await made.aclose()


def first(number: int, run: str = "") -> EmailReceived:
    return mail(f"f{run}{number}", sender=f"c{number}@customer.example")


def answer(number: int, word: str) -> EmailReceived:
    return mail(f"{word}{number}", sender=f"c{number}@customer.example", references=[f"mf{number}@customer.example"])


async def decided(world: World, *mails: EmailReceived, stalled: float = 60) -> None:
    """Put mails in and wait until each has its outcome."""
    await world.put(*mails)
    wanted = {one.id for one in mails}

    async def done() -> int:
        return len(wanted & {e.causation_id for e in await world.events()})

    await while_it_moves(done, len(wanted), stalled=stalled, every=0.5, what="mails with an outcome")


def told(process: ServiceProcess, event: str) -> list[dict[str, Any]]:
    lines = [line for line in process.output().splitlines() if f'"event":"{event}"' in line]
    return [json.loads(line) for line in lines if line.startswith("{")]


def cold(world: World, tmp_path: Path, name: str = "cold") -> dict[str, str]:
    """The environment of a router on another disk."""
    return world.env(MAILROOM_DATA=str(tmp_path / name))


async def check(world: World, messages: dict[int, int]) -> dict[str, TicketState]:
    """Every customer's one ticket has so many messages, and nothing is there twice."""
    events, states = await world.events(), await world.states()
    check_consistent(events, states)
    assert {int(s.customer.email[1:].split("@")[0]): s.message_count for s in states.values()} == messages
    return states


async def test_a_router_on_an_empty_disk_begins_at_once_while_mail_arrives(
    world: World, client: redis.asyncio.Redis, start_service: Starter, tmp_path: Path
) -> None:
    warm = start_service("router", world.env())
    await decided(world, *(first(n) for n in range(40)))
    await directories_hold(world, client)
    # what comes now is in no directory: it is read
    await decided(world, *(answer(n, "tail") for n in range(10)))
    warm.kill()
    arriving = [answer(n, "cold") for n in range(5, 25)] + [first(n) for n in range(40, 60)]
    await world.put(*arriving)
    killed = start_service("router", cold(world, tmp_path), ready=False)
    await eventually(lambda: len(told(killed, "partition.opened")) == PARTITIONS, 90)
    assert len(told(killed, "partition.located")) == PARTITIONS
    read = sum(line["restored"] for line in told(killed, "partition.opened"))
    assert read < 40, "not all of the states were read"
    killed.kill()  # in the midst of its first work, with states that are in the topic alone
    again = start_service("router", cold(world, tmp_path))
    await decided(world, *arriving, *(answer(n, "more") for n in range(20, 50)))
    messages = {n: 1 + (n < 10) + (5 <= n < 25) + (20 <= n < 50) for n in range(60)}
    await check(world, messages)
    assert len(told(again, "partition.opened")) >= PARTITIONS
    assert told(again, "partition.directory_wrong") == []


async def test_without_directories_it_reads_and_leaves_directories_behind(
    world: World, client: redis.asyncio.Redis, valkey: ValkeyServer, start_service: Starter, tmp_path: Path
) -> None:
    warm = start_service("router", world.env())
    await decided(world, *(first(n) for n in range(20)))
    warm.terminate(40)
    if there := [key async for key in client.scan_iter(f"{world.settings.topic_prefix}:ix2:dir:*")]:
        await client.delete(*there)  # the index is whole, so that nothing makes them before this router takes over
    second = start_service("router", cold(world, tmp_path))
    assert told(second, "partition.located") == []
    await directories_are_there(world, client)
    await decided(world, *(answer(n, "a") for n in range(10)))
    await directories_hold(world, client)
    valkey.flush()  # and under a router that runs: with the index they come again
    await directories_are_there(world, client)
    await directories_hold(world, client)
    second.terminate(40)
    third = start_service("router", cold(world, tmp_path, "third"))
    assert len(told(third, "partition.located")) == PARTITIONS
    await decided(world, *(answer(n, "b") for n in range(20)))
    await check(world, {n: 2 + (n < 10) for n in range(20)})


async def test_an_old_directory_gives_no_old_state_and_a_wrong_one_is_not_believed(
    world: World, client: redis.asyncio.Redis, valkey: ValkeyServer, start_service: Starter, tmp_path: Path
) -> None:
    prefix = world.settings.topic_prefix
    warm = start_service("router", world.env())
    await decided(world, *(first(n) for n in range(20)))
    await directories_hold(world, client)
    raw = redis.asyncio.Redis.from_url(valkey.url)
    try:
        keys = [key async for key in raw.scan_iter(f"{prefix}:ix2:dir:*")]
        before = {key: await raw.get(key) for key in keys}
        await decided(world, *(answer(n, "a") for n in range(20)))
        await directories_hold(world, client)
        warm.terminate(40)
        # as a replica that was behind has them
        await raw.delete(*[key async for key in raw.scan_iter(f"{prefix}:ix2:dir:*")])
        await raw.mset(before)
        second = start_service("router", cold(world, tmp_path))
        assert len(told(second, "partition.located")) == PARTITIONS
        await decided(world, *(answer(n, "b") for n in range(20)))
        await check(world, dict.fromkeys(range(20), 3))
        assert told(second, "partition.directory_wrong") == []
    finally:
        await raw.aclose()


@pytest.mark.parametrize("seen_at", ["the start", "the first input of a ticket"])
async def test_a_directory_that_is_not_true_is_not_believed(
    world: World, client: redis.asyncio.Redis, start_service: Starter, tmp_path: Path, seen_at: str
) -> None:
    """As of another topic, or of this one when it was made anew: each state is said to lie where another ticket's lies."""
    warm = start_service("router", world.env())
    await decided(world, *(first(n) for n in range(20)))
    await directories_hold(world, client)
    warm.terminate(40)
    directories = Directories(client, world.settings.topic_prefix)
    for number in range(PARTITIONS):
        read = await directories.read(number)
        assert read is not None
        await directories.drop(number)
        lines = Lines()
        spots = {mark: spot_of(line) for part in read[1] for mark, line in entries(part).items()}
        for mark, other in zip(spots, [*list(spots.values())[1:], *list(spots.values())[:1]], strict=True):
            lines.note(mark.hex(), other.offset, waits=False, gone=False)
            if seen_at != "the start":  # where a part's last line is looked at, which here tells of no state
                lines.note(mark.hex()[0] * 32, other.offset, waits=False, gone=True)
        assert await directories.add(number, None, read[0].to, lines.take()) is not None
    router = start_service("router", cold(world, tmp_path))
    assert bool(told(router, "partition.directory_wrong")) == (seen_at == "the start")
    await decided(world, *(answer(n, "c") for n in range(20)))
    await check(world, dict.fromkeys(range(20), 2))
    assert told(router, "partition.directory_wrong")
    await directories_are_there(world, client)


async def test_tickets_that_wait_are_given_to_who_comes_online_though_nobody_asked_for_them(
    world: World, client: redis.asyncio.Redis, valkey: ValkeyServer, start_service: Starter, tmp_path: Path
) -> None:
    warm = start_service("router", world.env())
    await decided(world, *(first(n) for n in range(60)))
    await directories_hold(world, client)
    warm.terminate(40)
    assert all(s.wants_online for s in (await world.states()).values())
    killed = start_service("router", cold(world, tmp_path), ready=False)
    await eventually(lambda: told(killed, "partition.opened"), 90, every=0.01)
    killed.kill()  # while it fetches them, or before
    assert told(killed, "partition.located")
    valkey.flush()  # what it did not fetch is known by its own disk, now
    start_service("router", cold(world, tmp_path))
    await Presence(client, world.settings.topic_prefix).set("p1", "a1", "online")

    async def given() -> bool:
        return all(s.assignee_id == "a1" for s in (await world.states()).values())

    await eventually(given, 60, every=0.5)
    await decided(world, *(answer(n, "then") for n in range(60)))
    await check(world, dict.fromkeys(range(60), 2))


async def test_an_erased_ticket_stays_erased_whatever_a_directory_says(
    world: World, client: redis.asyncio.Redis, start_service: Starter, tmp_path: Path
) -> None:
    warm = start_service("router", world.env())
    await decided(world, *(first(n) for n in range(10)))
    await directories_hold(world, client)
    gone, later, *_ = list(await world.states())
    warm.terminate(40)
    await world.producer.send_record(tombstone(topics.TICKETS, gone, source="test"))  # in the tail of a directory
    second = start_service("router", cold(world, tmp_path))
    assert len(told(second, "partition.located")) == PARTITIONS
    erase = Erase(id=ids.command_id("p1", later, "e"), ticket_id=later, portal_id="p1", at=datetime.now(UTC),
                  actor=Actor(kind="agent", id="a1"))  # fmt: skip
    await world.producer.send(topics.TICKET_COMMANDS, erase)  # of a state that is in the topic alone

    async def erased() -> bool:
        return later not in await world.states()

    await eventually(erased, 30)
    before = {s.customer.email: s.version for s in (await world.states()).values()}
    assert len(before) == 8
    second.kill()
    start_service("router", cold(world, tmp_path))
    await decided(world, *(answer(n, "then") for n in range(10)))
    states = (await world.states()).values()
    assert sorted(s.message_count for s in states) == [1, 1] + [2] * 8, "two begin anew"


async def test_only_who_knows_a_directory_as_it_is_adds_to_it(client: redis.asyncio.Redis) -> None:
    directories = Directories(client, "t")

    def lines(first: int, last: int) -> dict[int, bytes]:
        found = Lines()
        for number in range(first, last):
            found.note(f"{number % 3000 * 0x1234567:032x}"[::-1], number, waits=False, gone=number % 7 == 0)
        return found.take()

    assert await directories.read(0) is None
    begun = await directories.add(0, None, 100, lines(0, 100))
    assert begun is not None
    assert await directories.add(0, None, 90, lines(0, 90)) is None, "it is there already"
    more = await directories.add(0, begun, 5_000, lines(100, 5_000))
    assert more is not None
    assert await directories.add(0, begun, 200, lines(100, 200)) is None, "another worker, which slept"
    read = await directories.read(0)
    assert read is not None
    assert (read[0], sum(map(len, read[1]))) == (more, sum(more.sizes))
    # much of it was written again and again: it does not grow without end
    for number in range(2, 30):
        assert more is not None
        more = await directories.tidy(0, more)
        assert more is not None
        more = await directories.add(0, more, number * 5_000, lines((number - 1) * 5_000, number * 5_000))
    tidied = await directories.read(0)
    assert tidied is not None
    assert sum(tidied[0].sizes) < 22 * (3_000 * 2 + PARTS * 2_000 + 5_000)
    live = {mark: spot_of(line).offset for part in tidied[1] for mark, line in entries(part).items()}
    expected: dict[bytes, int] = {}
    for number in range(29 * 5_000):
        mark = bytes.fromhex(f"{number % 3000 * 0x1234567:032x}"[::-1])
        expected.pop(mark, None)
        if number % 7:
            expected[mark] = number
    assert live == expected
    # a part that Valkey evicted makes all of it nothing
    await client.delete("t:ix2:dir:0:3")
    assert await directories.read(0) is None
    assert await directories.head(0) is None


async def test_single_records_are_read_by_their_offsets(world: World) -> None:
    await world.put(*(first(n) for n in range(60)))
    written = await world.records(topics.EMAIL_RECEIVED)
    async with SingleRecords(world.settings) as records:
        by_partition: dict[int, dict[int, tuple[bytes, bytes]]] = {}
        for r in written:
            by_partition.setdefault(r.partition, {})[r.offset] = (r.key, r.value)
        name = topics.EMAIL_RECEIVED.full_name(world.settings.topic_prefix)
        found = await asyncio.gather(
            *(records.at(TopicPartition(name, number), some) for number, some in by_partition.items())
        )
        assert found == list(by_partition.values())
        number, some = next(iter(by_partition.items()))
        assert await records.at(TopicPartition(name, number), []) == {}
        assert await records.at(TopicPartition(name, number), [0]) == {0: some[0]}


@pytest.mark.parametrize("count", [3])
async def test_routers_on_other_disks_relieve_each_other_under_load(
    world: World, start_service: Starter, tmp_path: Path, count: int
) -> None:
    warm = start_service("router", world.env(), timeout=180)
    await decided(world, *(first(n) for n in range(30)))
    sent: list[EmailReceived] = []
    for turn in range(count):
        guest = start_service("router", cold(world, tmp_path, f"guest{turn}"), timeout=180)
        some = [answer(n, f"t{turn}-") for n in range(30)] + [first(100 * (turn + 1) + n) for n in range(10)]
        sent += some
        await world.put(*some[::2])
        (warm if turn == 1 else guest).kill()
        await world.put(*some[1::2])
        if turn == 1:
            warm = guest
    await decided(world, *[first(n) for n in range(500, 505)])
    await decided(world)
    wanted = {one.id for one in sent}

    async def done() -> int:
        return len(wanted & {e.causation_id for e in await world.events()})

    await while_it_moves(done, len(wanted), stalled=90, every=1.0, what="mails with an outcome")
    messages = dict.fromkeys(range(30), 1 + count) | dict.fromkeys(range(500, 505), 1)
    messages |= {100 * (turn + 1) + n: 1 for turn in range(count) for n in range(10)}
    await check(world, messages)
