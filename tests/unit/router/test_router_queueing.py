"""What of a partition's inputs is worked on at once, what waits for company, and what waits for everything else."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Topic, topics
from mailroom_router import worker as module
from mailroom_router.batch import Desk, Raw, Worked
from mailroom_router.outputs import Outputs
from mailroom_router.partition import Lane, Partition, Shared
from mailroom_router.settings import RouterSettings
from mailroom_router.transactions import Membership, Transactions
from mailroom_router.worker import Worker

AUTO = "ticket.auto_reply"
PATIENT = [(topics.EMAIL_DELIVERY, ""), (topics.TICKET_COMMANDS, AUTO)]


class _Shared:
    settings = RouterSettings(_env_file=None)  # type: ignore[call-arg]


def _raw(topic: Topic, kind: str = "", offset: int = 0, partition: int = 0, value: bytes | None = None) -> Raw:
    headers = [("ce_type", kind.encode())] if kind else []
    if value is None:
        value = b'{"kind":"auto_reply"}' if topic is topics.EMAIL_DELIVERY else b"{}"
    return Raw(topic, partition, offset, b"k", value, headers)


class _Opened(Partition):
    async def open(self) -> None:
        self.ready = True


async def _worker(most: int = 500, numbers: tuple[int, ...] = (0,)) -> Worker:
    worker = Worker(cast(Transactions, None), cast(Desk, None), "mailroom", most)
    worker.take_over([_Opened(n, cast(Shared, _Shared())) for n in numbers], Membership(1, "m"))
    await asyncio.sleep(0)
    return worker


async def _waits(worker: Worker) -> asyncio.Task[list[Raw]]:
    """A started `_next`, after every step that needs no time."""
    task = asyncio.create_task(worker._next())
    for _ in range(10):
        await asyncio.sleep(0)
    return task


async def _batch(worker: Worker) -> list[Raw]:
    async with asyncio.timeout(5):
        while not (found := await worker._next()):
            pass
        return found


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENT_S", 60.0)


@pytest.mark.usefixtures("patience")
async def test_what_concerns_automatic_replies_waits_until_a_mail_takes_it_along() -> None:
    worker = await _worker()
    for topic, kind in PATIENT:
        worker.feed(0, topic, [_raw(topic, kind)])
    task = await _waits(worker)
    assert not task.done()
    worker.feed(0, topics.EMAIL_ROUTED, [_raw(topics.EMAIL_ROUTED)])
    assert await task == []  # it looks again
    assert {raw.topic for raw in await _batch(worker)} == {t for t, _ in PATIENT} | {topics.EMAIL_ROUTED}


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(
    "raw",
    [
        _raw(topics.EMAIL_ROUTED),
        _raw(topics.TICKET_COMMANDS, "ticket.reply"),
        _raw(topics.TICKET_COMMANDS),
        _raw(topics.EMAIL_DELIVERY, value=b'{"kind":"reply"}'),
    ],
)
async def test_mail_and_what_people_ask_for_do_not_wait(raw: Raw) -> None:
    worker = await _worker()
    worker.feed(0, raw.topic, [raw])
    task = await _waits(worker)
    assert task.done()
    assert task.result() == [raw]


async def test_nothing_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENT_S", 0.01)
    worker = await _worker()
    worker.feed(0, topics.EMAIL_DELIVERY, [_raw(topics.EMAIL_DELIVERY)])
    assert len(await _batch(worker)) == 1


async def test_a_stop_ends_the_waiting() -> None:
    worker = await _worker()
    task = await _waits(worker)
    assert not task.done()
    worker.stop()
    async with asyncio.timeout(5):
        assert await task == []


async def test_automatic_replies_wait_while_mail_is_late_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_FOR_S", 60.0)
    monkeypatch.setattr(module, "PATIENT_S", 0.0)
    worker = await _worker()
    worker._measure(Worked(latencies=[0.01, module.LATE_S, 9.0]), 0.001, 3)
    mail, reports = _raw(topics.EMAIL_ROUTED), [_raw(topics.EMAIL_DELIVERY, offset=n) for n in range(module.MANY + 1)]
    worker.feed(0, topics.EMAIL_DELIVERY, reports)
    task = await _waits(worker)
    assert not task.done()
    worker.feed(0, topics.EMAIL_ROUTED, [mail])
    assert await task == []  # it looks again, at once
    assert await _batch(worker) == [mail]
    monkeypatch.setattr(module, "PATIENT_LONGEST_S", 0.0)
    few = await _batch(worker)
    assert few == reports[: len(few)]
    assert len(few) < 2 * module.PATIENT_MOST
    monkeypatch.setattr(module, "PATIENT_LONGEST_S", -60.0)  # a minute longer than the longest
    assert await _batch(worker) == reports[len(few) :]


async def test_a_mail_takes_few_along_since_the_next_mail_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENT_S", 0.0)
    worker = await _worker()
    reports = [_raw(topics.EMAIL_DELIVERY, offset=n) for n in range(3 * module.PATIENT_MOST)]
    worker.feed(0, topics.EMAIL_DELIVERY, reports)
    worker.feed(0, topics.EMAIL_ROUTED, [_raw(topics.EMAIL_ROUTED)])
    assert len(await _batch(worker)) == 1 + module.PATIENT_MOST
    assert len(await _batch(worker)) == module.PATIENT_MOST
    monkeypatch.setattr(module, "PATIENT_MOST_S", 0.0)  # no mail comes any more
    worker.feed(0, topics.EMAIL_DELIVERY, [_raw(topics.EMAIL_DELIVERY, offset=len(reports) + n) for n in range(60)])
    assert len(await _batch(worker)) == module.PATIENT_MOST + 60


async def test_one_late_mail_among_many_makes_nothing_wait() -> None:
    worker = await _worker()
    worker._measure(Worked(latencies=[0.01, 0.02, 9.0]), 0.001, 3)
    worker.feed(0, topics.EMAIL_DELIVERY, [_raw(topics.EMAIL_DELIVERY)])
    worker.feed(0, topics.EMAIL_ROUTED, [_raw(topics.EMAIL_ROUTED)])
    assert len(await _batch(worker)) == 2


async def test_a_partition_with_much_leaves_room_for_the_others() -> None:
    worker = await _worker(most=10, numbers=(0, 1))
    for number in (0, 1):
        raws = [_raw(topics.EMAIL_ROUTED, offset=n, partition=number) for n in range(50)]
        worker.feed(number, topics.EMAIL_ROUTED, raws)
    batch = await _batch(worker)
    assert sorted(raw.partition for raw in batch) == [0] * 5 + [1] * 5


async def test_a_transaction_is_no_larger_than_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 25)
    worker = await _worker()
    raws = [_raw(topics.EMAIL_ROUTED, offset=n, value=b"x" * 10) for n in range(5)]
    worker.feed(0, topics.EMAIL_ROUTED, raws)
    taken = [await _batch(worker) for _ in range(3)]
    assert [[raw.offset for raw in one] for one in taken] == [[0, 1], [2, 3], [4]]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.booleans()), max_size=30))
def test_a_lane_gives_every_record_once_in_order(steps: list[tuple[bool, int, bool]]) -> None:
    """Fed, taken, some put back: whatever happens, offsets come in order, and an urgent one never stays behind."""
    lane, fed, given_out = Lane(topics.TICKET_COMMANDS), 0, []
    for urgent, most, back in steps:
        lane.feed([_raw(topics.TICKET_COMMANDS, "ticket.reply" if urgent else AUTO, offset=fed)], time.monotonic())
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
    partition: Any = Partition(0, cast(Shared, _Shared()))
    partition.feed(topics.EMAIL_ROUTED, [_raw(topics.EMAIL_ROUTED, offset=n) for n in range(5)], 0.0)
    partition.lanes[0].skip_to(2)
    assert [raw.offset for raw in partition.take(10, patient=True)] == [2, 3, 4]


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

    worker = Worker(cast(Transactions, _Transactions()), cast(Desk, _Desk()), "mailroom", 500)
    worker.take_over([_Applied(0, cast(Shared, _Shared()))], Membership(1, "m"))
    await asyncio.sleep(0)
    worker.feed(0, topics.EMAIL_ROUTED, [_raw(topics.EMAIL_ROUTED)])
    raws = await _batch(worker)
    worker._settling = asyncio.create_task(worker._settle(raws, worker.partitions))
    await worker.let_go({0})  # it has no partition any more before the batch's first step
    await worker._settling
    assert written == [{TopicPartition("mailroom.email.routed.v1", 0): 1}, "closed"]
