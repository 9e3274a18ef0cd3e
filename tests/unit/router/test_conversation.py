"""Which ticket a mail belongs to, in the design's order, and never another portal's or customer's."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from mailroom_contracts import BounceInfo, EmailReceived, EmailRouted, RecipientReport, Verdicts, ids
from mailroom_mail import plus_address, sign_message_id, ticket_number
from mailroom_router.conversation import Known, TicketClue, clues, route
from mailroom_router.placement import Place
from support.router_world import KEYS, mail

RING = {"k1": b64decode(KEYS.partition(":")[2])}
T1, T2, T3 = (ids.derive("t", n) for n in "123")
OK = Verdicts(spf="pass", dmarc="pass")
BAD = Verdicts(spf="fail", dmarc="fail")
HERE, SALES = Place("ad1", "q1", OK), Place("ad2", "q2", OK)


def clue(
    queue: str = "q1", address: str = "ad1", customer: str = "jo@customer.example", portal: str = "p1"
) -> TicketClue:
    return TicketClue(portal, queue, address, customer)


def decided(
    received: EmailReceived, known: Known | None = None, places: list[Place] | None = None
) -> list[EmailRouted]:
    return route(received, places or [HERE], clues(received, RING), known or Known())


def one(received: EmailReceived, known: Known | None = None, place: Place = HERE) -> tuple[str, str]:
    (routed,) = decided(received, known, [place])
    return routed.ticket_id, routed.reason


def test_new_ticket_is_derived_from_root_and_customer() -> None:
    first = mail(1)
    answer = mail(2, references=["m1@customer.example"], in_reply_to=["m1@customer.example"])
    assert one(first) == (ids.ticket_id("p1", "q1", "m1@customer.example", "jo@customer.example"), "new")
    assert one(first)[0] == one(answer)[0], "the customer's own thread needs no index"
    stranger = mail(3, sender="eve@else.example", in_reply_to=["m1@customer.example"])
    assert one(stranger)[0] != one(first)[0]


def test_signed_id_goes_before_plus_address_number_and_reference() -> None:
    signed = sign_message_id(T1, "abc", "acme.example", RING)
    known = Known(numbers={ticket_number(T2): [T2]}, references={"r@x": [T3]})
    received = mail(
        1, subject=f"Re: [#{ticket_number(T2)}]", references=["r@x", signed],
        rcpt=(plus_address("support@acme.example", T2, RING),),
    )  # fmt: skip
    assert one(received, known) == (T1, "signed_id")
    plus = received.model_copy(update={"content": received.content.model_copy(update={"references": ["r@x"]})})
    assert one(plus, known) == (T2, "plus_address")
    assert one(mail(1, subject=f"[#{ticket_number(T2)}] x", references=["r@x"]), known) == (T2, "number")
    assert one(mail(1, references=["r@x"]), known) == (T3, "reference")


def test_forged_signature_counts_for_nothing() -> None:
    forged = sign_message_id(T1, "abc", "acme.example", {"k1": b"x" * 32})
    assert one(mail(1, in_reply_to=[forged]))[1] == "new"


def test_failed_dmarc_is_never_proof_and_never_finds_a_ticket_by_derivation() -> None:
    signed = sign_message_id(T1, "abc", "acme.example", RING)
    bad = Place("ad1", "q1", BAD)
    (routed,) = decided(mail(1, in_reply_to=[signed]), places=[bad])
    assert (routed.reason, routed.linked_to) == ("new", T1)
    pretended = mail(2, references=["m1@customer.example"])
    assert one(pretended, place=bad)[0] != one(mail(1))[0]


def test_other_portals_tickets_do_not_exist() -> None:
    known = Known(references={"r@x": [T3]}, tickets={T3: clue(portal="p2"), T1: clue(portal="p2")})
    assert one(mail(1, references=["r@x"]), known)[1] == "new"
    signed = sign_message_id(T1, "abc", "other.example", RING)
    assert one(mail(1, in_reply_to=[signed]), known)[1] == "new"


def test_own_address_then_own_queue_then_own_customer_is_preferred() -> None:
    known = Known(
        references={"r@x": [T1, T2, T3]},
        tickets={T1: clue("q2", "ad2"), T2: clue("q1", "ad4"), T3: clue("q1", "ad1", "other@c.example")},
    )
    assert one(mail(1, references=["r@x"]), known)[0] == T3
    known.tickets[T3] = clue("q1", "ad4")
    known.tickets[T2] = clue("q1", "ad4", "other@c.example")
    assert one(mail(1, references=["r@x"]), known)[0] == T3


def test_a_number_that_stands_for_two_tickets_matches_none() -> None:
    number = ticket_number(T1)
    assert one(mail(1, subject=number), Known(numbers={number: [T1, T2]}))[1] == "new"


def test_one_mail_to_two_queues_gives_each_its_own_ticket_also_when_it_continues_one() -> None:
    routed = decided(mail(1), places=[HERE, SALES])
    assert len({r.ticket_id for r in routed}) == 2
    known = Known(references={"r@x": [T1]}, tickets={T1: clue("q1", "ad1")})
    in_order = decided(mail(1, references=["r@x"]), known, [SALES, HERE])
    assert [(r.queue_id, r.reason) for r in in_order] == [("q2", "new"), ("q1", "reference")]
    # without the index nobody knows whose it is: still one ticket per queue
    signed = sign_message_id(T1, "abc", "acme.example", RING)
    blind = decided(mail(1, in_reply_to=[signed]), None, [SALES, HERE])
    assert len({r.ticket_id for r in blind}) == 2


def test_own_mail_come_back_is_told_apart_from_mail_to_another_queue() -> None:
    own = sign_message_id(T1, "abc", "acme.example", RING)
    known = Known(tickets={T1: clue()})
    assert one(mail(1, message_id=own), known) == (T1, "own_mail")
    assert one(mail(1, message_id=own), known, SALES)[1] == "new"
    other_portal = Known(tickets={T1: clue(portal="p2")})
    assert one(mail(1, message_id=own), other_portal)[1] == "new"


def bounce(formal: bool = True, original: str | None = None, **more: Any) -> EmailReceived:
    info = BounceInfo(formal=formal, original_message_id=original,
                      recipients=[RecipientReport(recipient="jo@customer.example", state="failed")])  # fmt: skip
    return mail(9, sender="mailer-daemon@mx.example", bounce=info, **more)


def test_bounces_find_their_mail_by_signature_index_or_recipient_and_open_no_ticket() -> None:
    signed = sign_message_id(T1, "abc", "acme.example", RING)
    assert one(bounce(original=signed)) == (T1, "bounce")
    (routed,) = decided(bounce(original="changed@gmail.example"), Known(bounced=(T2, "o2")))
    assert (routed.ticket_id, routed.reason, routed.bounced_outbound_id) == (T2, "bounce", "o2")
    assert decided(bounce())[0].reason == "unmatched_bounce"
    assert decided(bounce(formal=False))[0].reason == "new"
    foreign = Known(bounced=(T2, "o2"), tickets={T2: clue(portal="p2")})
    assert decided(bounce(), foreign)[0].reason == "unmatched_bounce"


def test_nowhere_to_put_it_still_gives_one_routed_mail() -> None:
    (routed,) = route(mail(1), [], clues(mail(1), RING), Known())
    assert routed.reason == "no_address"
