"""Lists and forwarders that an administrator names: what is taken, what is not, and what was learned stays."""

from __future__ import annotations

from typing import Any

import pytest
from mailroom_console.addresses.forwarders import as_lines, from_lines, given, merged, named_of
from mailroom_console.problems import Problem
from mailroom_contracts import Forwarder

LEARNED = {"kind": "arc", "value": "lists.example", "seen_at": "2026-11-24T09:05:00Z"}


def test_lines_there_and_back() -> None:
    text = "Users@Lists.example\nlists.example\n192.0.2.7/24\n2001:db8::/48"
    named = given(from_lines(text), [LEARNED])
    assert [(one["kind"], one["value"]) for one in named] == [
        ("list", "users@lists.example"), ("spf_domain", "lists.example"), ("arc", "lists.example"), ("dkim", "lists.example"),
        ("network", "192.0.2.0/24"), ("network", "2001:db8::/48"),
    ]  # fmt: skip
    assert named[2] == LEARNED, "what was learned of one that stays is kept"
    assert as_lines(named) == "users@lists.example\nlists.example\n192.0.2.0/24\n2001:db8::/48"
    assert given(from_lines(as_lines(named)), named) == named
    assert LEARNED not in named_of(named)


@pytest.mark.parametrize(
    "one",
    [{"kind": "list", "value": "nonsense"}, {"kind": "list", "value": "a@b@c"}, {"kind": "network", "value": "0.0.0.0/0"},
     {"kind": "network", "value": "::/0"}, {"kind": "network", "value": "x"}, {"kind": "arc", "value": "no domain"},
     {"kind": "odd", "value": "x.example"}, {"kind": "list", "value": "x@y.example\r\nz"}, {}],
)  # fmt: skip
def test_what_cannot_be_is_told_at_its_field(one: dict[str, Any]) -> None:
    with pytest.raises(Problem) as told:
        given([one], [])
    assert told.value.more["field"] == "forwarders"


def test_what_is_learned_pushes_nothing_out_that_was_named() -> None:
    named = given([{"kind": "list", "value": "users@lists.example"}], [])
    for number in range(50):
        named = merged(named, [Forwarder(kind="arc", value=f"s{number}.example", seen_at="2026-11-24T09:05:00Z")])
    assert named[0] == {"kind": "list", "value": "users@lists.example"}
    assert len(named) == 21
    assert named[-1]["value"] == "s49.example"
