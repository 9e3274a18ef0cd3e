"""What a portal keeps no longer: which of its closed tickets go, and of which only the files. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mailroom_console import times

TICKET, FILES = "ticket", "files"


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many days after closing; None: for ever."""

    tickets: int | None = None
    attachments: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket. `closed_at`, as stored: since when it is closed; None: it is not.

    `goes_on_in`: of a merged one, the ticket in which its conversation goes on in the end; None where that is erased.
    """

    closed_at: int | None
    has_files: bool = False
    merged: bool = False
    goes_on_in: Standing | None = None


def closed_before(days: int, now: int) -> int:
    """The latest time of closing at which what is kept for so many days is over now."""
    return now - days * times.DAY


def due(ticket: Standing, keeping: Keeping, now: int) -> str | None:
    """`TICKET`: all of it goes; `FILES`: its attachments and raw sources do; None: it stays as it is.

    A merged ticket is shown in the other one, so it goes after that; its files go when both were closed for so long.
    """
    if _is_over(ticket, keeping.tickets, now) and not (ticket.merged and ticket.goes_on_in):
        return TICKET
    if ticket.has_files and _is_over(ticket, keeping.attachments, now):
        other = ticket.goes_on_in if ticket.merged else None
        return FILES if other is None or _is_over(other, keeping.attachments, now) else None
    return None


def _is_over(ticket: Standing, days: int | None, now: int) -> bool:
    return days is not None and ticket.closed_at is not None and ticket.closed_at <= closed_before(days, now)
