"""Date headers (RFC 5322 section 3.3, with the obsolete and the merely usual forms)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache

from .defect_names import add

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_USUAL = re.compile(
    r"(?:[A-Za-z]{3},? +)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))?(?: +([+-])(\d\d)(\d\d))?"
    r"(?: *\([^()]*\)| *GMT| *UTC)?",
    re.ASCII,
)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)? *(Z|[+-]\d\d:?\d\d)?", re.ASCII)


@lru_cache(maxsize=256)
def _zone(sign: str, hours: str, minutes: str) -> timezone:
    offset = int(hours) * 60 + int(minutes)
    return timezone(timedelta(minutes=-offset if sign == "-" else offset)) if offset else UTC


def parse(value: str, defects: list[str]) -> datetime | None:
    """An aware time (UTC where no zone is said), or None with the defect `bad-date`."""
    match = _USUAL.fullmatch(value)
    try:
        if match:
            day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
            number = _MONTHS.get(month.lower())
            if number:
                zone = _zone(sign, zone_hours, zone_minutes) if sign else UTC
                return _representable(
                    datetime(
                        int(year), number, int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=zone
                    )
                )
        found = _odd(value[:200], defects)
        return None if found is None else _representable(found)
    except (ValueError, OverflowError, TypeError, IndexError):
        add(defects, "bad-date")
        return None


def _representable(date: datetime) -> datetime:
    """The same, where it is a time in UTC too: whoever compares or stores it goes by that. Raises `OverflowError`."""
    if not 1 < date.year < 9999:
        date.astimezone(UTC)
    return date


def _odd(value: str, defects: list[str]) -> datetime | None:
    iso = _ISO.search(value)
    if iso:
        zone = iso[3] or "Z"
        return datetime.fromisoformat(f"{iso[1]}T{iso[2]}{'+00:00' if zone == 'Z' else zone}")
    fields = parsedate_tz(value)
    if fields is None:
        raise ValueError(value)
    offset = fields[9] or 0
    if not -86400 < offset < 86400:
        offset = 0
        add(defects, "bad-zone")
    zone_info = timezone(timedelta(seconds=offset)) if offset else UTC
    year, month, day, hour, minute, second = fields[:6]
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone_info)
