"""Whether a database refused what was in a statement, or could not do it at this moment. Pure."""

from __future__ import annotations

from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Classes of SQLSTATE (PostgreSQL's manual, appendix A) that speak of the moment: connection, transaction rollback
# (deadlocks), resources, objects in use, operator intervention, system error.
_OF_THE_MOMENT = frozenset({"08", "25", "40", "53", "55", "57", "58"})


def is_passing(error: BaseException) -> bool:
    """Whether the same statement may succeed later. What is not known to pass would fail for ever."""
    if isinstance(error, KafkaError | PoolTimeout | OSError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str) and len(state) == 5:
        return state[:2] in _OF_THE_MOMENT
    # SQLite says "locked", "disk is full" and "unable to open" as OperationalError; asyncpg a lost connection as the other
    return isinstance(error, OperationalError | InterfaceError)
