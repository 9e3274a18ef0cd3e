"""Office hours of a portal, as they are set. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import available_timezones

from mailroom_contracts import OfficeHours
from pydantic import ValidationError

from mailroom_console.languages import say
from mailroom_console.problems import invalid

_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
MOST_SPANS, MOST_HOLIDAYS = 50, 500


class Unset:
    """Not given, which is not the same as none."""


UNSET = Unset()


def checked_hours(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The hours, in order; None: somebody is always there. Raises `Problem` 422."""
    if given is None:
        return None
    try:
        hours = OfficeHours.model_validate(dict(given))
    except ValidationError:
        raise invalid("office_hours", say("Give zone, week (day, begin, end) and holidays.")) from None
    if hours.zone not in available_timezones():
        raise invalid("office_hours", say("There is no time zone {zone!r}.", zone=hours.zone[:60]))
    if len(hours.week) > MOST_SPANS or len(hours.holidays) > MOST_HOLIDAYS:
        raise invalid(
            "office_hours", say("At most {spans} spans and {days} holidays.", spans=MOST_SPANS, days=MOST_HOLIDAYS)
        )
    for span in hours.week:
        fits = _TIME.fullmatch(span.begin) and _TIME.fullmatch(span.end)
        if not 1 <= span.day <= 7 or not fits or span.begin >= span.end:
            raise invalid(
                "office_hours", say("A span is a day from 1 (Monday) to 7 and two times, the earlier one first.")
            )
    for day in hours.holidays:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise invalid("office_hours", say("{day!r} is not a day (YYYY-MM-DD).", day=day[:30])) from None
    week = sorted(hours.week, key=lambda span: (span.day, span.begin))
    return OfficeHours(zone=hours.zone, week=week, holidays=sorted(set(hours.holidays))).model_dump(mode="json")
