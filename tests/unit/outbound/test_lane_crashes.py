"""A crash at every single step of a send: nothing is lost, and nothing is sent twice except in the one window.

The real runner, partition and records on a log in memory. The "process" dies at its k-th step, for every k: whatever it
was about to do does not happen any more; a new one reads the log and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mailroom_contracts import Address, DeliveryReport, OutboundMail, Person, SmtpAccount, Topic, encode, topics
from mailroom_contracts.codec import Record
from mailroom_outbound import lane
from mailroom_outbound.accounts import Accounts
from mailroom_outbound.courier import LEASE_LOST, Deferred, Delivered, Hold, Letter, Outcome
from mailroom_outbound.couriers import Made
from mailroom_outbound.desk import Desk
from mailroom_outbound.lease import Holder
from mailroom_outbound.partition import Partition
from mailroom_outbound.records import Records, lane_partition
from mailroom_outbound.schedule import Policy
from mailroom_runtime.process.tasks import end
from support.waiting import eventually

FAST = Policy(first_s=0.01, longest_s=0.02, lane_first_s=0.01, lane_longest_s=0.02, parked_retry_s=0.05)


class World:
    """What outlives a process: the log, the mails that servers took. `die_at`: the step at which the process ends."""

    def __init__(self) -> None:
        self.log: list[Record] = []
        self.reports: list[DeliveryReport] = []
        self.taken: list[str] = []
        self.outcomes: list[Outcome] = []
        self.steps, self.die_at, self.lease_s = 0, 0, 1e9

    @property
    def dead(self) -> bool:
        return 0 < self.die_at <= self.steps

    async def step(self) -> None:
        """One more thing happens, unless the process is dead: then nothing ever does."""
        self.steps += 1
        if self.dead:
            await asyncio.Event().wait()

    def order(self, number: int, **changes: Any) -> OutboundMail:
        order = OutboundMail(
            id=f"o{number}", portal_id="p1", ticket_id=f"t{number}", address_id="ad1", kind="reply", subject="x",
            text="x", to=[Person(email="jo@c.example")], rfc_message_id=f"m{number}@a", created_at=datetime.now(UTC),
            **changes,
        )  # fmt: skip
        self.log.append(encode(topics.EMAIL_LANES, lane.queued(order, datetime.now(UTC)), source="outbound"))
        return order


class Process:
    """One life of outbound over the world."""

    def __init__(self, world: World, name: str, address: Address | None) -> None:
        self.world, self.address = world, address
        tables = SimpleNamespace(
            book=SimpleNamespace(
                addresses=SimpleNamespace(get=lambda _: self.address), portals=SimpleNamespace(get=lambda _: None)
            ),
            fresh=lambda within_s: True,
        )  # fmt: skip
        lease = SimpleNamespace(left_s=lambda: world.lease_s, take=self._take, give_back=self._nothing,
                                kept=contextlib.nullcontext)  # fmt: skip
        desk = Desk(
            records=Records(cast(Any, self), partitions=1),
            accounts=Accounts(cast(Any, self)),
            tables=cast(Any, tables),
            blobs=cast(Any, None),
            couriers=cast(Any, SimpleNamespace(make=lambda _: Made(self, slots=2))),
            leases=cast(Any, SimpleNamespace(of=lambda *_: lease)),
            health=cast(Any, SimpleNamespace(set=lambda *_: None)),
            policy=FAST,
            send_timeout_s=5,
        )

        async def end_offset() -> int:
            return len(world.log)

        async def bury(*_: Any) -> None:
            raise AssertionError("nothing here is poison")

        self.partition = Partition(0, len(world.log), desk, Holder("place", name, 1), bury=bury, end_offset=end_offset)
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        done = 0
        while not self.world.dead:
            batch = self.world.log[done : done + 3]
            if batch:
                records = [
                    SimpleNamespace(key=r.key, value=r.value, headers=r.headers, offset=done + i)
                    for i, r in enumerate(batch)
                ]
                await self.partition.apply(cast(Any, records))
                done += len(batch)
            else:
                await self.partition.moved_to(done)
            await asyncio.sleep(0.001)

    async def _take(self) -> float:
        self.world.lease_s = 1e9
        return 0.0

    async def _nothing(self) -> None:
        return None

    # the producer that Records and Accounts use

    async def send_record(self, record: Record, *, partition: int | None = None) -> None:
        assert partition == 0 == lane_partition("ad1", 1)
        await self.world.step()
        self.world.log.append(record)
        await self.world.step()

    async def send(self, topic: Topic, message: Any, **_: Any) -> None:
        await self.world.step()
        if isinstance(message, DeliveryReport):
            self.world.reports.append(message)
        await self.world.step()

    # the courier

    async def send_mail(self, order: OutboundMail, mail: Letter) -> Outcome:
        await self.world.step()
        outcome = self.world.outcomes.pop(0) if self.world.outcomes else Delivered("250 ok")
        if not mail.still_ours():
            return LEASE_LOST
        if isinstance(outcome, Delivered):
            self.world.taken.append(order.id)
        await self.world.step()
        return outcome

    async def close(self) -> None:
        return None

    async def die(self) -> None:
        await end(self._reading, *self.partition.stop())


class _Courier:
    """Gives a process the courier's face: its `send` is the producer's already."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def send(self, order: OutboundMail, mail: Letter) -> Outcome:
        return await self.process.send_mail(order, mail)

    async def close(self) -> None:
        return None


