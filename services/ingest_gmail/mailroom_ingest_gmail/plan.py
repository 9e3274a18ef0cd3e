"""What to read next of an inbox, and what of it to take: decisions without I/O.

A cursor is in one of two states. *Following*: `history_id` says up to where everything is published. *Listing*:
`listing_query` selects what is still to be published by a full listing, and `listing_target` is where following goes
on after it. A listing is begun for mail from before the connection, and when Gmail has forgotten a history id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailroom_contracts import Address, GmailCursor
from mailroom_gmail import Arrival

# Gmail keeps history for a week or more; a gap is filled from somewhat before the cursor's last move
GAP_MARGIN = timedelta(hours=1)
LEFT_ALONE = frozenset({"SPAM", "TRASH", "DRAFT", "CHAT"})


@dataclass(frozen=True, slots=True)
class Begin:
    """Start reading this account: ask for its present history id first."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Read the history from here."""

    history_id: str


@dataclass(frozen=True, slots=True)
class List:
    """Publish everything that this search finds, oldest first."""

    query: str
    target: str


Next = Begin | Follow | List


def next_step(address: Address, cursor: GmailCursor | None) -> Next:
    """What to do with this account now.

    A cursor from before a reconnection still counts: mail is not read twice. One that an address left behind which was
    deleted since does not: what came until it was connected again was nobody's to read.
    """
    begun_at = address.gmail.begun_at if address.gmail is not None else None
    if cursor is None or cursor.begun_at != begun_at:
        return Begin()
    if cursor.listing_query is not None and cursor.listing_target is not None:
        return List(cursor.listing_query, cursor.listing_target)
    if cursor.history_id is None:
        return Begin()
    return Follow(cursor.history_id)


def begun(address: Address, present: str, now: datetime) -> GmailCursor:
    """The first cursor: from the moment of connecting on, or as far back as was asked for."""
    gmail = address.gmail
    since = gmail.import_since if gmail is not None else None
    start = (gmail.start_history_id if gmail is not None else None) or present
    cursor = GmailCursor(
        address_id=address.id,
        portal_id=address.portal_id,
        history_id=start,
        epoch=gmail.secret_revision if gmail is not None else 1,
        updated_at=now,
        begun_at=gmail.begun_at if gmail is not None else None,
    )
    if since is None:
        return cursor
    return cursor.model_copy(update={"listing_query": after(since), "listing_target": start})


def expired(cursor: GmailCursor, present: str) -> GmailCursor:
    """Gmail has forgotten the history id: list what came since the cursor moved last."""
    return cursor.model_copy(
        update={
            "listing_query": after(cursor.updated_at - GAP_MARGIN),
            "listing_target": present,
            "done": 0,
        }
    )


def followed(cursor: GmailCursor, history_id: str, asked_at: datetime) -> GmailCursor:
    """Everything up to `history_id` is published. `asked_at`: when Gmail was asked; what came later may be unpublished
    however long the publishing took, so a gap is counted from then."""
    return cursor.model_copy(update={"history_id": history_id, "updated_at": asked_at})


def is_import(cursor: GmailCursor) -> bool:
    """Whether the listing under way is of mail from before the connection: then following goes on from its start."""
    return cursor.listing_query is not None and cursor.listing_target == cursor.history_id


def listed_some(cursor: GmailCursor, published: int, newest_ms: int) -> GmailCursor:
    """Part of a listing is published, oldest first: after a restart it goes on from the newest of them."""
    query = f"after:{newest_ms // 1000 - 1}" if newest_ms else cursor.listing_query
    return cursor.model_copy(update={"listing_query": query, "done": cursor.done + published})


def listed(cursor: GmailCursor, now: datetime) -> GmailCursor:
    """The listing is done: follow the history from where it was when the listing began."""
    return cursor.model_copy(
        update={
            "history_id": cursor.listing_target,
            "listing_query": None,
            "listing_target": None,
            "done": 0,
            "updated_at": now,
        }
    )


def after(moment: datetime) -> str:
    """Gmail's search for mail from then on (seconds since 1970 are exact, dates would be Pacific Time)."""
    return f"after:{int(moment.timestamp())}"


def wanted(label_ids: Iterable[str], chosen: Iterable[str]) -> bool:
    """Whether a message is read: in one of the chosen labels, or sent by the account itself."""
    labels = set(label_ids)
    return not labels & LEFT_ALONE and bool(labels & {*chosen, "SENT"})


def worth_fetching(arrivals: Iterable[Arrival], chosen: Sequence[str]) -> list[Arrival]:
    """Of what the history tells, what is fetched. It may tell old labels: `wanted` decides again on what is fetched."""
    return [a for a in arrivals if wanted(a.label_ids, chosen)]


def since_of(address: Address) -> datetime | None:
    """Older mail is not taken in when somebody only moves it (back) into a label that is read."""
    gmail = address.gmail
    return None if gmail is None else gmail.import_since or gmail.connected_at


def is_sent(label_ids: Iterable[str]) -> bool:
    """Whether the account itself wrote it. Mail to oneself lies in the inbox too and is taken as incoming."""
    labels = set(label_ids)
    return "SENT" in labels and "INBOX" not in labels


def got_at(internal_ms: int, now: datetime) -> datetime:
    """When Gmail got a message (milliseconds since 1970; 0 is unknown); never later than now."""
    try:
        return min(datetime.fromtimestamp(internal_ms / 1000, UTC), now) if internal_ms > 0 else now
    except (OverflowError, ValueError, OSError):
        return now


def pause_s(idle_rounds: int, poll_s: float, idle_poll_s: float) -> float:
    """Seconds until the next look: as short as configured while mail comes, longer the longer none does."""
    return min(poll_s * (1.5 ** max(0, idle_rounds - 12)), max(poll_s, idle_poll_s))


def backoff_s(failures: int, jitter: float, asked_s: float | None = None) -> float:
    """Truncated exponential back-off as Google asks for; `jitter` in [0, 1), `asked_s` from Retry-After."""
    return max(min(2.0 ** min(failures, 6), 64.0) * (0.5 + jitter / 2), asked_s or 0.0)
