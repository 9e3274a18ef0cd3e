"""The load's plan and account."""

from __future__ import annotations

from email import message_from_bytes, policy

from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_cli.load.plan import LoadPlan
from mailroom_cli.load.tally import Tally, percentiles

PLAN = LoadPlan(run="r1", rate=50, count=300, size=5000, recipients=["support@acme.example"])


def test_a_plan_is_the_same_twice_and_open_loop() -> None:
    mails = list(PLAN.mails())
    assert mails == list(PLAN.mails())
    assert [m.due_s for m in mails] == [i / 50 for i in range(300)]
    assert len({m.message_id for m in mails}) == 300


def test_answers_follow_a_mail_that_is_a_second_old() -> None:
    mails = {m.message_id: m for m in PLAN.mails()}
    answers = [m for m in mails.values() if m.answers]
    assert 20 < len(answers) < 100
    for mail in answers:
        first = mails[mail.answers or ""]
        assert first.answers is None
        assert mail.due_s - first.due_s > 1
        assert (mail.sender, mail.recipient) == (first.sender, first.recipient)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(500, 50_000))
def test_content_is_a_proper_mail_of_about_that_size(size: int) -> None:
    plan = LoadPlan(run="r", rate=10, count=60, size=size, recipients=["a@acme.example"], share_of_answers=1.0)
    mail = list(plan.mails())[-1]
    raw = plan.content(mail)
    read = message_from_bytes(raw, policy=policy.default)
    assert read["Message-ID"] == f"<{mail.message_id}>"
    assert read["In-Reply-To"] == f"<{mail.answers}>"
    assert not read.defects
    assert abs(len(raw) - max(size, 1300)) < 600 + size * 0.1


def tally_of(*message_ids: str) -> Tally:
    tally = Tally()
    for message_id in message_ids:
        tally.expect(message_id, 0.0, first=True)
        tally.saw("accepted", message_id, 0.1)
    return tally


def test_a_lost_mail_is_found() -> None:
    tally = tally_of("a", "b")
    tally.message("a", "t1", "m1", 0.2)
    assert tally.open(replies=False) == 1
    result = tally.result(1.0, replies=False)
    assert (result["accepted"], result["lost"], result["doubled"]) == (2, 1, 0)
    assert result["examples"]["lost"] == ["b"]


def test_a_repeated_event_is_no_double_but_a_second_message_is() -> None:
    tally = tally_of("a")
    tally.message("a", "t1", "m1", 0.2)
    tally.message("a", "t1", "m1", 0.3)
    assert tally.result(1.0, replies=False)["doubled"] == 0
    tally.message("a", "t1", "m2", 0.4)
    assert tally.result(1.0, replies=False)["doubled"] == 1


def test_one_mail_on_two_tickets_is_double() -> None:
    tally = tally_of("a")
    tally.message("a", "t1", "m1", 0.2)
    tally.message("a", "t2", "m1", 0.2)
    assert tally.result(1.0, replies=False)["doubled"] == 1


def test_replies_are_counted_per_order() -> None:
    tally = tally_of("a", "b")
    for message_id, ticket in (("a", "t1"), ("b", "t2")):
        tally.message(message_id, ticket, f"m-{ticket}", 0.2)
        tally.order(ticket, f"o-{ticket}", 0.3)
    tally.sent("o-t1", "e1", 0.4)
    tally.sent("o-t1", "e1", 0.5)
    result = tally.result(1.0, replies=True)
    assert (result["unanswered"], result["answered_twice"]) == (1, 0)
    tally.sent("o-t1", "e2", 0.6)
    tally.order("t2", "o-again", 0.7)
    assert tally.result(1.0, replies=True)["answered_twice"] == 2


def test_a_refused_mail_is_not_lost() -> None:
    tally = tally_of("a")
    tally.refuse("a", "550")
    result = tally.result(1.0, replies=True)
    assert (result["refused"], result["lost"], result["unanswered"]) == (1, 0, 0)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_in_order(values: list[float]) -> None:
    result = percentiles(values)
    ordered = [result[name] for name in ("p50", "p90", "p99", "p999", "max")]
    assert ordered == sorted(ordered)
    assert result["max"] == round(max(values), 1)
