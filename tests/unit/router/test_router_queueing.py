"""What of a partition's inputs is worked on at once, what waits for company, and what waits for everything else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Topic, topics
from mailroom_router import agenda as module
from mailroom_router import second_step
from mailroom_router.agenda import LATE_FOR_S, MANY, PATIENT_LONGEST_S, PATIENT_MOST, PATIENT_S, Agenda, Pause
from mailroom_router.batch import Desk, Worked
from mailroom_router.inbox import Inbox, Lane, Raw
from mailroom_router.outputs import Outputs
from mailroom_router.partition import Partition
from mailroom_router.restoring import Shared
from mailroom_router.settings import RouterSettings
from mailroom_router.transactions import Membership, Transactions
from mailroom_router.worker import Worker
from mailroom_runtime.bus.groups import GROUPS

AUTO = "ticket.auto_reply"
PATIENT = [(topics.EMAIL_DELIVERY, ""), (topics.TICKET_COMMANDS, AUTO)]
NOW = 1000.0


class _Shared:
    settings = RouterSettings(_env_file=None)  # type: ignore[call-arg]


def _raw(topic: Topic, kind: str = "", offset: int = 0, partition: int = 0, value: bytes | None = None) -> Raw:
    headers = [("ce_type", kind.encode())] if kind else []
    if value is None:
        value = b'{"kind":"auto_reply"}' if topic is topics.EMAIL_DELIVERY else b"{}"
    return Raw(topic, partition, offset, b"k", value, headers)


MAIL = _raw(topics.EMAIL_ROUTED)


class _World:
    """An agenda over some partitions, at a time that the test says."""

    def __init__(self, most: int = 500, partitions: int = 1) -> None:
        self.agenda = Agenda(most)
        self.inboxes = {number: Inbox() for number in range(partitions)}

    def feed(self, *raws: Raw, at: float = NOW) -> None:
        for raw in raws:
            self.inboxes[raw.partition].lane(raw.topic).feed([raw], at)

    def next(self, at: float = NOW) -> list[Raw] | Pause:
        return self.agenda.next(self.inboxes, at)

    def taken(self, at: float = NOW) -> list[Raw]:
        found = self.next(at)
        assert isinstance(found, list), found
        return found


def _reports(count: int, first: int = 0) -> list[Raw]:
    return [_raw(topics.EMAIL_DELIVERY, offset=first + n) for n in range(count)]


def test_an_inbox_has_a_lane_for_each_topic_of_the_group() -> None:
    assert tuple(lane.topic for lane in Inbox().lanes) == tuple(GROUPS[second_step.GROUP])


def test_nothing_waits_where_nothing_came() -> None:
    assert _World().next() == Pause(float("inf"), until_fed=True)


def test_what_concerns_automatic_replies_waits_until_a_mail_takes_it_along() -> None:
    world = _World()
    world.feed(*(_raw(topic, kind) for topic, kind in PATIENT))
    pause = world.next(NOW + 0.1)
    assert isinstance(pause, Pause)
    assert pause.until_fed
    assert pause.seconds == pytest.approx(PATIENT_S - 0.1)
    world.feed(MAIL, at=NOW + 0.1)
    assert {raw.topic for raw in world.taken(NOW + 0.1)} == {t for t, _ in PATIENT} | {topics.EMAIL_ROUTED}


@pytest.mark.parametrize(
    "raw",
    [
        MAIL,
        _raw(topics.TICKET_COMMANDS, "ticket.reply"),
        _raw(topics.TICKET_COMMANDS),
        _raw(topics.EMAIL_DELIVERY, value=b'{"kind":"reply"}'),
    ],
)
def test_mail_and_what_people_ask_for_do_not_wait(raw: Raw) -> None:
    world = _World()
    world.feed(raw)
    assert world.taken() == [raw]


def test_nothing_waits_for_ever() -> None:
    world = _World()
    world.feed(*_reports(1))
    assert len(world.taken(NOW + PATIENT_S)) == 1


def test_automatic_replies_wait_while_mail_is_late_but_not_for_ever() -> None:
    world = _World()
    reports = _reports(MANY + 1)
    world.feed(*reports)
    now = NOW + PATIENT_S
    world.agenda.settled([0.01, module.LATE_S + 0.001, 9.0], now)
    pause = world.next(now)
    assert isinstance(pause, Pause)
    assert pause.until_fed
    assert pause.seconds == pytest.approx(LATE_FOR_S)
    world.feed(MAIL, at=now)
    assert world.taken(now) == [MAIL], "nothing is taken along"

    overdue = NOW + PATIENT_LONGEST_S
    world.agenda.settled([9.0], overdue)
    few = world.taken(overdue)
    assert few == reports[:PATIENT_MOST]
    world.agenda.settled([9.0], overdue + 60)
    assert world.taken(overdue + 60) == reports[PATIENT_MOST:], "the longer they waited, the more"


def test_a_mail_takes_few_along_since_the_next_mail_waits_for_them() -> None:
    world = _World()
    world.feed(*_reports(3 * PATIENT_MOST))
    world.feed(MAIL)
    assert len(world.taken()) == 1 + PATIENT_MOST
    assert len(world.taken(NOW + PATIENT_S)) == PATIENT_MOST
    world.feed(*_reports(60, first=3 * PATIENT_MOST))
    later = NOW + module.PATIENT_MOST_S  # no mail comes any more
    assert len(world.taken(later)) == PATIENT_MOST + 60


def test_one_late_mail_among_many_makes_nothing_wait() -> None:
    world = _World()
    world.agenda.settled([0.01, 0.02, 9.0], NOW)
    world.feed(*_reports(1), MAIL)
    assert len(world.taken()) == 2


def test_a_partition_with_much_leaves_room_for_the_others() -> None:
    world = _World(most=10, partitions=2)
    for number in (0, 1):
        world.feed(*(_raw(topics.EMAIL_ROUTED, offset=n, partition=number) for n in range(50)))
    assert sorted(raw.partition for raw in world.taken()) == [0] * 5 + [1] * 5


def test_a_transaction_is_no_larger_than_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 25)
    world = _World()
    world.feed(*(_raw(topics.EMAIL_ROUTED, offset=n, value=b"x" * 10) for n in range(5)))
    taken = [world.taken(NOW + second) for second in range(3)]
    assert [[raw.offset for raw in one] for one in taken] == [[0, 1], [2, 3], [4]]


def test_batches_begin_further_apart_the_more_mail_comes() -> None:
    world = _World()
    world.feed(*(_raw(topics.EMAIL_ROUTED, offset=n) for n in range(390)))
    assert len(world.taken()) == 390
    world.feed(_raw(topics.EMAIL_ROUTED, offset=390))
    pause = world.next()
    assert isinstance(pause, Pause)
    assert not pause.until_fed
    assert 0 < pause.seconds <= module.LONGEST_S
    assert len(world.taken(NOW + pause.seconds)) == 1


STEPS = st.lists(st.tuples(st.sampled_from(["mail", "patient", "late", "wait"]), st.integers(0, 1)), max_size=40)


@given(STEPS)
def test_every_input_is_given_out_once_and_none_waits_longer_than_it_may(steps: list[tuple[str, int]]) -> None:
    world, now, offsets, came, given_out = _World(most=7, partitions=2), NOW, {0: 0, 1: 0}, {}, []
    for what, partition in steps:
        if what in ("mail", "patient"):
            topic = topics.EMAIL_ROUTED if what == "mail" else topics.EMAIL_DELIVERY
            raw = _raw(topic, offset=offsets[partition], partition=partition)
            offsets[partition] += 1
            came[raw.topic, raw.partition, raw.offset] = now
            world.feed(raw, at=now)
        elif what == "late":
            world.agenda.settled([1.0], now)
        else:
            now += 0.3
        if isinstance(found := world.next(now), list):
            given_out += found
    ends = now + 2 * PATIENT_LONGEST_S
    while (found := world.next(now)) != Pause(float("inf"), until_fed=True):
        if isinstance(found, Pause):
            now += found.seconds
        else:
            given_out += found
        assert now <= ends
    assert sorted((raw.topic.name, raw.partition, raw.offset) for raw in given_out) == sorted(
        (topic.name, partition, offset) for topic, partition, offset in came
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.booleans()), max_size=30))
def test_a_lane_gives_every_record_once_in_order(steps: list[tuple[bool, int, bool]]) -> None:
    """Fed, taken, some put back: whatever happens, offsets come in order, and an urgent one never stays behind."""
    lane, fed, given_out = Lane(topics.TICKET_COMMANDS), 0, []
    for urgent, most, back in steps:
        lane.feed([_raw(topics.TICKET_COMMANDS, "ticket.reply" if urgent else AUTO, offset=fed)], NOW)
        fed += 1
        taken = lane.take(most, patient=urgent)
        if back:
            lane.put_back(taken)
        else:
            given_out += taken
    assert not lane.urgent or len(lane)
    while lane.urgent:
        given_out += lane.take(3, patient=False)
    given_out += lane.take(100, patient=True)
    assert [raw.offset for raw in given_out] == list(range(fed))
    assert lane.since == float("inf")


def test_what_was_done_before_is_not_worked_on_again() -> None:
    inbox = Inbox()
    lane = inbox.lane(topics.EMAIL_ROUTED)
    lane.feed([_raw(topics.EMAIL_ROUTED, offset=n) for n in range(5)], 0.0)
    lane.done_to(2)
    lane.feed([_raw(topics.EMAIL_ROUTED, offset=1)], 0.0)
    assert [raw.offset for raw in inbox.take(10, patient=True)] == [2, 3, 4]


class _Opened(Partition):
    async def open(self) -> None:
        self.ready = True


async def _worker(partition: Partition, transactions: Any = None, desk: Any = None) -> Worker:
    worker = Worker(cast(Transactions, transactions), cast(Desk, desk or SimpleNamespace()), RouterSettings())
    worker.take_over([partition], Membership(1, "m"))
    await asyncio.sleep(0)
    return worker


async def _waits(worker: Worker) -> asyncio.Task[list[Raw]]:
    """A started `_next`, after every step that needs no time."""
    task = asyncio.create_task(worker._next(wait=True))
    for _ in range(10):
        await asyncio.sleep(0)
    return task


async def test_what_comes_wakes_a_worker_that_waits() -> None:
    worker = await _worker(_Opened(0, cast(Shared, _Shared())))
    task = await _waits(worker)
    assert not task.done()
    worker.feed(0, topics.EMAIL_ROUTED, [MAIL])
    assert await task == []  # it looks again
    assert await worker._next(wait=True) == [MAIL]


async def test_a_stop_ends_the_waiting() -> None:
    worker = await _worker(_Opened(0, cast(Shared, _Shared())))
    task = await _waits(worker)
    assert not task.done()
    worker.stop()
    async with asyncio.timeout(5):
        assert await task == []


async def test_a_batch_that_was_taken_is_finished_when_a_rebalance_begins_before_it() -> None:
    written: list[Any] = []

    class _Transactions:
        async def write(self, membership: Membership, offsets: Any, likely: Any, outgoing: Any) -> dict[Any, int]:
            await outgoing
            written.append(offsets)
            return {}

    class _Desk:
        async def work(self, raws: Any, state: Any) -> Worked:
            return Worked(outputs={0: Outputs()})

    class _Applied(_Opened):
        def applied(self, raws: Any, outputs: Outputs, states_to: int | None) -> None:
            assert "closed" not in written

        def close(self) -> None:
            written.append("closed")

    worker = await _worker(_Applied(0, cast(Shared, _Shared())), _Transactions(), _Desk())
    worker.feed(0, topics.EMAIL_ROUTED, [MAIL])
    raws = await worker._next(wait=True)
    worker._settling = asyncio.create_task(worker._settle(raws, worker.partitions))
    await worker.let_go({0})  # it has no partition any more before the batch's first step
    await worker._settling
    assert written == [{TopicPartition("mailroom.email.routed.v1", 0): 1}, "closed"]
