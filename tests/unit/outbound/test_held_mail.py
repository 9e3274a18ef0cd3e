"""Mail that is held until a time, forwards and longer histories, and ids that a provider puts in place of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mailroom_contracts import Address, OutboundMail, Person, Quote
from mailroom_mail import compose
from mailroom_outbound import lane
from mailroom_outbound.agenda import Agenda
from mailroom_outbound.bodies import with_body, without_body
from mailroom_outbound.composing import history, outgoing
from mailroom_outbound.replaced_ids import replaced_id
from mailroom_outbound.schedule import Policy
from mailroom_runtime.blobs.store import BlobStore

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
ADDRESS = Address(id="ad3", portal_id="p1", kind="smtp", email="shop@acme.example", full_name="Shop")


def order(**more: object) -> OutboundMail:
    given = {"id": "o1", "portal_id": "p1", "ticket_id": "t1", "message_id": "m1", "address_id": "ad3", "kind": "reply",
             "to": [Person(email="lab@partner.example")], "subject": "Fwd: x", "text": "See below.",
             "rfc_message_id": "a@acme.example", "created_at": NOW}  # fmt: skip
    return OutboundMail.model_validate(given | more)


def test_what_is_held_is_not_taken_before_its_time_and_its_age_counts_from_then() -> None:
    until = NOW + timedelta(days=20)
    entry = lane.queued(order(not_before=until), NOW)
    agenda = Agenda()
    agenda.put(entry)
    assert agenda.take(until - timedelta(seconds=1)) is None
    assert agenda.next_at(NOW) == until
    assert agenda.take(until) == entry
    policy = Policy(max_age_s=3 * 86_400)
    step = lane.defer(lane.begin(entry, until), until + timedelta(minutes=5), "421", policy=policy, now=until)
    assert step.entry is not None, "three days of trying begin when it is due"


def test_a_wish_to_cancel_is_not_held_and_neither_is_what_is_due() -> None:
    assert lane.queued(order(not_before=NOW + timedelta(days=1), action="cancel"), NOW).next_at is None
    assert lane.queued(order(not_before=NOW - timedelta(days=1)), NOW).next_at is None
    held = lane.queued(order(not_before=NOW + timedelta(days=1)), NOW)
    cancelled = held.model_copy(update={"cancel": True, "next_at": None})
    step = lane.expire(cancelled, policy=Policy(), now=NOW)
    assert step is not None
    assert step.report is not None
    assert step.report.state == "cancelled"


async def test_a_long_history_is_kept_whole(tmp_path: Path) -> None:
    blobs = BlobStore(f"file://{tmp_path}")
    quotes = [Quote(text=f"{n} " + "x" * 5_000) for n in range(4)]
    given = order(quote=quotes[0], quotes=quotes[1:])
    small = await without_body(given, blobs)
    assert small.quote is None
    assert small.quotes == []
    back = await with_body(small, blobs)
    assert (back.quote, back.quotes) == (given.quote, given.quotes)


async def test_a_forward_has_a_head_for_each_mail_and_no_marks_in_its_text() -> None:
    quote = Quote(from_=Person(email="jo@c.example", name="Jo"), to=[Person(email="s@acme.example")], subject="My order",
                  date=NOW, text="Where is it?", html="<p>Where is <script>x</script>it?</p>")  # fmt: skip
    earlier = Quote(from_=Person(email="jo@c.example"), text="Hello")
    quoted = [await history(each, forwarded=True) for each in (quote, earlier)]
    raw = compose(outgoing(order(quote_style="forward"), ADDRESS, quoted, ())).decode()
    for line in ("From: Jo <jo@c.example>", "Subject: My order", "To: s@acme.example", "\r\nWhere is it?", "\r\nHello"):
        assert line in raw
    assert "<script" not in raw
    assert raw.count("Forwarded message") >= 2


@pytest.mark.parametrize(
    ("host", "reply", "expected"),
    [
        ("email-smtp.us-east-1.amazonaws.com", "250 Ok 0100018c1a2b3c4d-11112222-3333-4444-5555-666677778888-000000",
         "0100018c1a2b3c4d-11112222-3333-4444-5555-666677778888-000000@email.amazonses.com"),
        ("email-smtp.eu-west-1.amazonaws.com", "250 Ok 0102018c1a2b3c4d-11112222-3333-4444-5555-666677778888-000000",
         "0102018c1a2b3c4d-11112222-3333-4444-5555-666677778888-000000@eu-west-1.amazonses.com"),
        ("smtp.example", "250 Ok 0102018c1a2b3c4d-11112222-3333-4444-5555-666677778888-000000", None),
        ("email-smtp.us-east-1.amazonaws.com", "250 2.0.0 Ok: queued as 4F", None),
        ("email-smtp.us-east-1.amazonaws.com.evil.example", "250 Ok 0100018c1a2b3c4d-11112222-333344445555", None),
    ],
)  # fmt: skip
def test_amazon_says_in_its_answer_under_which_id_a_mail_left(host: str, reply: str, expected: str | None) -> None:
    assert replaced_id(host, reply) == expected
