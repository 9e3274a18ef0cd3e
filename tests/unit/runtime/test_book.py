"""The book of the configuration: what it answers does not depend on the order in which rows of different keys came."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Address, Agent, Forwarder, Message, Portal, Queue
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


QUESTIONS = sorted(
    name for name, member in vars(Book).items() if inspect.isfunction(member) and name[0] != "_" and name != "apply"
)
ASKED = {
    "address_id": "smtp", "agent_id": "ana", "domain": "x.example", "email": "s@x.example", "internal_id": "in",
    "portal_id": "p1", "queue_id": "q1", "topic": "agents",
}  # fmt: skip


def company(others: int) -> Book:
    """A small portal beside one with so many addresses, queues and agents."""
    rows: list[Row] = [
        portal("p1", 0, "x.example"), ("queues", "q1", Queue(id="q1", portal_id="p1", name="Support", agent_ids=["bob"])),
        *(("agents", name, Agent(id=name, portal_id="p1", name=name, email=f"{name}@x.example", queue_ids=["q1"][:name == "ana"]))
          for name in ("ana", "bob")),
        address("in", 0, "in@x.example", kind="internal"),
        address("smtp", 0, "s@x.example", forwards_to="in", forwarders=[Forwarder(kind="list", value="s@x.example")]),
        portal("p2", 0, "y.example"),
    ]  # fmt: skip
    for n in range(others):
        rows += [
            ("queues", f"o{n}", Queue(id=f"o{n}", portal_id="p2", name=str(n))),
            ("agents", f"a{n}", Agent(id=f"a{n}", portal_id="p2", name="x", email=f"{n}@y.example", queue_ids=[f"o{n}"])),
            address(f"s{n}", 0, f"{n}@y.example", portal_id="p2", queue_id=f"o{n}", forwards_to=f"i{n}"),
        ]  # fmt: skip
    return filled(*rows)


def lines_of(call: Callable[[], object]) -> int:
    """How many lines of Python it runs, each turn of a loop or of a comprehension counted."""
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal counted
        counted += 1
        return count

    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(None)
    return counted


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_answer_costs_more_where_others_have_much(question: str) -> None:
    few, many = company(3), company(300)
    asked = {name: ASKED[name] for name in inspect.signature(getattr(few, question)).parameters}
    answers = [getattr(book, question)(**asked) for book in (few, many)]
    if question != "count":
        assert answers[0] == answers[1]
        assert answers[0], "what is asked for is there"
    costs = [lines_of(lambda book=book: getattr(book, question)(**asked)) for book in (few, many)]  # type: ignore[misc]
    assert costs[0] == costs[1] > 0


IDS = st.sampled_from(["1", "2", "3"])
ROWS = st.one_of(
    st.builds(lambda i, p, q, on: ("agents", i, Agent(id=i, portal_id=p, name=i, email=f"{i}@x.example", queue_ids=q, active=on)),
              IDS, IDS, st.lists(IDS, unique=True), st.booleans()),
    st.builds(lambda i, p, a: ("queues", i, Queue(id=i, portal_id=p, name=i, agent_ids=a)), IDS, IDS, st.lists(IDS, unique=True)),
    st.builds(lambda i, p, q, k, on: address(i, 0, f"{i}@x.example", portal_id=p, queue_id=q, kind=k, active=on),
              IDS, IDS, IDS, st.sampled_from(["internal", "gmail", "smtp"]), st.booleans()),
    st.builds(lambda table, i: (table, i, None), st.sampled_from(["agents", "queues", "addresses"]), IDS),
)  # fmt: skip


@given(st.lists(ROWS, max_size=20))
def test_what_belongs_to_a_queue_and_a_portal_follows_every_change(rows: list[Row]) -> None:
    book = filled(*rows)
    addresses, agents = book.addresses.values(), book.agents.values()
    for p in ("1", "2", "3"):
        assert {a.id for a in book.addresses_of(p)} == {a.id for a in addresses if a.portal_id == p}
        assert {q.id for q in book.queues_of(p)} == {q.id for q in book.queues.values() if q.portal_id == p}
        for q in ("1", "2", "3"):
            named = queue.agent_ids if (queue := book.queue(q, p)) else []
            there = {a.id for a in agents if a.portal_id == p and a.active and (q in a.queue_ids or a.id in named)}
            assert book.agents_of(q, p) == sorted(there)
            send = {
                a.id for a in addresses if a.portal_id == p and a.queue_id == q and a.active and a.kind != "internal"
            }
            assert {a.id for a in book.senders_of(q, p)} == send
