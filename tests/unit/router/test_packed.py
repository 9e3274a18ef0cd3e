"""What the index packs comes out as it went in, and two names do not meet."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import ids
from mailroom_router.packed import (
    BUCKETS,
    TICKET_BUCKETS,
    TicketEntry,
    customer_mark,
    packed,
    place_code,
    split,
    spot,
    ticket_at,
    ticket_spot,
    unpacked,
)

TICKETS = st.builds(ids.derive, st.text(max_size=5)) | st.from_regex(r"[A-Za-z0-9-]{1,40}", fullmatch=True)


@given(TICKETS)
def test_a_ticket_comes_out_as_it_went_in(ticket: str) -> None:
    assert unpacked(packed(ticket)) == ticket
    bucket, field = ticket_spot(ticket)
    assert 0 <= bucket < TICKET_BUCKETS
    assert ticket_at(bucket, field) == packed(ticket)


@given(st.lists(st.builds(ids.derive, st.text(max_size=5)), max_size=3))
def test_three_tickets_lie_one_after_the_other(tickets: list[str]) -> None:
    inline = b"".join(map(packed, tickets))
    assert len(inline) == 16 * len(tickets)
    assert split(inline) == tickets


@given(st.text(max_size=60), st.dates(date(2020, 1, 2), date(2190, 1, 1)) | st.none())
def test_an_entry_comes_out_as_it_went_in(customer: str, closed: date | None) -> None:
    entry = TicketEntry(place_code("p1|q1|ad1"), customer_mark(customer), closed)
    assert len(entry.encoded()) == 13
    assert TicketEntry.decoded(entry.encoded()) == entry


def test_names_of_one_kind_portal_and_word_share_a_spot_and_no_others() -> None:
    names = [(kind, portal, f"{n}@x") for kind in "mngd" for portal in ("p1", "p2") for n in range(5_000)]
    spots = {spot(*name) for name in names}
    assert len(spots) == len(names)
    assert spot("m", "p1", "1@x") == spot("m", "p1", "1@x")
    assert {len(field) for _, field in spots} == {8}
    fullest = max(sum(1 for bucket, _ in spots if bucket >> 10 == part) for part in range(BUCKETS >> 10))
    assert fullest < 2 * len(names) / (BUCKETS >> 10), "evenly"
