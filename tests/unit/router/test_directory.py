"""Where states lie: what is written is found again, whatever else lies beside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import ids
from mailroom_router.directory import (
    DRAWERS,
    ENTRY_BYTES,
    PARTS,
    Head,
    Lines,
    Spot,
    by_drawer,
    drawer,
    entries,
    entry,
    find,
    mark,
    part,
    spot_of,
    waiting,
)

TICKETS = st.builds(ids.derive, st.text(max_size=3)) | st.text("ab", max_size=3)
OFFSETS = st.integers(0, 2**46 - 1)


@given(st.dictionaries(TICKETS, st.tuples(OFFSETS, st.booleans()), max_size=40), TICKETS)
def test_every_ticket_is_found_with_its_spot_and_no_other(tickets: dict[str, tuple[int, bool]], other: str) -> None:
    data = b"".join(entry(mark(ticket), Spot(*spot)) for ticket, spot in tickets.items())
    for ticket, spot in tickets.items():
        line = find(data, mark(ticket))
        assert line is not None
        assert spot_of(line) == Spot(*spot)
    assert (find(data, mark(other)) is None) == (other not in tickets)
    assert sorted(spot_of(line).offset for line in waiting(data)) == sorted(o for o, w in tickets.values() if w)


def test_a_mark_within_two_others_is_not_taken_for_a_line() -> None:
    one, other = bytes(16), bytes(15) + b"\1"
    data = entry(b"\1" + bytes(15), Spot(0)) + entry(other, Spot(5))
    assert find(data, one) is None
    assert find(data, other) == data[ENTRY_BYTES:]


Written = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), max_size=60)


@given(Written, st.integers(0, 60))
def test_in_whatever_pieces_a_log_is_recorded_the_latest_of_each_ticket_counts(
    log: list[tuple[int, bool, bool]], cut: int
) -> None:
    expected: dict[str, Spot] = {}
    pieces = [b""] * PARTS
    head, lines = Head(), Lines()
    for offset, (number, waits, gone) in enumerate(log):
        ticket = ids.derive("t", str(number))
        lines.note(ticket, offset, waits=waits, gone=gone)
        expected.pop(ticket, None)
        if not gone:
            expected[ticket] = Spot(offset, waits)
        if offset == cut:
            more = lines.take()
            head = head.after(offset + 1, more)
            pieces = [piece + more.get(n, b"") for n, piece in enumerate(pieces)]
    more = lines.take()
    head = head.after(len(log), more)
    pieces = [piece + more.get(n, b"") for n, piece in enumerate(pieces)]
    assert (head.to, head.sizes) == (len(log), tuple(map(len, pieces)))
    kept = {m: line for piece in pieces for m, line in entries(piece).items()}
    assert {m: spot_of(line) for m, line in kept.items()} == {mark(t): spot for t, spot in expected.items()}
    assert all(part(m) == n for n, piece in enumerate(pieces) for m in entries(piece))
    on_disk = by_drawer(kept.values())
    assert all(find(on_disk[drawer(m)], m) == line for m, line in kept.items())
    assert all(0 <= number < DRAWERS for number in on_disk)


@given(st.integers(0, 2**63), st.lists(st.integers(0, 2**31), min_size=PARTS, max_size=PARTS))
def test_a_head_comes_out_as_it_went_in_and_nothing_else_is_one(to: int, sizes: list[int]) -> None:
    head = Head(to, tuple(sizes)).tidy(3, 22)
    assert Head.decoded(head.encoded()) == head
    assert Head.decoded(head.encoded()[:-1]) is None
    assert Head.decoded(b"\xff" + head.encoded()[1:]) is None
    assert Head.decoded(None) is None
    assert 3 not in head.untidy(10)
