"""The book of the configuration: what it answers does not depend on the order in which rows of different keys came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Address, Message, Portal
from mailroom_runtime.book import Book

START = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
Row = tuple[str, str, Message | None]


def portal(portal_id: str, minute: int, *domains: str) -> Row:
    at = START + timedelta(minutes=minute)
    return "portals", portal_id, Portal(id=portal_id, name=portal_id, domains=list(domains), revision=minute + 1,
                                        updated_at=at)  # fmt: skip


def address(address_id: str, minute: int, email: str, **more: object) -> Row:
    row = Address(id=address_id, portal_id="p1", kind="smtp", email=email, queue_id="q1", revision=minute + 1,
                  updated_at=START + timedelta(minutes=minute))  # fmt: skip
    return "addresses", address_id, row.model_copy(update=more)


def filled(*rows: Row) -> Book:
    book = Book()
    for row in rows:
        book.apply(*row)
    return book


def owner(book: Book, domain: str) -> str | None:
    found = book.portal_of_domain(domain)
    return found.id if found else None


def test_a_domain_that_moved_is_the_new_portals_whichever_is_read_first() -> None:
    old = [portal("a", 0, "moved.example", "a.example"), portal("a", 5, "a.example")]
    new = [portal("b", 6, "b.example", "moved.example")]
    for rows in ([*old, *new], [*new, *old], [old[0], *new, old[1]]):
        book = filled(*rows)
        assert owner(book, "MOVED.example") == "b"
        assert owner(book, "a.example") == "a"


def test_of_two_that_claim_a_name_the_later_change_has_it() -> None:
    first, second = portal("a", 0, "x.example"), portal("b", 9, "x.example")
    assert owner(filled(first, second), "x.example") == owner(filled(second, first), "x.example") == "b"
    gone = filled(second, first, ("portals", "b", None))
    assert owner(gone, "x.example") == "a"


def test_an_address_that_was_made_again_is_found_whatever_came_first() -> None:
    old, gone, new = address("ad1", 0, "s@x.example"), ("addresses", "ad1", None), address("ad2", 3, "s@x.example")
    for rows in ([old, gone, new], [new, old, gone], [old, new, gone]):
        found = filled(*rows).by_email("S+tag@x.example")
        assert found is not None
        assert found.id == "ad2"


def test_a_link_follows_the_address() -> None:
    book = filled(
        address("in1", 0, "one@x.example", kind="internal"), address("in2", 0, "two@x.example", kind="internal"),
        address("ad1", 0, "s@x.example", forwards_to="in1"), address("ad1", 1, "s@x.example", forwards_to="in2"),
    )  # fmt: skip
    assert [a.id for a in book.linked("in2")] == ["ad1"]
    assert book.linked("in1") == []


HISTORIES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.one_of(st.none(), st.frozensets(st.sampled_from(["w.example", "x.example", "y.example"]))), max_size=4),
)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_any_interleaving_of_the_keys_gives_the_same_answers(
    histories: dict[str, list[frozenset[str] | None]], random: object
) -> None:
    minute = 0
    by_key: dict[str, list[Row]] = {}
    for key, history in histories.items():
        for domains in history:
            minute += 1
            by_key.setdefault(key, []).append(
                ("portals", key, None) if domains is None else portal(key, minute, *sorted(domains))
            )
    one_by_one = filled(*(row for rows in by_key.values() for row in rows))
    mixed = Book()
    left = {key: list(rows) for key, rows in by_key.items()}
    while any(left.values()):
        key = random.choice(sorted(k for k, rows in left.items() if rows))  # type: ignore[attr-defined]
        mixed.apply(*left[key].pop(0))
    for domain in ("w.example", "x.example", "y.example"):
        assert owner(mixed, domain) == owner(one_by_one, domain)
