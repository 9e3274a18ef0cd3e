"""What a database refuses for its content would be refused for ever; what it cannot do at this moment is tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError
from mailroom_console.storage.database import Database
from mailroom_console.storage.refusals import is_passing
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError


class Refused(Exception):
    """What asyncpg raises, as far as it is looked at."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "passing"),
    [("08006", True), ("40P01", True), ("53300", True), ("57P01", True), ("57P03", True), ("22021", False), ("22001", False),
     ("22003", False), ("23502", False), ("54000", False), ("42703", False)],
)  # fmt: skip
def test_states_of_postgresql(sqlstate: str, passing: bool) -> None:
    assert is_passing(DBAPIError("INSERT", {}, Refused(sqlstate))) is passing


def test_a_lost_connection_passes_and_a_fault_of_ours_does_not() -> None:
    assert is_passing(DBAPIError("SELECT", {}, Exception(), connection_invalidated=True))
    assert is_passing(KafkaConnectionError())
    assert is_passing(ConnectionResetError())
    assert not is_passing(KeyError("x"))
    assert not is_passing(OverflowError())


@pytest.mark.parametrize(
    ("work", "passing"),
    [
        (lambda c: c.execute(text("INSERT INTO generations (id, state, form) VALUES (7, 'x', 1)")), False),
        (lambda c: c.execute(text("INSERT INTO generations (id, state, form) VALUES (0, NULL, 1)")), False),
        (lambda c: c.execute(text("SELECT :n"), {"n": 2**70}), False),
        (lambda c: c.execute(text("SELECT :n"), {"n": "\ud800"}), False),
    ],
    ids=["check", "null", "too large", "surrogate"],
)
async def test_sqlite(tmp_path: Path, work: Callable[[Connection], object], passing: bool) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    await database.migrate()
    with pytest.raises(Exception) as caught:
        await database.transact(work)
    assert is_passing(caught.value) is passing
    await database.close()
