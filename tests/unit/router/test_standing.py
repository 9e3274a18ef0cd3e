"""How a message stands with each recipient: outcomes only move on, in whatever order and however often they are told."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Delivery, MessageSummary, RecipientReport
from mailroom_router import standing
from mailroom_router.standing import FINAL, merged, of_message, recipient_meant, short, summed
from support.router_desk import NOW

PEOPLE = ("a@x.example", "b@y.example", "c@z.example")
OUTCOMES = st.builds(
    RecipientReport,
    recipient=st.sampled_from([*PEOPLE, "A@x.example"]),
    state=st.sampled_from(["queued", "deferred", "sent", "failed", "bounced", "refused", "cancelled"]),
    status=st.sampled_from([None, "5.1.1", "4.2.2"]),
    reason=st.sampled_from([None, "no", "yes"]),
    by_report=st.booleans(),
)
START = [RecipientReport(recipient=one, state="queued") for one in PEOPLE]
TOLD = st.lists(OUTCOMES, max_size=8)


@given(TOLD)
def test_nobody_goes_back_from_final_and_nobody_vanishes(told: list[RecipientReport]) -> None:
    now = START
    for one in told:
        before, now = now, merged(now, [one])
        assert [r.recipient for r in now] == list(PEOPLE), "each once, as it was known"
        for old, new in zip(before, now, strict=True):
            if old.state in FINAL:
                assert new.state in FINAL
            if old.state in standing.TROUBLE:
                assert summed(now) in standing.TROUBLE, "a loss is never hidden"


@given(st.lists(OUTCOMES, max_size=4))
def test_what_is_final_does_not_depend_on_the_order(told: list[RecipientReport]) -> None:
    ends = set()
    for order in permutations(told):
        now = START
        for one in order:
            now = merged(now, [one])
        ends.add(tuple((r.state, r.status, r.reason) if r.state in FINAL else (r.state,) for r in now))
    assert len(ends) == 1


@given(TOLD)
def test_telling_again_changes_nothing(told: list[RecipientReport]) -> None:
    now = merged(START, told)
    assert merged(now, now) == now
    assert summed(merged(now, now)) == summed(now)


@given(TOLD)
def test_the_state_keeps_every_recipients_outcome(told: list[RecipientReport]) -> None:
    now = merged(START, told)
    kept = short(Delivery(state=summed(now), recipients=now))
    message = MessageSummary(id="m", direction="out", at=NOW, recipients=list(PEOPLE), delivery=kept)
    assert of_message(message) == now


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        (["sent", "sent"], "sent"),
        (["sent", "bounced"], "bounced"),
        (["deferred", "bounced"], "bounced"),
        (["sent", "failed", "bounced"], "bounced"),
        (["sent", "deferred"], "deferred"),
        (["sent", "+deferred"], "sent"),
        (["+deferred", "bounced"], "bounced"),
        (["queued", "queued"], "queued"),
        (["sent", "cancelled"], "cancelled"),
        (["+sent", "sent"], "sent"),
    ],
)
def test_the_message_is_the_sum(states: list[str], wanted: str) -> None:
    reports = [
        RecipientReport(recipient=who, state=state.lstrip("+"), by_report=state.startswith("+"))
        for who, state in zip(PEOPLE, states, strict=False)
    ]
    assert summed(reports) == wanted


@pytest.mark.parametrize(
    ("reported", "ours", "meant"),
    [
        ("JO@Customer.example", ["jo@customer.example"], "jo@customer.example"),
        ("jo@b\u00fccher.example", ["jo@xn--bcher-kva.example"], "jo@xn--bcher-kva.example"),
        ("eve@else.example", ["jo@customer.example"], None),
        ("jo@other.example", ["jo@customer.example"], None),
        ("jo@internal", ["jo@customer.example"], "jo@customer.example"),
        ("whoever@internal", ["jo@customer.example"], "jo@customer.example"),
        ("", ["jo@customer.example"], "jo@customer.example"),
        ("jo@internal", ["jo@customer.example", "bo@customer.example"], "jo@customer.example"),
        ("whoever@internal", ["jo@customer.example", "bo@customer.example"], None),
        ("", ["jo@customer.example", "bo@customer.example"], None),
        ("jo", ["jo@customer.example", "bo@customer.example"], "jo@customer.example"),
        ("jo@internal", ["jo@customer.example", "jo@else.example"], None),
    ],
)
def test_whom_a_report_means(reported: str, ours: list[str], meant: str | None) -> None:
    assert recipient_meant(reported, ours) == meant
