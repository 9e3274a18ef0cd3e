"""The store after a crash: what it says it has read is there, also what was taken over without RocksDB's own log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from load.population import state
from mailroom_contracts import encode, topics
from mailroom_router.directory import PARTS, Lines, Spot
from mailroom_router.store import Store

# Takes 40 MB over in batches (so that some of it was flushed and some was not), then dies; with "written", after a commit.
CHILD = """
import os, sys
from pathlib import Path
from mailroom_router.store import Store
store = Store(Path(sys.argv[1]))
for batch in range(400):
    store.take({f"t{batch * 100 + n}": b"%d:" % batch + os.urandom(1000) for n in range(100)}, (batch + 1) * 100)
if sys.argv[2] == "written":
    store.write({}, 50_000)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["taken", "written"])
def test_everything_up_to_the_checkpoint_survives_a_crash(tmp_path: Path, how: str) -> None:
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "s"), how], check=False)
    store = Store(tmp_path / "s")
    try:
        checkpoint = store.checkpoint
        assert checkpoint == 50_000 if how == "written" else 0 <= checkpoint <= 40_000
        for number in range(min(checkpoint, 40_000)):
            assert store._db.get(b"s" + f"t{number}".encode()) is not None, (number, checkpoint)
    finally:
        store.close()


def test_what_an_erased_ticket_had_is_known_for_a_while_and_survives_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "t")
    store.write({"t1": None, "t2": None}, 5, erased={"t1": ("cause 1", "cause 2")})
    assert store.erased("t1") == ("cause 1", "cause 2")
    assert store.erased("t2") == store.erased("t3") == ()
    store.close()
    store = Store(tmp_path / "t")
    store.compact()
    assert store.erased("t1") == ("cause 1", "cause 2")
    monkeypatch.setattr("mailroom_router.store.ERASED_KEPT_S", -1.0)
    store.compact()
    assert store.erased("t1") == ()
    store.close()


def located(tickets: dict[str, Spot], store: Store, checkpoint: int) -> None:
    lines = Lines()
    for ticket, spot in tickets.items():
        lines.note(ticket, spot.offset, waits=spot.waits, gone=False)
    parts = lines.take()
    assert list(store.locate([parts.get(n, b"") for n in range(PARTS)], checkpoint)) == list(range(PARTS))


def test_a_state_that_is_brought_for_later_is_on_disk_only(tmp_path: Path) -> None:
    """A hundred thousand tickets may wait; the remembered ones of eight partitions are 300 MB."""
    later, soon = state(1), state(2)
    store = Store(tmp_path / "t")
    located({later.id: Spot(7, waits=True), soon.id: Spot(8)}, store, 20)
    values = [encode(topics.TICKETS, one, source="test").value or b"" for one in (later, soon)]
    brought = [store.bring(later.id, values[0], 7, wanted=False), store.bring(soon.id, values[1], 8)]
    assert brought == [later, soon]
    assert store.get(later.id) is not brought[0]
    assert store.get(soon.id) is brought[1]


def test_where_a_state_lies_is_told_until_it_is_here(tmp_path: Path) -> None:
    ticket, other, third, unknown = state(1), state(2), state(3), state(4)
    store = Store(tmp_path / "t")
    located({ticket.id: Spot(7), other.id: Spot(9, waits=True), third.id: Spot(11)}, store, 20)
    store.close()
    store = Store(tmp_path / "t")
    assert store.checkpoint == 20
    assert store.waiting_elsewhere() == [9]
    assert (store.missing(ticket.id), store.missing(other.id), store.missing(unknown.id)) == (7, 9, None)
    assert store.get(ticket.id) is None
    value = encode(topics.TICKETS, ticket, source="test").value
    assert value is not None
    assert store.bring(ticket.id, value, 8) is None, "it lies elsewhere by now"
    assert store.bring(ticket.id, value, 7) == ticket
    assert (store.missing(ticket.id), store.get(ticket.id)) == (None, ticket)
    newer = ticket.model_copy(update={"version": 99})
    store.write({ticket.id: newer})
    assert store.bring(ticket.id, value, 7) is None, "an old state does not take the place of a newer one"
    assert store.get(ticket.id) == newer
    store.write({other.id: None}, 21, erased={other.id: ("c",)})
    store.take({third.id: None}, 22)
    for gone in (other, third):
        assert (store.missing(gone.id), store.get(gone.id)) == (None, None), "an erased ticket is nowhere"
    assert store.waiting_elsewhere() == []
    store.close()


def test_what_a_broken_off_take_over_left_does_not_count(tmp_path: Path) -> None:
    first, second = state(1), state(2)
    store = Store(tmp_path / "t")
    lines = Lines()
    lines.note(first.id, 3, waits=False, gone=False)
    parts = lines.take()
    locating = store.locate([parts.get(n, b"") for n in range(PARTS)], 10)
    for _ in range(PARTS):
        next(locating)
    assert store.checkpoint == 0
    located({second.id: Spot(5)}, store, 10)
    assert (store.missing(first.id), store.missing(second.id)) == (None, 5)
    store.close()


def test_a_router_of_before_reads_all_states_anew_and_what_it_did_then_counts(tmp_path: Path) -> None:
    kept, erased = state(1), state(2)
    store = Store(tmp_path / "t")
    located({kept.id: Spot(5), erased.id: Spot(6)}, store, 10)
    assert store._db.get(b"checkpoint") is None, "it begins at 0"
    value = encode(topics.TICKETS, kept, source="test").value
    assert value is not None
    store._db.put(b"s" + kept.id.encode(), value)
    store._db.put(b"checkpoint", b"12")
    store.close()
    store = Store(tmp_path / "t")
    assert store.checkpoint == 12
    assert store.get(kept.id) == kept
    assert (store.missing(erased.id), store.get(erased.id)) == (None, None)
    store.close()
    store = Store(tmp_path / "t")
    assert store.checkpoint == 12
    store.close()
