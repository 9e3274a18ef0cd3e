"""The steps of one waiting mail: every outcome, age without parked time, cancelling, partial recipients."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import LaneEntry, OutboundMail, Person, RecipientReport
from mailroom_outbound import lane
from mailroom_outbound.courier import Deferred, Delivered, Failed, Hold
from mailroom_outbound.schedule import Policy, lane_delay_s, mail_delay_s

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
POLICY = Policy()
A, B = "a@c.example", "b@c.example"


def waiting(**changes: Any) -> LaneEntry:
    order = OutboundMail(
        id="o1", portal_id="p1", ticket_id="t1", message_id="m1", address_id="ad1", kind="reply", created_at=NOW,
        to=[Person(email=A), Person(email=B)], rfc_message_id="m1@acme.example",
        not_after=changes.pop("not_after", None),
    )  # fmt: skip
    return lane.queued(order, NOW).model_copy(update=changes)


def attempting(**changes: Any) -> LaneEntry:
    return lane.begin(waiting(**changes), NOW)


def later(**span: float) -> datetime:
    return NOW + timedelta(**span)


def test_the_attempt_is_recorded_before_it_is_made() -> None:
    begun = attempting()
    assert (begun.state, begun.attempts, begun.attempt_at) == ("attempting", 1, NOW)


def test_sent() -> None:
    step = lane.conclude(attempting(), Delivered("250 2.0.0 Ok: queued as 4F"), policy=POLICY, now=NOW)
    assert step.entry is None
    assert step.report is not None
    assert (step.report.state, step.report.server_reply) == ("sent", "250 2.0.0 Ok: queued as 4F")
    assert step.report.rfc_message_id == "m1@acme.example"


def test_deferred_waits_longer_each_time_and_says_when() -> None:
    waits = []
    entry = waiting()
    now = NOW
    for _ in range(6):
        entry = lane.begin(entry, now)
        step = lane.conclude(entry, Deferred("451 later"), policy=POLICY, now=now)
        assert step.entry is not None
        assert step.report is not None
        assert step.entry.next_at is not None
        assert step.report.state == "deferred"
        assert step.report.next_try_at == step.entry.next_at
        waits.append((step.entry.next_at - now).total_seconds())
        entry, now = step.entry, step.entry.next_at
    assert all(1.3 < after / before < 3.1 for before, after in itertools.pairwise(waits))
    assert 48 <= waits[0] <= 72


def test_given_up_after_three_days_not_counting_parked_time() -> None:
    entry = attempting()
    early = lane.conclude(entry, Deferred("451"), policy=POLICY, now=later(days=2.9))
    assert early.entry is not None
    late = lane.conclude(entry, Deferred("451 no"), policy=POLICY, now=later(days=3))
    assert late.entry is None
    assert late.report is not None
    assert (late.report.state, late.report.reason) == ("failed", "given up after 3 days. Last: 451 no")
    parked_before = entry.model_copy(update={"parked_s": 5 * 86_400.0})
    assert lane.conclude(parked_before, Deferred("451"), policy=POLICY, now=later(days=7)).entry is not None


def test_a_wrong_password_parks_and_the_clock_stands_still() -> None:
    step = lane.conclude(attempting(), Deferred("535 wrong", Hold.ACCOUNT), policy=POLICY, now=NOW)
    assert step.entry is not None
    assert step.report is not None
    assert (step.entry.state, step.entry.parked_at, step.report.state) == ("parked", NOW, "parked")
    again = lane.park(step.entry, "535 still wrong", later(days=1))
    assert again.entry is not None
    assert again.entry.parked_at == NOW
    begun = lane.begin(again.entry, later(days=5))
    assert begun.parked_s == 5 * 86_400
    assert begun.parked_at is None
    assert lane.conclude(begun, Deferred("451"), policy=POLICY, now=later(days=5)).entry is not None
    released = lane.release(again.entry, later(days=5))
    assert (released.parked_s, released.next_at) == (5 * 86_400, later(days=5))


def test_parked_for_two_weeks_is_the_end() -> None:
    step = lane.park(waiting(), "535 wrong", NOW)
    assert step.entry is not None
    assert lane.expire(step.entry, policy=POLICY, now=later(days=13.9)) is None
    end = lane.expire(step.entry, policy=POLICY, now=later(days=14.1))
    assert end is not None
    assert end.report is not None
    assert end.report.state == "failed"
    assert "535 wrong" in (end.report.reason or "")


def test_never_after_not_after() -> None:
    entry = waiting(not_after=later(hours=1))
    assert lane.expire(entry, policy=POLICY, now=later(minutes=59)) is None
    end = lane.expire(entry, policy=POLICY, now=later(minutes=61))
    assert end is not None
    assert end.report is not None
    assert end.report.state == "failed"
    # and it does not wait in vain for a time that it may not use
    step = lane.conclude(lane.begin(entry, NOW), Deferred("451", retry_after_s=7200), policy=POLICY, now=NOW)
    assert step.entry is None


def test_one_recipient_now_one_later() -> None:
    served = RecipientReport(recipient=A, state="sent")
    outcome = Deferred("450 greylisted", recipients=(served, RecipientReport(recipient=B, state="deferred")))
    step = lane.conclude(attempting(), outcome, policy=POLICY, now=NOW)
    assert step.entry is not None
    assert lane.recipients_left(step.entry, (A, B)) == (B,)
    end = lane.conclude(lane.begin(step.entry, NOW), Delivered("250 ok"), policy=POLICY, now=NOW)
    assert end.report is not None
    assert end.report.state == "sent"


def test_a_recipient_refused_for_good_makes_it_failed_though_others_got_it() -> None:
    refused = RecipientReport(recipient=B, state="failed", status="5.1.1", reason="The server said: 550 no such user")
    step = lane.conclude(attempting(), Delivered("250 ok", recipients=(refused,)), policy=POLICY, now=NOW)
    assert step.entry is None
    assert step.report is not None
    assert step.report.state == "failed"
    assert step.report.server_reply == "250 ok"
    assert f"not delivered to {B}" in (step.report.reason or "")
    # also when the refusal came in an earlier attempt than the rest
    first = Deferred("450 later", recipients=(RecipientReport(recipient=A, state="deferred"), refused))
    between = lane.conclude(attempting(), first, policy=POLICY, now=NOW)
    assert between.entry is not None
    assert lane.recipients_left(between.entry, (A, B)) == (A,)
    end = lane.conclude(lane.begin(between.entry, NOW), Delivered("250 ok"), policy=POLICY, now=NOW)
    assert end.report is not None
    assert end.report.state == "failed"


def test_failed_and_refused() -> None:
    step = lane.conclude(attempting(), Failed("The server said: 552 too big"), policy=POLICY, now=NOW)
    assert step.entry is None
    assert step.report is not None
    assert step.report.state == "failed"
    assert lane.refuse(waiting(), "only receives", NOW).report.state == "refused"  # type: ignore[union-attr]


def test_cancelled_whatever_it_was_doing() -> None:
    assert lane.expire(waiting(cancel=True), policy=POLICY, now=NOW) is not None
    step = lane.conclude(attempting().model_copy(update={"cancel": True}), Deferred("451"), policy=POLICY, now=NOW)
    assert step.entry is None
    assert step.report is not None
    assert step.report.state == "cancelled"
    crashed = lane.cancel(attempting(), NOW)
    assert crashed.report is not None
    assert "may have arrived" in (crashed.report.reason or "")


def test_reports_of_one_attempt_have_one_id() -> None:
    first = lane.conclude(attempting(), Delivered("250 a"), policy=POLICY, now=NOW).report
    second = lane.conclude(attempting(), Delivered("250 b"), policy=POLICY, now=later(seconds=9)).report
    assert first is not None
    assert second is not None
    assert first.ce_id == second.ce_id


@given(st.text(min_size=1, max_size=40), st.integers(1, 5000))
def test_waits_are_derived_and_bounded(outbound_id: str, attempt: int) -> None:
    wait = mail_delay_s(outbound_id, attempt, POLICY)
    assert wait == mail_delay_s(outbound_id, attempt, POLICY)
    assert 0.8 * POLICY.first_s <= wait <= 1.2 * POLICY.longest_s
    assert 0.8 * POLICY.lane_first_s <= lane_delay_s(outbound_id, attempt, POLICY) <= 1.2 * POLICY.lane_longest_s


def test_different_mails_do_not_come_back_at_once() -> None:
    assert len({round(mail_delay_s(f"o{n}", 1, POLICY), 1) for n in range(100)}) > 50
