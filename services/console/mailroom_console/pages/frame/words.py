"""Words and figures as people read them: times, sizes, names, counts. Pure; the time is passed in."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta, tzinfo

from mailroom_console.languages import day_and_month, full_day, say, weekday_and_time

_ENTITY = re.compile(r"[^\W_]")


def moment(value: datetime | str | None) -> datetime | None:
    """The time as an aware datetime in UTC; RFC 3339 text is read, None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def ago(value: datetime | str | None, now: datetime, zone: tzinfo = UTC) -> str:
    """How long ago, or in how long, in few words: "just now", "5 min ago", "in 3 h", "Mon 14:05", "2 Nov".

    Clock times and days are those of `zone`.
    """
    when = moment(value)
    if when is None:
        return ""
    gap = now - when
    seconds = gap.total_seconds()
    if seconds < -45:
        return say("in {span}", span=span(-gap))
    if seconds < 45:
        return say("just now")
    if seconds < 12 * 3600:
        return say("{span} ago", span=span(gap))
    there, here = when.astimezone(zone), now.astimezone(zone)
    if there.date() == here.date():
        return f"{there:%H:%M}"
    if seconds < 6 * 86400:
        return weekday_and_time(there)
    return day_and_month(there) if there.year == here.year else full_day(there)


def span(length: timedelta | float) -> str:
    """A length of time in one unit: "40 s", "5 min", "3 h", "2 days"."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 90:
        return say("{n:.0f} s", n=seconds)
    if seconds < 90 * 60:
        return say("{n:.0f} min", n=seconds / 60)
    if seconds < 36 * 3600:
        return say("{n:.0f} h", n=seconds / 3600)
    return say("{n:.0f} days", n=seconds / 86400)


def full_time(value: datetime | str | None, zone: tzinfo = UTC) -> str:
    """Date and time in full with the zone, for titles and tables."""
    when = moment(value)
    if when is None:
        return ""
    there = when.astimezone(zone)
    return f"{full_day(there)}, {there:%H:%M} {there.tzname() or ''}".rstrip()


def iso(value: datetime | str | None) -> str:
    """RFC 3339, for the datetime attribute."""
    when = moment(value)
    return "" if when is None else when.isoformat()


def size(count: int | None) -> str:
    """A size in bytes as people say it: "812 bytes", "48 kB", "2.4 MB"."""
    value = float(count or 0)
    if value < 1000:
        return say("{n:.0f} bytes", n=value)
    unit = ""
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one is what is said
        value /= 1000
        if value < 999.5:
            break
    return f"{value:.1f} {unit}" if value < 10 and unit != "kB" else f"{value:.0f} {unit}"


def initials(name: str | None, email: str | None = None) -> str:
    """One or two letters that stand for a person."""
    words = [w for w in re.split(r"[\s._@-]+", name or (email or "").partition("@")[0]) if _ENTITY.match(w)]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def tint(text: str | None) -> int:
    """A colour class from 0 to 5 that stays with the same person."""
    return zlib.crc32((text or "").lower().encode()) % 6


def person(value: object) -> str:
    """A person's name, or the address when there is no name."""
    if value is None:
        return say("Unknown sender")
    get = value.get if isinstance(value, dict) else lambda key, default=None: getattr(value, key, default)
    return str(get("name", "") or get("email", "") or say("Unknown sender"))


def people(values: list[object] | None) -> str:
    """People in one line."""
    return ", ".join(person(value) for value in values or [])
