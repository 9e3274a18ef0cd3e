"""Tickets in words: events, senders, warnings, quotes, recipients that were typed."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_console.pages.tickets.letters import mailboxes
from mailroom_console.pages.tickets.ticket_view import (
    delivery,
    event_words,
    shown,
    split_quote,
    timeline,
    verdict_words,
    warnings,
)
from mailroom_console.problems import Problem

AGENTS = {"a1": {"name": "Ana", "email": "ana@acme.example"}, "a2": {"name": "Ben", "email": "ben@acme.example"}}
QUEUES = {"q2": {"name": "Sales"}}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"type": "ticket.assigned", "assignee_id": "a1", "reason": "online"}, "Assigned to Ana, who was online"),
        ({"type": "ticket.assigned", "assignee_id": "a1", "reason": "take"}, "Taken by Ana"),
        ({"type": "ticket.assigned", "assignee_id": "a1", "reason": "agent", "actor": {"kind": "agent", "id": "a2"}},
         "Assigned to Ana by Ben"),
        ({"type": "ticket.unassigned", "reason": "offline"}, "Back to the queue, whose agent was offline"),
        ({"type": "ticket.status_changed", "status": "closed", "reason": "agent", "actor": {"id": "a2"}}, "Closed by Ben"),
        ({"type": "ticket.status_changed", "status": "open", "reason": "customer_replied"},
         "Opened again: the customer answered"),
        ({"type": "ticket.queue_changed", "queue_id": "q2"}, "Moved to Sales"),
        ({"type": "ticket.message_added"}, ""),
        ({"type": "ticket.something_new"}, ""),
    ],
)  # fmt: skip
def test_events(event: dict[str, Any], told: str) -> None:
    assert event_words(event, QUEUES, AGENTS) == told


def _message(**fields: Any) -> dict[str, Any]:
    return {"id": "m1", "direction": "in", "kind": "mail", "from": {"email": "jo@c.example", "name": "Jo"}, "to": [],
            "text": "Hi", "html": None, "reply_text": None, "verdicts": None, "spam": False, "new_sender": False,
            "attachments": [], "raw_url": None, "truncated": False, "at": "2026-11-24T10:00:00Z"} | fields  # fmt: skip


def test_warnings_only_where_they_matter() -> None:
    passed = {"spf": "pass", "dkim": [{"result": "pass", "domain": "c.example"}], "dmarc": "pass"}
    assert warnings(_message(verdicts=passed)) == []
    assert warnings(_message(verdicts={"spf": "none", "dkim": [], "dmarc": "none"})) == []
    assert [w["tone"] for w in warnings(_message(verdicts=passed | {"dmarc": "fail"}))] == ["bad"]
    assert [w["tone"] for w in warnings(_message(verdicts={"spf": "fail", "dkim": [], "dmarc": "none"}))] == ["warn"]
    assert warnings(_message(verdicts={"spf": "forwarded", "dkim": [], "dmarc": "forwarded"})) == []
    assert warnings(_message(new_sender=True))[0]["confirm"] == "jo@c.example"
    assert warnings(_message(direction="out", verdicts={"dmarc": "fail"})) == []


def test_verdicts_in_one_line() -> None:
    verdicts = {"spf": "pass", "dkim": [{"result": "pass", "domain": "c.example"}], "dmarc": "pass"}
    assert verdict_words(verdicts) == "SPF pass, DKIM pass (c.example), DMARC pass"
    assert verdict_words(None) == ""


@pytest.mark.parametrize(
    ("text", "own", "shown", "folded"),
    [
        ("Yes\n\n> old", "Yes", "Yes", "> old"),
        ("Yes", "Yes", "Yes", ""),
        ("Yes", None, "Yes", ""),
        ("> old\n\nYes", "Yes", "Yes", "> old\n\nYes"),
        ("", None, "", ""),
    ],
)
def test_quotes_are_folded(text: str, own: str | None, shown: str, folded: str) -> None:
    assert split_quote(text, own) == (shown, folded)


def test_the_timeline_is_in_order() -> None:
    ticket = {
        "messages": [_message(id="m1", at="2026-11-24T10:00:00Z"), _message(id="m2", at="2026-11-24T12:00:00Z")],
        "history": [{"id": "e1", "type": "ticket.assigned", "assignee_id": "a1", "reason": "online", "version": 3,
                     "at": "2026-11-24T11:00:00Z"}],
    }  # fmt: skip
    entries = timeline(ticket, QUEUES, AGENTS).shown
    assert [(e["message"] or {}).get("id", e.get("id")) for e in entries] == ["m1", "e1", "m2"]


def test_what_an_event_left_out_is_none() -> None:
    told = delivery({"state": "failed", "recipients": [{"recipient": "a@b.example", "state": "sent"}]})
    assert told is not None
    assert told["recipients"] == [{"recipient": "a@b.example", "state": "sent", "reason": None}]
    assert told["next_try_at"] is None
    assert delivery(None) is None
    shown_message = shown(_message(to=[{"email": "a@b.example"}]), AGENTS)
    assert shown_message["to"] == [{"name": "", "email": "a@b.example"}]


def test_typed_recipients() -> None:
    assert mailboxes("", "cc") == []
    assert mailboxes("a@b.example; Jo Miller <jo@c.example>,", "cc") == [
        {"name": "", "email": "a@b.example"}, {"name": "Jo Miller", "email": "jo@c.example"},
    ]  # fmt: skip
    assert mailboxes('"Miller, Jo" <jo@c.example>', "cc") == [{"name": "Miller, Jo", "email": "jo@c.example"}]


@pytest.mark.parametrize(
    "typed", ["nobody", "a@b.example, nobody", "x\x00@b.example", "a@b.example\rBcc: e@e.example", "<>"]
)
def test_what_is_no_recipient_is_refused(typed: str) -> None:
    with pytest.raises(Problem) as refused:
        mailboxes(typed, "cc")
    assert refused.value.status == 422
