"""Transactions of a group's member against a real broker: who may commit, and what a successor waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from mailroom_contracts import Record
from mailroom_contracts import topics as all_topics
from mailroom_router import transactions as module
from mailroom_router.transactions import Membership, MembershipLost, Outgoing, Transactions, committed
from mailroom_runtime.bus.kafka import read_to_end
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import end
from support.waiting import eventually


class Member:
    """A consumer that is a member of a group, and its transactions."""

    def __init__(self, kafka: str, prefix: str, name: str) -> None:
        self.group, self.kafka = f"{prefix}.members", kafka
        self.input = TopicPartition(all_topics.EMAIL_ROUTED.full_name(prefix), 0)
        self.output = TopicPartition(all_topics.TICKET_EVENTS.full_name(prefix), 0)
        self.consumer = AIOKafkaConsumer(
            self.input.topic, bootstrap_servers=kafka, group_id=self.group, enable_auto_commit=False,
            session_timeout_ms=6_000, heartbeat_interval_ms=500,
        )  # fmt: skip
        self.access = ServiceSettings(kafka=kafka, topic_prefix=prefix)
        self.transactions = Transactions(self.access, f"{prefix}.{name}", self.group)

    async def start(self) -> None:
        await self.consumer.start()
        await self.transactions.open()
        await eventually(lambda: self.consumer.assignment(), 20)

    async def stop(self) -> None:
        await self.transactions.close()
        await self.consumer.stop()

    @property
    def membership(self) -> Membership:
        return Membership(self.consumer._coordinator.generation, self.consumer._coordinator.member_id)

    async def write(self, offset: int, value: bytes, membership: Membership | None = None) -> None:
        async def outgoing() -> Outgoing:
            return Outgoing({self.output: [Record(all_topics.TICKET_EVENTS, b"k", value)]}, [])

        await self.transactions.write(
            membership or self.membership, {self.input: offset}, [self.output], outgoing()
        )  # fmt: skip

    async def committed(self) -> dict[TopicPartition, int]:
        return await committed(self.consumer, self.group, [self.input], self.access)


@pytest.fixture
async def members(kafka: str, topics: str) -> AsyncIterator[tuple[Member, Member]]:
    """The first has all partitions; the second joins when it is started."""
    pair = Member(kafka, topics, "first"), Member(kafka, topics, "second")
    await pair[0].start()
    yield pair
    for member in pair:
        await member.stop()


async def _written(kafka: str, prefix: str) -> list[bytes]:
    settings = ServiceSettings(kafka=kafka, topic_prefix=prefix)
    name = all_topics.TICKET_EVENTS.full_name(prefix)
    return [record.value async for record in read_to_end(settings, [name])]


async def test_one_transaction_follows_the_other(members: tuple[Member, Member], kafka: str, topics: str) -> None:
    first, _ = members
    assert await first.committed() == {}
    for number in range(1, 8):
        await first.write(number, str(number).encode())
    assert await first.committed() == {first.input: 7}
    assert await _written(kafka, topics) == [str(n).encode() for n in range(1, 8)]


async def test_a_member_of_before_a_rebalance_writes_nothing(
    members: tuple[Member, Member], kafka: str, topics: str
) -> None:
    first, second = members
    before = first.membership
    await first.write(1, b"ours")
    await second.start()
    await eventually(lambda: first.membership.generation > before.generation, 20)
    with pytest.raises(MembershipLost, match="ILLEGAL_GENERATION"):
        await first.write(2, b"too late", before)
    with pytest.raises(MembershipLost, match="UNKNOWN_MEMBER_ID"):
        await first.write(2, b"nobody's", Membership(first.membership.generation, "nobody"))
    await first.write(3, b"ours again")  # it goes on as what it is now
    assert await first.committed() == {first.input: 3}
    assert await _written(kafka, topics) == [b"ours", b"ours again"]


async def test_a_successor_waits_for_what_is_being_committed(members: tuple[Member, Member]) -> None:
    first, second = members
    await first.write(1, b"before")
    await second.start()
    hold, told = asyncio.Event(), asyncio.Event()

    async def outgoing() -> Outgoing:
        told.set()
        await hold.wait()
        return Outgoing({first.output: [Record(all_topics.TICKET_EVENTS, b"k", b"slow")]}, [])

    writing = asyncio.create_task(
        first.transactions.write(first.membership, {first.input: 2}, [first.output], outgoing())
    )
    await told.wait()
    await eventually(lambda: _is_unstable(second), 10)
    asking = asyncio.create_task(second.committed())
    done, _ = await asyncio.wait([asking], timeout=0.3)
    assert not done
    hold.set()
    await writing
    assert await asking == {first.input: 2}


async def test_what_a_dead_worker_left_open_is_ended(
    members: tuple[Member, Member], kafka: str, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNSTABLE_S", 0.2)
    first, second = members
    await first.write(1, b"before")
    await second.start()
    never = asyncio.Event()

    async def outgoing() -> Outgoing:
        await never.wait()
        raise AssertionError

    writing = asyncio.create_task(
        first.transactions.write(first.membership, {first.input: 2}, [first.output], outgoing())
    )
    await eventually(lambda: _is_unstable(second), 10)
    assert await second.committed() == {first.input: 1}
    assert await _written(kafka, topics) == [b"before"]
    await end(writing)


async def _is_unstable(member: Member) -> bool:
    found = await module._fetch(member.consumer, member.group, [member.input], stable=True)
    return any(code for _, _, code in found.values())