ADDRESS = Address(
    id="ad1", portal_id="p1", kind="smtp", email="s@a.example", smtp=SmtpAccount(host="x", port=587, tls="none", username="")
)  # fmt: skip


def live(world: World, name: str, address: Address | None = ADDRESS) -> Process:
    process = Process(world, name, address)
    made = Made(_Courier(process), slots=2)
    object.__setattr__(process.partition._desk, "couriers", SimpleNamespace(make=lambda _: made))
    return process


def waiting(world: World) -> set[str]:
    """What the log says still waits."""
    last: dict[bytes, Any] = {}
    for record in world.log:
        last[record.key] = record.value
    return {key.decode() for key, value in last.items() if value is not None}


async def finish(world: World, process: Process) -> None:
    await eventually(lambda: not waiting(world), 10, every=0.005, what="an empty lane")
    await process.die()


async def steps_of_a_calm_life(outcomes: list[Outcome]) -> int:
    world = World()
    world.outcomes = list(outcomes)
    world.order(1)
    world.order(2)
    await finish(world, live(world, "calm"))
    return world.steps


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [Deferred("451 later")],
        [Deferred("421 bye", Hold.LANE)],
        [Deferred("535 wrong", Hold.ACCOUNT)],
    ],
    ids=["sent", "deferred", "lane held", "parked"],
)
async def test_a_crash_at_every_step(outcomes: list[Outcome]) -> None:
    total = await steps_of_a_calm_life(outcomes)
    assert total >= 10
    doubled = 0
    for die_at in range(1, total + 1):
        world = World()
        world.outcomes = list(outcomes)
        world.order(1)
        world.order(2)
        world.die_at = die_at
        first = live(world, "first")
        await eventually(lambda: world.dead or not waiting(world), 10, every=0.002, what="death")  # noqa: B023
        await first.die()
        crashed_with = list(world.taken)
        world.die_at = 0
        # the router repeats an order: that must not matter
        world.log.append(world.log[0])
        await finish(world, live(world, "second"))
        assert set(world.taken) == {"o1", "o2"}, f"lost when dying at step {die_at}"
        assert {r.outbound_id for r in world.reports if r.state == "sent"} == {"o1", "o2"}, die_at
        for key in ("o1", "o2"):
            times = world.taken.count(key)
            # twice only if the server had it and the process died before that was recorded
            assert times == 1 or (times == 2 and key in crashed_with), f"{key} {times} times when dying at {die_at}"
            doubled += times - 1
    assert doubled > 0, "no crash hit the window: this test does not test it"


