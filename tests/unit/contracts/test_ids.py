"""Derived ids."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from mailroom_contracts import ids

texts = st.lists(st.text(), min_size=1, max_size=4)


@given(texts, texts)
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    assume(one != other)
    assert ids.derive(*one) != ids.derive(*other)


@given(st.lists(st.emails(), min_size=1, max_size=4, unique_by=str.lower), st.randoms())
def test_a_receipt_does_not_depend_on_the_order_of_recipients(emails: list[str], random: object) -> None:
    shuffled = sorted(emails, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert ids.receipt_id("i", emails) == ids.receipt_id("i", [e.upper() for e in shuffled])


def test_the_customer_is_compared_without_case() -> None:
    assert ids.ticket_id("p", "q", "root", "Jo@X.example") == ids.ticket_id("p", "q", "root", "jo@x.example")
