"""A person is taken out of records that other people's tickets are made of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.forgotten import ADDRESS, TEXT, Forgotten, digest_of

PAT = Forgotten("p1", digest_of("p1", "pat@c.example"))
PERSON = {"email": "Pat@C.example", "name": "Pat Doe"}
OTHER = {"email": "kim@c.example", "name": "Kim"}
GONE = {"email": ADDRESS, "name": ""}


def message(**more: Any) -> dict[str, Any]:
    return {"id": "m1", "direction": "in", "kind": "mail", "from": OTHER, "text": "Hello", "subject": "Order"} | more


def test_the_persons_own_message_has_no_content_and_keeps_its_place() -> None:
    own = message(
        **{"from": PERSON}, html="<p>Blue</p>", raw={"key": "k", "size": 1}, attachments=[{"filename": "pat.pdf"}]
    )
    assert PAT.wrote(own)
    left = PAT.without(own)
    assert left == {"id": "m1", "direction": "in", "kind": "mail", "from": GONE, "text": TEXT, "subject": ""}


def test_of_others_messages_only_what_names_the_person_goes() -> None:
    left = PAT.without(
        message(cc=[PERSON, OTHER], raw={"key": "k", "size": 1}, text="Ask pat@c.example, not xpat@c.example.")
    )
    assert left == message(cc=[GONE, OTHER], text=f"Ask {ADDRESS}, not xpat@c.example.")
    reported = {"recipients": [{"recipient": "pat@c.example", "reason": "550 <pat@c.example>: no"}]}
    assert PAT.without(reported) == {"recipients": [{"recipient": ADDRESS, "reason": f"550 <{ADDRESS}>: no"}]}


def test_nobody_is_written_to_in_the_persons_place() -> None:
    state = {
        "participants": ["kim@c.example", "pat@c.example"], "answer_to": PERSON,
        "answers": {"reply": {"to": [PERSON], "cc": []}, "reply_all": {"to": [OTHER], "cc": [PERSON]}},
        "orders": [{"from": {"email": "us@a.example"}, "to": [OTHER, PERSON], "quote": {"from": PERSON, "text": "Blue"}}],
    }  # fmt: skip
    left = PAT.without(state)
    assert ADDRESS not in json.dumps(left)
    assert left["participants"] == ["kim@c.example"]
    assert (left["answer_to"], left["answers"]["reply"]["to"]) == (None, [])
    assert left["orders"][0]["to"] == [OTHER]
    assert left["orders"][0]["quote"]["text"] == TEXT


def test_a_name_without_an_address_may_be_the_persons() -> None:
    event = {"actor": {"kind": "customer", "name": "Pat Doe"}, "message": message(**{"from": PERSON})}
    assert "Pat" not in json.dumps(PAT.without(event))
    agent = {"actor": {"kind": "agent", "name": "Ana"}}
    assert PAT.without(agent) is agent


@pytest.mark.parametrize("email", ["xpat@c.example", "pat@c.example.org", "pat@d.example", "kim@c.example"])
def test_others_are_left_alone(email: str) -> None:
    value = message(**{"from": {"email": email, "name": "Pat Doe"}}, text=f"Write to {email}")
    assert PAT.without(value) is value
    assert Forgotten("p2", digest_of("p1", "pat@c.example")).without(message(cc=[PERSON])) == message(cc=[PERSON])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\u8bf7\u8054\u7cfbpat@c.example\u8c22\u8c22", f"\u8bf7\u8054\u7cfb{ADDRESS}\u8c22\u8c22"),
        ("\u304a\u554f\u3044\u5408\u308f\u305b\u306fPat@C.Example\u307e\u3067\u3002", f"\u304a\u554f\u3044\u5408\u308f\u305b\u306f{ADDRESS}\u307e\u3067\u3002"),
        ("pat@c.example\ub85c \ubcf4\ub0b4\uc138\uc694", f"{ADDRESS}\ub85c \ubcf4\ub0b4\uc138\uc694"),
        ("\u0e15\u0e34\u0e14\u0e15\u0e48\u0e2dpat@c.example\u0e44\u0e14\u0e49", f"\u0e15\u0e34\u0e14\u0e15\u0e48\u0e2d{ADDRESS}\u0e44\u0e14\u0e49"),
    ],
    ids=["Chinese", "Japanese", "Korean", "Thai"],
)  # fmt: skip
def test_an_address_is_found_between_words_that_no_space_parts_from_it(text: str, left: str) -> None:
    assert PAT.without(text) == left
    whole = Forgotten("p1", digest_of("p1", "\u8bf7\u8054\u7cfbpat@c.example"))
    assert whole.without("An \u8bf7\u8054\u7cfbpat@c.example bitte") == f"An {ADDRESS} bitte", (
        "it may be all of it, too"
    )


@pytest.mark.parametrize(
    "text", ["sp\u00e4pat@c.example", "\u8bf7xpat@c.example", "pat@c.example.\u4e2d\u56fd", "\u043dpat@c.example"]
)
def test_letters_of_scripts_with_spaces_belong_to_the_address(text: str) -> None:
    assert PAT.without(text) is text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["pat@c.example", "to: pat@c.example.", "kim@c.example"]),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["from", "to", "email", "name", "text", "direction", "answers", "orders", "participants", "raw"]), inner
    ),
    max_leaves=30,
)  # fmt: skip


@given(JSON)
def test_afterwards_the_address_is_nowhere_and_doing_it_again_changes_nothing(value: Any) -> None:
    before = json.dumps(value)
    left = PAT.without(value)
    assert "pat@c.example" not in json.dumps(left).lower()
    assert PAT.without(left) is left
    assert json.dumps(value) == before, "what was given is as it was"
