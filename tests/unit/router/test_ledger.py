"""When the auditor says that an input was passed over, and when it must not."""

from __future__ import annotations

from mailroom_router.audit.ledger import Ledger, Look

IN, CMD, MID, OUT = "email.received", "ticket.commands", "email.routed", "ticket.events"


def look(place: int, tickets: int, routed_end: int, event_end: int, event_position: int, commands: int = 0) -> Look:
    return Look(
        committed={(IN, 0): place, (MID, 0): tickets, (CMD, 0): commands},
        routed_ends={(MID, 0): routed_end},
        event_ends={(OUT, 0): event_end},
        event_positions={(OUT, 0): event_position},
    )


def ledger(remembered: int = 1000) -> Ledger:
    return Ledger(after_s=30, remembered=remembered, received=IN)


def test_a_mail_is_passed_over_only_when_both_steps_and_the_auditor_are_beyond_it() -> None:
    book = ledger()
    book.input("a", IN, 0, 5, now=0)
    assert book.overdue(look(5, 0, 0, 0, 0), 40) == [], "the first step has not come to it"
    assert book.overdue(look(6, 9, 10, 0, 0), 41) == [], "remembers what was routed by then"
    assert book.overdue(look(6, 9, 12, 0, 0), 42) == [], "the second step has not done all of that"
    assert book.overdue(look(6, 10, 12, 50, 0), 43) == [], "remembers what was written by then"
    assert book.overdue(look(6, 10, 12, 60, 49), 44) == [], "the auditor has not read all of that"
    assert [i for i, _ in book.overdue(look(6, 10, 12, 70, 50), 45)] == ["a"]
    assert book.overdue(look(6, 10, 12, 70, 70), 46) == [], "not named again at once"


def test_a_command_takes_one_step() -> None:
    book = ledger()
    book.input("c", CMD, 0, 5, now=0)
    book.overdue(look(0, 0, 0, 7, 0, commands=6), 40)
    assert [i for i, _ in book.overdue(look(0, 0, 0, 7, 7, commands=6), 41)] == ["c"]


def test_young_inputs_and_those_with_an_outcome_are_left_alone_whichever_is_read_first() -> None:
    book = ledger()
    book.outcome("early")
    book.input("early", CMD, 0, 1, now=0)
    book.input("late", CMD, 0, 2, now=0)
    book.outcome("late")
    book.input("young", CMD, 0, 3, now=20)
    assert list(book.pending) == ["young"]
    for now in (41, 42):
        assert book.overdue(look(0, 0, 0, 0, 0, commands=9), now) == []


def test_what_is_put_back_begins_anew_at_its_new_place() -> None:
    book = ledger()
    book.input("c", CMD, 0, 5, now=0)
    book.overdue(look(0, 0, 0, 0, 0, commands=6), 40)
    book.input("c", CMD, 0, 8, now=41)
    assert book.keep_from() == {(CMD, 0): 8}
    assert book.overdue(look(0, 0, 0, 0, 0, commands=9), 50) == []


def test_memory_is_bounded_and_a_restart_begins_at_the_oldest_pending() -> None:
    book = ledger(remembered=3)
    for number in range(3):
        assert not book.full
        book.input(str(number), CMD, 0, 10 + number, now=number)
    assert book.full
    for number in range(100):
        book.outcome(f"x{number}")
    assert len(book._outcomes) == 3
    assert book.keep_from() == {(CMD, 0): 10}
    assert book.oldest(99) == 0
    book.give_up("0")
    assert book.keep_from() == {(CMD, 0): 11}
    assert book.oldest(99) == 1
