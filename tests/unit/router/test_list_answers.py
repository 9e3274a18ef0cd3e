"""Who gets the answer to every mail of ../shared/lists, as real list managers wrote them: the person, or nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mailroom_contracts import Forwarder, MessageAdded, Verdicts
from mailroom_router.conversation import Known, clues, route
from mailroom_router.placement import places
from mailroom_router.ticket import Context, decide, finish
from mailroom_runtime.book import Book
from support.arriving import SHARED, arrived
from support.router_desk import NOW, RING
from support.router_world import acme

FOLDER = SHARED / "lists"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"../shared is not here ({SHARED})")
FAILED = Verdicts(spf="pass", spf_domain="lists.example.com", dmarc="fail", dmarc_policy="reject")


def rows() -> list[dict[str, Any]]:
    return [json.loads(one) for one in (FOLDER / "expect.jsonl").read_text().splitlines()] if FOLDER.is_dir() else []


def book(*lists: str) -> Book:
    made = Book()
    for topic, message in acme():
        if message.record_key == "ad1":
            named = [Forwarder(kind="list", value=one) for one in lists]
            message = message.model_copy(update={"forwarders": named})
        made.apply(topic.name, message.record_key, message)
    return made


@pytest.mark.parametrize("how", ["named", "not named", "failing DMARC"])
@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]))
def test_the_answer_goes_to_the_person_and_never_to_a_list(row: dict[str, Any], how: str) -> None:
    received = arrived((FOLDER / row["file"]).read_bytes(), row["return_path"], rcpt="support@acme.example")
    post = received.content.list_post
    made = book(*(post.addresses if post is not None and how == "named" else ()))
    if how == "failing DMARC":
        received = received.model_copy(update={"verdicts": FAILED})
    (one,) = route(
        received, places(received, made), clues(received, RING), Known(), lambda e: made.is_ours(e, "p1")
    )  # fmt: skip
    decision = finish(decide(None, one, Context(made, RING, NOW)))
    added = next((e for e in decision.events if isinstance(e, MessageAdded)), None)
    if added is None:
        assert row["person"] is None
        assert received.content.bounce is not None, "a refusal of some mail of ours, listed with the unmatched ones"
        return
    answers = added.message.answers
    assert answers is not None
    assert [p.email for p in answers.reply.to] == ([row["person"]] if row["person"] else [])
    everybody = {p.email for p in (*answers.reply_all.to, *answers.reply_all.cc)}
    lists = set(post.addresses) if post is not None else set()
    assert everybody.isdisjoint(lists)
    assert not any(made.is_ours(email, "p1") for email in everybody)
    assert everybody <= {row["person"], "bob@other.example"}, (
        "to all: whom the author wrote to as well, and nobody else"
    )
    state = decision.state
    assert state is not None
    assert (state.answer_to.email if state.answer_to is not None else None) == row["person"]
    if row["person"]:
        assert state.customer.email == row["person"]
    else:
        assert added.message.quiet or "writer_unknown" in answers.warnings
