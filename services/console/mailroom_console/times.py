"""Times in the database are whole microseconds since 1970, UTC; in answers RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)


def micros(at: datetime) -> int:
    """A time as stored."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(stored: int) -> datetime:
    """A stored time as datetime."""
    return _EPOCH + timedelta(microseconds=stored)


def rfc3339(stored: int | None) -> str | None:
    """A stored time for an answer, or None."""
    return None if stored is None else moment(stored).isoformat().replace("+00:00", "Z")


def day_of(stored: int) -> int:
    """The UTC day, counted from 1970."""
    return stored // DAY
