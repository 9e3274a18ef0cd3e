"""What answering needs of the read model: places, tags, whom an answer goes to, and history that goes outward only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mailroom_console.pages.tickets import composer
from mailroom_console.pages.tickets.letters import mailboxes
from mailroom_console.read_model.projection import Batch
from mailroom_console.tickets import history
from mailroom_contracts import (
    Actor,
    Answers,
    Merged,
    MessageAdded,
    Person,
    Recipients,
    Snoozed,
    SpamChanged,
    TagsChanged,
    TicketCreated,
    TicketMessage,
    Unmerged,
    Woken,
)

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def common(version: int) -> dict[str, Any]:
    return {"id": f"e{version}", "ticket_id": "t1", "portal_id": "p1", "version": version,
            "at": NOW + timedelta(seconds=version), "causation_id": f"c{version}", "actor": Actor(kind="agent", id="a1")}  # fmt: skip


def begun(**more: Any) -> Batch:
    batch = Batch({}, {})
    batch.apply(TicketCreated(**common(1), number="MR-1", queue_id="q1", address_id="ad1", root="r", receipt_id="c1",
                              customer=Person(email="jo@c.example"), received_at=NOW, **more))  # fmt: skip
    return batch


def test_a_ticket_lies_apart_while_it_is_snoozed_spam_or_merged() -> None:
    batch = begun()
    row = batch.tickets["t1"]
    steps = [
        (Snoozed(**common(2), until=NOW + timedelta(days=1)), "snoozed"), (SpamChanged(**common(3), spam=True), "spam"),
        (SpamChanged(**common(4), spam=False), "snoozed"), (Woken(**common(5)), "open"),
        (Merged(**common(6), into="t2"), "merged"), (Unmerged(**common(7), previous="t2"), "open"),
    ]  # fmt: skip
    for event, place in steps:
        batch.apply(event)
        assert (row["place"], row["status"]) == (place, "open")
    assert begun(spam=True).tickets["t1"]["place"] == "spam"


def test_answers_are_those_of_the_last_mail_that_says_so_and_tags_are_the_last() -> None:
    batch = begun()
    for version, leads in ((2, True), (3, False)):
        answers = Answers(reply=Recipients(to=[Person(email=f"m{version}@c.example")]))
        message = TicketMessage(
            id=f"m{version}", direction="in", kind="mail", at=NOW, answers=answers, sets_answers=leads
        )
        batch.apply(MessageAdded(**common(version), message=message))
    assert batch.tickets["t1"]["answers"]["message_id"] == "m2"
    batch.apply(TagsChanged(**common(4), tags=["Refund"]))
    assert batch.tagged["t1"]["tags"] == ["Refund"]


def test_notes_forwards_and_what_came_of_them_never_go_outward() -> None:
    documents = [
        {"id": "1", "kind": "mail", "text": "hello"}, {"id": "2", "kind": "note", "text": "secret"},
        {"id": "3", "kind": "forward", "text": "to the lab"}, {"id": "4", "kind": "mail", "third_party": True, "text": "lab"},
        {"id": "5", "kind": "reply", "text": "answer\n> hello", "reply_text": "answer"},
        {"id": "6", "kind": "mail", "new_sender": True, "text": "stranger"},
    ]  # fmt: skip
    found = history.quotes(history.outward(documents), whole=False)
    assert [q.text for q in found] == ["answer", "hello"]


def test_history_is_bounded() -> None:
    found = history.quotes([{"id": str(n), "kind": "mail", "text": "x" * 50_000} for n in range(500)], whole=True)
    assert sum(len(q.text) for q in found) <= history.MOST_CHARACTERS


@given(st.lists(st.tuples(st.text(alphabet='Jo "\\,;<>()é', max_size=12), st.sampled_from(["jo@c.example", "x+y@z.example"])),
                max_size=4))  # fmt: skip
def test_what_the_field_shows_is_read_back_as_the_same_mailboxes(people: list[tuple[str, str]]) -> None:
    line = composer.line([{"name": name, "email": email} for name, email in people])
    assert [p["email"] for p in mailboxes(line, "to")] == [email for _, email in people]
