"""How long what was erased may be in the event log: when the log is renewed by itself, and what an erasure says of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailroom_contracts import topics

from mailroom_console import times

EARLY, LATE = 3 * times.DAY, 1 * times.DAY  # before the time is over: a quiet hour will do; any hour will
# What was written before then is in a part of the log that Kafka has finished, and deletes whole.
FINISHED = (topics.TICKET_EVENTS.segment_ms or 0) * 1000 + times.HOUR


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure that is done, as far as the event log goes. Times as stored."""

    done_at: int
    unreadable: bool  # nobody is given it any more, but it may be on the brokers' disks


def is_due(waiting: Sequence[Erased], now: int, *, within: int, quiet_hour: int) -> bool:
    """Whether the log is to be renewed now, so that each erasure has left it `within` this time."""
    ends = [max(each.done_at + within, each.done_at + FINISHED + EARLY if each.unreadable else 0) for each in waiting]
    if not ends:
        return False
    end = min(ends)
    return now >= end - LATE or (now >= end - EARLY and now % times.DAY // times.HOUR == quiet_hour)


def told(row: Any, within_days: float) -> dict[str, Any]:
    """How an erasure stands in the event log, for its answer: `kept` until then, `unreadable`, or `gone`."""
    state = "gone" if row.gone_at is not None else "unreadable" if row.unreadable_at is not None else "kept"
    until = (row.done_at or row.asked_at) + int(within_days * times.DAY)
    if state == "unreadable":
        until = max(until, row.done_at + FINISHED + EARLY)
    return {
        "state": state, "until": times.rfc3339(until), "unreadable_at": times.rfc3339(row.unreadable_at),
        "gone_at": times.rfc3339(row.gone_at),
    }  # fmt: skip
