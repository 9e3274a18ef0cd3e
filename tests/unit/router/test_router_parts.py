"""The router's smaller parts: local states, waiting lists, index facts, shared-out partitions, records of a batch."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from mailroom_contracts import Assign, Reply, SetStatus, TicketState, topics
from mailroom_router.facts import facts, holder
from mailroom_router.inbox import INPUTS
from mailroom_router.outputs import Outputs, TooLarge
from mailroom_router.second_step import partition_of
from mailroom_router.store import Slot, Store
from mailroom_router.waiting import WaitingList
from mailroom_runtime.bus.kafka import partition_of as default_partition_of
from support.router_desk import NOW, command, routed, run
from support.router_world import mail


def ticket(number: int = 1, agent: str | None = None) -> TicketState:
    state = run(None, routed(mail(number, sender=f"c{number}@customer.example", at=NOW)), agent=agent).state
    assert state is not None
    return state


def encoded(state: TicketState) -> bytes:
    return state.model_dump_json(by_alias=True, exclude_none=True).encode()


def test_store_keeps_states_and_checkpoint_over_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    waits, has = ticket(1), ticket(2, "a1")
    store.write({waits.id: waits, has.id: has}, 7)
    store.close()
    store = Store(tmp_path / "s")
    assert store.checkpoint == 7
    assert store.get(waits.id) == waits
    assert store.get("none") is None
    assert [s.id for s in store.waiting()] == [waits.id]
    store.write({waits.id: None})
    assert store.get(waits.id) is None
    assert list(store.waiting()) == []
    store.clear()
    assert (store.checkpoint, store.get(has.id)) == (0, None)
    store.close()


def test_store_takes_states_over_undecoded(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    waits, has = ticket(1), ticket(2, "a1").model_copy(update={"subject": 'say "wants_online":true'})
    store.take({waits.id: encoded(waits), has.id: encoded(has)}, 9)
    assert [s.id for s in store.waiting()] == [waits.id], "a subject is not mistaken for the flag"
    assert store.get(has.id) == has
    store.take({waits.id: encoded(waits.model_copy(update={"wants_online": False, "version": 9}))}, 10)
    assert list(store.waiting()) == []
    assert store.get(waits.id).version == 9  # type: ignore[union-attr]
    store.take({has.id: None}, 11)
    assert store.get(has.id) is None
    store.close()


def test_two_workers_of_a_machine_have_folders_of_their_own_and_find_them_again(tmp_path: Path) -> None:
    first, second = Slot(tmp_path), Slot(tmp_path)
    assert first.folder != second.folder
    folder = first.folder
    first.release()
    assert Slot(tmp_path).folder == folder


def test_waiting_list_gives_the_oldest_first_and_asks_once() -> None:
    waiting = WaitingList()
    states = [ticket(n) for n in range(60)]
    for age, state in enumerate(states):
        waiting.note(state.model_copy(update={"created_at": NOW - timedelta(minutes=age)}), state.id)
    assert waiting.queues() == {("p1", "q1")}
    assert waiting.due({("p1", "q2")}, NOW, 0) == []
    first = waiting.due({("p1", "q1")}, NOW, 0)
    assert [c.ticket_id for c in first] == [s.id for s in reversed(states)][:50]
    rest = waiting.due({("p1", "q1")}, NOW, 1)
    assert {c.ticket_id for c in rest} == {s.id for s in states[:10]}
    assert waiting.due({("p1", "q1")}, NOW, 2) == [], "at most one command under way"
    assert len(waiting.due({("p1", "q1")}, NOW, 12)) == 50, "a lost one is asked again"
    assert waiting.due({("p1", "q1")}, NOW, 30)[0].id == first[0].id, "equal ids while nothing changed"
    waiting.note(run(states[0], command(Assign, states[0], assignee_id="a1")).state, states[0].id)
    assert len(waiting) == 59


def test_facts_say_what_changed_and_loads_follow_open_tickets() -> None:
    new = ticket(1, "a1")
    first = facts(None, new)
    assert (first.number, first.joins, first.leaves) == (new.number, "a1", None)
    assert first.message_ids == ("m1@customer.example",)
    assert first.clue == "p1|q1|ad1|c1@customer.example"
    sent = run(new, command(Reply, new, text="x", from_address_id="ad3")).state
    assert sent is not None
    second = facts(new, sent)
    assert (second.number, second.clue, second.joins) == (None, None, None)
    (ordered,) = second.ordered
    message_id, order, recipients = ordered.message_id, ordered.outbound_id, ordered.recipients
    assert (message_id, order, recipients) == (
        sent.messages[-1].message_id,
        sent.messages[-1].outbound_id,
        ("c1@customer.example",),
    )
    closed = run(sent, command(SetStatus, sent, status="closed")).state
    assert closed is not None
    assert facts(sent, closed).leaves == "a1"
    assert holder(closed) is None
    assert facts(closed, closed).empty


@pytest.mark.parametrize("workers", range(1, 6))
def test_range_assignment_gives_a_worker_the_same_partitions_of_all_inputs(workers: int) -> None:
    names = [t.full_name() for t in INPUTS]
    cluster = ClusterMetadata()
    cluster._partitions = {name: dict.fromkeys(range(8)) for name in names}
    cluster.partitions_for_topic = lambda name: set(range(8))
    members = {f"m{n}": RangePartitionAssignor.metadata(names) for n in range(workers)}
    given = RangePartitionAssignor.assign(cluster, members)
    owned: list[int] = []
    for assignment in given.values():
        by_topic = dict(assignment.assignment)
        assert len({tuple(by_topic[name]) for name in names}) == 1
        owned += by_topic[names[0]]
    assert sorted(owned) == list(range(8))


def test_our_partitioner_is_kafkas() -> None:
    for number in range(200):
        state = ticket(number)
        assert partition_of(state.id, 8) == default_partition_of(state.id.encode(), 8)


def test_a_batch_writes_each_ticket_once_and_refuses_what_kafka_cannot_take() -> None:
    outputs = Outputs()
    decision = run(None, routed(mail(1, at=NOW)))
    state = decision.state
    assert state is not None
    outputs.add(None, decision, None)
    outputs.add(state, run(state, routed(mail(2, references=["m1@customer.example"]))), None)
    assert len(outputs.records) == 3
    (record,) = outputs.state_records()
    assert record.topic is topics.TICKETS
    assert b'"version":3' in (record.value or b"")
    huge = run(None, routed(mail(3, text="x" * 960_000)))
    with pytest.raises(TooLarge):
        outputs.add(None, huge, None)
    assert len(outputs.records) == 3
