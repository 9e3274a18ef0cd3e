"""What to read next of an inbox, and what of it to take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mailroom_contracts import Address, GmailAccount, GmailCursor
from mailroom_gmail import Arrival
from mailroom_ingest_gmail import plan
from mailroom_ingest_gmail.push import emails_in, next_renewal
from mailroom_ingest_gmail.quota import Bucket

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def address(**gmail: Any) -> Address:
    return Address(id="ad1", portal_id="p1", kind="gmail", email="shop@gmail.example", gmail=GmailAccount(**gmail))


def cursor(**fields: Any) -> GmailCursor:
    return GmailCursor(address_id="ad1", portal_id="p1", updated_at=NOW, **{"history_id": "100", **fields})


def test_reading_starts_at_connecting_however_late_the_first_look_is() -> None:
    assert plan.next_step(address(), None) == plan.Begin()
    begun = plan.begun(address(start_history_id="90"), "100", NOW)
    assert plan.next_step(address(), begun) == plan.Follow("90")
    assert plan.next_step(address(), plan.begun(address(), "100", NOW)) == plan.Follow("100")


def test_older_mail_is_listed_first_and_then_followed_from_connecting() -> None:
    since = NOW - timedelta(days=7)
    begun = plan.begun(address(start_history_id="90", import_since=since), "100", NOW)
    assert plan.next_step(address(), begun) == plan.List(f"after:{int(since.timestamp())}", "90")
    done = plan.listed(begun, NOW)
    assert plan.next_step(address(), done) == plan.Follow("90")


def test_a_listing_goes_on_where_it_was_and_counts_on() -> None:
    begun = plan.begun(address(import_since=NOW - timedelta(days=7)), "100", NOW)
    some = plan.listed_some(begun, 50, 1_700_000_000_999)
    doing = plan.next_step(address(), some)
    assert doing == plan.List("after:1699999999", "100"), "a second earlier: Gmail counts in whole seconds"
    assert some.done == 50
    all_gone = plan.listed_some(some, 50, 0)
    assert (all_gone.listing_query, all_gone.done) == (some.listing_query, 100)


def test_forgotten_history_is_listed_from_before_the_last_move() -> None:
    doing = plan.next_step(address(), plan.expired(cursor(), "500"))
    assert doing == plan.List(f"after:{int((NOW - timedelta(hours=1)).timestamp())}", "500")


def test_what_came_while_publishing_is_within_the_gap() -> None:
    """A cursor that moved at noon after an hour of publishing knows nothing of mail that came in that hour."""
    moved = plan.followed(cursor(), "200", asked_at=NOW - timedelta(hours=1))
    assert plan.expired(moved, "500").listing_query == f"after:{int((NOW - timedelta(hours=2)).timestamp())}"


def test_an_address_that_was_deleted_and_connected_again_begins_at_connecting() -> None:
    again = address(begun_at=NOW, connected_at=NOW, start_history_id="900")
    left_behind = cursor()
    assert plan.next_step(again, left_behind) == plan.Begin()
    begun = plan.begun(again, "901", NOW - timedelta(minutes=3))  # whatever the clocks of console and reader say
    assert plan.next_step(again, begun) == plan.Follow("900")
    moved = plan.followed(begun, "950", NOW - timedelta(minutes=2))
    assert plan.next_step(again, moved) == plan.Follow("950")
    # connected again in place: where it was, it goes on
    reconnected = address(begun_at=NOW - timedelta(days=30), connected_at=NOW, secret_revision=2)
    assert plan.next_step(reconnected, cursor(begun_at=reconnected.gmail.begun_at)) == plan.Follow("100")  # type: ignore[union-attr]
    assert plan.next_step(address(connected_at=NOW), left_behind) == plan.Follow("100"), "of an older version"


def test_only_older_mail_is_an_import() -> None:
    older = plan.begun(address(start_history_id="90", import_since=NOW - timedelta(days=365)), "100", NOW)
    assert plan.is_import(older)
    assert plan.is_import(plan.listed_some(older, 50, 1_700_000_000_999))
    assert not plan.is_import(plan.listed(older, NOW))
    assert not plan.is_import(plan.expired(cursor(), "500")), "a gap in the history is filled like any mail"


def test_mail_counts_as_received_when_gmail_got_it() -> None:
    year_ago = NOW - timedelta(days=365)
    assert plan.got_at(int(year_ago.timestamp() * 1000), NOW) == year_ago
    for unknown in (0, -5, 10**20, int((NOW + timedelta(days=1)).timestamp() * 1000)):
        assert plan.got_at(unknown, NOW) == NOW


@pytest.mark.parametrize(
    ("labels", "chosen", "taken"),
    [
        (["INBOX", "UNREAD"], ["INBOX"], True),
        (["SENT"], ["INBOX"], True),
        (["INBOX", "SENT"], ["INBOX"], True),
        (["UNREAD"], ["INBOX"], False),
        (["SPAM"], ["INBOX"], False),
        (["INBOX", "SPAM"], ["INBOX"], False),
        (["INBOX", "TRASH"], ["INBOX"], False),
        (["SENT", "TRASH"], ["INBOX"], False),
        (["DRAFT"], ["INBOX"], False),
        (["CHAT", "SENT"], ["INBOX"], False),
        (["CHAT", "INBOX"], ["INBOX"], False),
        (["INBOX"], ["Label_7"], False),
        (["Label_7"], ["Label_7"], True),
        (["Label_7", "INBOX"], ["INBOX", "Label_7"], True),
    ],
)
def test_labels(labels: list[str], chosen: list[str], taken: bool) -> None:
    assert plan.wanted(labels, chosen) is taken
    arrival = Arrival("m1", tuple(labels), "1")
    assert (plan.worth_fetching([arrival], chosen) == [arrival]) is taken


def test_mail_to_oneself_comes_in() -> None:
    assert plan.is_sent(["SENT"])
    assert not plan.is_sent(["SENT", "INBOX"])


def test_a_busy_inbox_is_looked_at_often_and_an_idle_one_less() -> None:
    pauses = [plan.pause_s(idle, 5, 30) for idle in range(40)]
    assert pauses[0] == pauses[12] == 5
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30
    assert plan.pause_s(1000, 5, 1) == 5, "never shorter than the poll"


def test_back_off_doubles_to_a_limit_with_jitter_and_heeds_what_was_asked() -> None:
    assert [plan.backoff_s(n, 0.999) for n in (1, 2, 3)] == pytest.approx([2, 4, 8], rel=0.01)
    assert plan.backoff_s(1, 0.0) == 1
    assert plan.backoff_s(500, 0.999) <= 64
    assert plan.backoff_s(1, 0.5, 30.0) == 30
    assert plan.backoff_s(6, 0.999, 1.0) > 60


def test_the_bucket_lets_through_what_is_allowed_and_no_more() -> None:
    bucket = Bucket(100, now=0.0)
    assert bucket.take(100, 0.0) == 0
    assert bucket.take(50, 0.0) == pytest.approx(0.5)
    assert bucket.take(50, 1.0) == 0
    at, spent = 1.0, 0.0
    for _ in range(200):
        at += bucket.take(5, at)
        spent += 5
    assert spent / (at - 1.0) == pytest.approx(100, rel=0.2)


def test_a_watch_is_renewed_daily_or_well_before_it_ends() -> None:
    week, hour = 7 * 86_400, 3600
    assert next_renewal(0, week * 1000) == 86_400
    assert next_renewal(0, hour * 1000) == hour / 2
    assert next_renewal(0, 0) == 86_400 / 2
    assert next_renewal(1000, 0) > 1000


def test_a_push_that_cannot_be_read_is_acknowledged_and_wakes_nobody() -> None:
    body = b'{"receivedMessages": [{"ackId": "a1", "message": {"data": "!!"}}, {"ackId": "a2", "message": {}}]}'
    assert emails_in(body) == ([], ["a1", "a2"])
    assert emails_in(b"") == ([], [])
