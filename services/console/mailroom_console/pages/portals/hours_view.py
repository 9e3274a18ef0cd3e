"""Office hours as people write them: "Mon-Fri 9:00-17:00", one span on each line. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mailroom_console.languages import say
from mailroom_console.problems import invalid

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LINE = re.compile(r"(\w{3})\w*(?:\s*[-\u2013]\s*(\w{3})\w*)?\s+(\d{1,2}):(\d\d)\s*[-\u2013]\s*(\d{1,2}):(\d\d)")


def hours_shown(hours: Mapping[str, Any] | None) -> dict[str, str]:
    """The fields of the form."""
    if hours is None:
        return {"zone": "", "hours": "", "holidays": ""}
    spans: dict[str, list[int]] = {}
    for span in hours["week"]:
        spans.setdefault(f"{span['begin']}-{span['end']}", []).append(span["day"])
    lines = []
    for times, days in spans.items():
        for first, last in _runs(sorted(days)):
            lines.append(f"{_DAYS[first - 1]}{'' if first == last else '-' + _DAYS[last - 1]} {times}")
    return {"zone": hours["zone"], "hours": "\n".join(lines), "holidays": "\n".join(hours["holidays"])}


def hours_typed(zone: str, hours: str, holidays: str) -> dict[str, Any] | None:
    """What was typed, or None for no hours at all. Raises `Problem` 422 naming the line that is not understood."""
    lines = [line.strip() for line in hours.splitlines() if line.strip()]
    if not lines:
        return None
    week: list[dict[str, Any]] = []
    for line in lines[:50]:
        found = _LINE.fullmatch(line)
        first = _day(found.group(1)) if found else None
        last = _day(found.group(2) or found.group(1)) if found else None
        if found is None or first is None or last is None or last < first:
            raise invalid(
                "office_hours",
                say("{line!r} is not understood: write a line such as Mon-Fri 9:00-17:00.", line=line[:60]),
            )
        begin, end = (f"{int(found.group(n)):02}:{found.group(n + 1)}" for n in (3, 5))
        week += [{"day": day, "begin": begin, "end": end} for day in range(first, last + 1)]
    return {"zone": zone or "UTC", "week": week, "holidays": holidays.split()}


def _day(name: str) -> int | None:
    return next((n for n, day in enumerate(_DAYS, 1) if day.lower() == name[:3].lower()), None)


def _runs(days: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for day in days:
        if found and found[-1][1] == day - 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
