"""What copies of the console say to each other fits into PostgreSQL's notifications, and nothing of it is lost."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.storage.notifications import LARGEST, payloads


@given(st.lists(st.tuples(st.text(max_size=200), st.text(max_size=200), st.integers()), max_size=300))
def test_every_item_is_said_in_order_in_pieces_that_postgresql_takes(items: list[tuple[str, str, int]]) -> None:
    said = list(payloads("me", "kind", items))
    assert all(len(piece.encode()) <= LARGEST for piece in said)
    read = [json.loads(piece) for piece in said]
    assert all(piece[:2] == ["me", "kind"] for piece in read)
    assert [tuple(item) for piece in read for item in piece[2]] == items
    assert all(piece[2] for piece in read) or not items


def test_what_is_too_long_to_be_said_costs_no_other() -> None:
    assert [json.loads(one)[2] for one in payloads("me", "kind", [("a",), ("b" * 9000,), ("c",)])] == [[["a"], ["c"]]]
