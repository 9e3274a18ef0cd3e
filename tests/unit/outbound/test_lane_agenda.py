"""The order of sending: oldest first, one of a ticket at a time, nothing lost and nothing taken twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import LaneEntry, OutboundMail
from mailroom_outbound.agenda import Agenda
from mailroom_outbound.lane import queued

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def entry(number: int, ticket: str | None = None, **changes: Any) -> LaneEntry:
    order = OutboundMail(
        id=f"o{number}",
        portal_id="p1",
        ticket_id=ticket or f"t{number}",
        address_id="ad1",
        kind="reply",
        created_at=NOW,
    )
    return queued(order, NOW + timedelta(milliseconds=number)).model_copy(update=changes)


def taken(agenda: Agenda, now: datetime = NOW + timedelta(seconds=1)) -> str | None:
    found = agenda.take(now)
    return found.outbound_id if found else None


def test_oldest_first_whatever_the_order_of_coming() -> None:
    agenda = Agenda()
    for number in (3, 1, 2):
        agenda.put(entry(number))
    assert [taken(agenda), taken(agenda), taken(agenda), taken(agenda)] == ["o1", "o2", "o3", None]


def test_one_of_a_ticket_at_a_time() -> None:
    agenda = Agenda()
    for number in (1, 2, 3):
        agenda.put(entry(number, ticket="t" if number < 3 else None))
    assert [taken(agenda), taken(agenda), taken(agenda)] == ["o1", "o3", None]
    agenda.drop("o1")
    assert taken(agenda) == "o2"


def test_later_is_later_and_then_keeps_its_place() -> None:
    agenda = Agenda()
    agenda.put(entry(1, next_at=NOW + timedelta(minutes=1)))
    agenda.put(entry(2))
    assert agenda.next_at(NOW) == NOW
    assert taken(agenda, NOW) == "o2"
    assert taken(agenda, NOW) is None
    assert agenda.next_at(NOW) == NOW + timedelta(minutes=1)
    agenda.put(entry(3))
    assert taken(agenda, NOW + timedelta(minutes=2)) == "o1"


def test_a_change_of_time_counts() -> None:
    agenda = Agenda()
    agenda.put(entry(1))
    agenda.put(entry(1, next_at=NOW + timedelta(hours=1)))
    assert taken(agenda) is None
    agenda.put(entry(1))
    assert [taken(agenda), taken(agenda)] == ["o1", None]


@given(st.lists(st.tuples(st.sampled_from(["put", "later", "take", "back", "drop"]), st.integers(0, 6)), max_size=80))
def test_whatever_happens_nothing_is_lost_or_taken_twice(steps: list[tuple[str, int]]) -> None:
    agenda = Agenda()
    now = NOW + timedelta(seconds=1)
    held: set[str] = set()
    alive: set[str] = set()
    for what, number in steps:
        key = f"o{number}"
        if what in ("put", "later") and key not in held:
            agenda.put(entry(number, ticket=f"t{number % 3}", **({"next_at": now} if what == "later" else {})))
            alive.add(key)
        elif what == "take":
            found = taken(agenda, now)
            if found is not None:
                assert found not in held
                assert f"t{int(found[1:]) % 3}" not in {f"t{int(h[1:]) % 3}" for h in held}
                held.add(found)
        elif what == "back" and key in held:
            held.discard(key)
            agenda.give_back(key)
            agenda.put(agenda.entries[key])
        elif what == "drop" and key in alive:
            agenda.drop(key)
            held.discard(key)
            alive.discard(key)
    for key in list(held):
        agenda.drop(key)
        alive.discard(key)
    rest = set()
    while (found := taken(agenda, now)) is not None:
        rest.add(found)
        agenda.drop(found)
    assert rest == alive
