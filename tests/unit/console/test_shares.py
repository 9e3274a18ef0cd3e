"""How partitions are shared out among copies of the console."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.storage.shares import shared_out

PARTITIONS = st.frozensets(st.integers(0, 40))
COPIES = st.lists(st.integers(0, 2**31), min_size=1, max_size=9, unique=True)


@given(PARTITIONS, COPIES)
def test_each_partition_has_one_copy_and_the_parts_are_alike(partitions: frozenset[int], copies: list[int]) -> None:
    parts = [shared_out(partitions, copies, own) for own in copies]
    assert sorted(p for part in parts for p in part) == sorted(partitions)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(PARTITIONS, COPIES)
def test_all_come_to_the_same_in_whatever_order_they_hear_of_each_other(
    partitions: frozenset[int], copies: list[int]
) -> None:
    for own in copies:
        assert shared_out(partitions, copies, own) == shared_out(partitions, copies[::-1], own)


def test_who_is_not_among_those_who_live_writes_nothing() -> None:
    assert shared_out(frozenset({0, 1}), [5], 6) == shared_out(frozenset({0, 1}), [], 6) == frozenset()
