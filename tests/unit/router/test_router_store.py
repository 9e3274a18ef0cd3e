"""The store after a crash: what it says it has read is there, also what was taken over without RocksDB's own log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
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
