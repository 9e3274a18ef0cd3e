"""Whether somebody is there: a portal's office hours. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailroom_contracts import OfficeHours


def is_open(hours: OfficeHours | None, now: datetime) -> bool:
    """True within the hours, by the clock of their zone (summer time included), and on no holiday; without hours always.

    `now` is aware. A zone that this system does not know counts as UTC.
    """
    if hours is None:
        return True
    try:
        there = now.astimezone(ZoneInfo(hours.zone))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        there = now.astimezone(ZoneInfo("UTC"))
    if there.date().isoformat() in hours.holidays:
        return False
    clock = f"{there:%H:%M}"
    return any(span.day == there.isoweekday() and span.begin <= clock < span.end for span in hours.week)
