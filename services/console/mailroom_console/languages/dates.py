"""Days, times and numbers as a language writes them. The locale is that of the context."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal

from .chosen import locale


def weekday_and_time(there: datetime) -> str:
    """ "Mon 14:05"."""
    return format_datetime(there, "EEE HH:mm", tzinfo=there.tzinfo, locale=locale())


def day_and_month(there: datetime) -> str:
    """ "2 Nov"."""
    return format_skeleton("MMMd", there, tzinfo=there.tzinfo, locale=locale())


def full_day(there: datetime) -> str:
    """ "2 Nov 2026"."""
    return format_date(there.date(), "medium", locale=locale())


def number(amount: int) -> str:
    """ "1,234"."""
    return format_decimal(amount, locale=locale())