class Fatal(World):
    """Every life ends when a server has taken one mail more, before that is recorded."""

    lives_until = 1

    @property
    def dead(self) -> bool:
        return len(self.taken) >= self.lives_until


async def _lives(world: Fatal) -> None:
    for life in range(8):
        process = live(world, f"life{life}")
        await eventually(lambda: world.dead or not waiting(world), 10, every=0.002, what="death, or an end")
        await process.die()
        if not waiting(world):
            return
        world.lives_until = len(world.taken) + 1


async def test_a_mail_whose_every_try_is_interrupted_is_sent_at_most_twice_again_and_says_so() -> None:
    world = Fatal()
    world.order(1)
    await _lives(world)
    assert world.taken == ["o1"] * 3, "once, and twice again"
    assert world.reports[-1].state == "failed"
    assert "may have arrived" in (world.reports[-1].reason or "")


async def test_cancelled_while_it_waits_and_after_it_is_done() -> None:
    world = World()
    world.outcomes = [Deferred("451")] * 10_000
    order = world.order(1)
    process = live(world, "p")
    await eventually(lambda: any(r.state == "deferred" for r in world.reports))
    cancel = OutboundMail.model_validate({**order.model_dump(by_alias=True), "action": "cancel"})
    entry = encode(topics.EMAIL_LANES, lane.queued(cancel, datetime.now(UTC)), source="outbound")
    world.log.append(entry)
    await eventually(lambda: not waiting(world))
    assert world.reports[-1].state == "cancelled"
    world.outcomes = []
    world.log.append(world.log[0])  # the order again
    world.log.append(entry)  # and the wish
    world.order(2)
    await finish(world, process)
    assert world.taken == ["o2"]


async def test_cancelled_before_its_order_was_seen() -> None:
    world = World()
    order = world.order(1)
    cancel = OutboundMail.model_validate({**order.model_dump(by_alias=True), "action": "cancel"})
    world.log.append(encode(topics.EMAIL_LANES, lane.queued(cancel, datetime.now(UTC)), source="outbound"))
    await finish(world, live(world, "p"))
    assert world.taken == []
    assert [r.state for r in world.reports] == ["cancelled"]


async def test_what_another_process_finished_is_not_sent() -> None:
    """A process that kept its lease while it lost the partition writes the end late; the new owner reads it first."""
    world = World()
    world.order(1)
    world.die_at = 5
    first = live(world, "first")
    await eventually(lambda: world.dead)
    await first.die()
    world.die_at, world.taken = 0, ["o1"]
    records = Records(cast(Any, SimpleNamespace(send_record=_append(world))), partitions=1)
    second = Process(world, "second", ADDRESS)
    await records.end("o1", 0, "place first 1")
    await eventually(lambda: second.partition.position == len(world.log))
    await second.die()
    assert world.taken == ["o1"]


async def test_a_lost_lease_sends_nothing() -> None:
    world = World()
    world.order(1)
    process = live(world, "p")
    taken_lease: list[float] = []

    async def take() -> float:
        taken_lease.append(0)
        return 0.05 if len(taken_lease) < 4 else 0.0

    runner_lease = process.partition._desk.leases.of("ad1", Holder("a", "b", 1))
    runner_lease.take = take  # type: ignore[method-assign]
    world.lease_s = -1.0
    await eventually(lambda: len(taken_lease) >= 3)
    assert world.taken == []
    world.lease_s = 1e9
    await finish(world, process)
    assert world.taken == ["o1"]


async def test_deleted_while_waiting_is_refused() -> None:
    world = World()
    world.outcomes = [Deferred("535", Hold.ACCOUNT)] * 1000
    world.order(1)
    process = live(world, "p")
    await eventually(lambda: any(r.state == "parked" for r in world.reports))
    process.address = None
    process.partition.reconfigured("ad1")
    await finish(world, process)
    assert world.reports[-1].state == "refused"


def _append(world: World) -> Any:
    async def send_record(record: Record, *, partition: int | None = None) -> None:
        world.log.append(record)

    return send_record
