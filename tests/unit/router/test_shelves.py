"""Where a ticket lies: tags, put aside for a while, blocked senders and spam."""

from __future__ import annotations

import pytest
from mailroom_contracts import (
    MessageAdded,
    SetSpam,
    SetTags,
    Snooze,
    TicketCreated,
    Wake,
    Woken,
)
from mailroom_contracts.config import Portal
from mailroom_router.shelves import is_blocked
from mailroom_router.ticket import Context, decide, finish
from mailroom_router.waiting import WaitingList
from mailroom_runtime.book import Book
from support.router_desk import NOW, RING, after, book, command, routed, run, ticket, types
from support.router_world import mail


def test_tags_are_set_added_and_removed_without_case() -> None:
    state = run(ticket(), command(SetTags, ticket(), tags=[" Refund ", "vip", "refund", "a,b"])).state
    assert state is not None
    assert state.tags == ["Refund", "vip", "a b"]
    state = run(state, command(SetTags, state, "2", add=["VIP", "new"], remove=["REFUND"])).state
    assert state is not None
    assert state.tags == ["vip", "a b", "new"]
    assert types(run(state, command(SetTags, state, "3", add=["New"]))) == ["input_ignored"]
    assert types(run(state, command(SetTags, state, "4", add=[str(n) for n in range(60)]))) == ["command_refused"]


def test_a_snoozed_ticket_comes_back_in_time_or_when_the_customer_writes() -> None:
    state = run(ticket(), command(Snooze, ticket(), until=after(1))).state
    assert state is not None
    assert state.snoozed_until == after(1)
    waiting = WaitingList()
    waiting.note(state, state.id)
    assert waiting.awake(after(0.5), 0) == []
    (wake,) = waiting.awake(after(1.1), 0)
    assert waiting.awake(after(1.1), 1) == [], "asked once"
    assert waiting.awake(after(1.1), 100) == [wake.model_copy(update={"at": after(1.1)})], "and again when it was lost"
    woken = run(state, wake, at=after(1.1))
    assert [e.reason for e in woken.events if isinstance(e, Woken)] == ["time"]
    waiting.note(woken.state, state.id)
    assert waiting.awake(after(2), 500) == []
    wrote = run(state, routed(mail(2, at=NOW), ticket=state.id, reason="signed_id"))
    assert types(wrote) == ["message_added", "woken"]
    assert types(run(state, Wake(**{**wake.model_dump(), "id": "x"}), at=after(0.2))) == ["input_ignored"], (
        "put aside anew"
    )
    assert types(run(ticket(), command(Snooze, ticket(), "2", until=after(-1)))) == ["command_refused"]


def blocking(*entries: str) -> Book:
    ours = book()
    ours.apply("portals", "p1", Portal(id="p1", name="Acme", domains=["acme.example"], blocked=list(entries)))
    return ours


@pytest.mark.parametrize("entry", ["jo@customer.example", "customer.example", "example"])
def test_mail_of_a_blocked_sender_is_spam_waits_for_nobody_and_opens_nothing(entry: str) -> None:
    context = Context(blocking(entry), RING, NOW)
    draft = decide(None, routed(mail(1, at=NOW)), context)
    assert draft.wanted is None
    created, added = finish(draft).events
    assert isinstance(created, TicketCreated)
    assert created.spam
    assert isinstance(added, MessageAdded)
    assert added.message.spam
    closed = ticket().model_copy(update={"status": "closed"})
    more = finish(decide(closed, routed(mail(2, at=NOW), ticket=closed.id, reason="signed_id"), context))
    assert types(more) == ["message_added"]


def test_a_block_is_for_whole_names() -> None:
    assert is_blocked("Jo@Mail.Spam.example", ["spam.example"])
    assert not is_blocked("jo@notspam.example", ["spam.example"])
    assert not is_blocked("jo@spam.example", ["o@spam.example"])
    assert not is_blocked("", ["spam.example"])


def test_not_spam_gives_the_ticket_to_the_queue() -> None:
    state = run(ticket(), command(SetSpam, ticket(), spam=True)).state
    assert state is not None
    state = state.model_copy(update={"assignee_id": None})
    draft = decide(state, command(SetSpam, state, "2", spam=False), Context(book(), RING, NOW))
    assert draft.wanted is not None
    assert not draft.ticket.spam
