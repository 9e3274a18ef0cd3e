"""Mail through lists: whose ticket it is, who takes part, and whom an answer reaches. Never the list, never another member."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom_contracts import (
    CommandRefused,
    EmailReceived,
    EmailRouted,
    Forwarder,
    InputIgnored,
    ListPost,
    MessageAdded,
    Person,
    Reply,
    TicketState,
    Verdicts,
)
from mailroom_mail import sign_message_id, thread_mark
from mailroom_router.conversation import Known, clues, route
from mailroom_router.placement import places
from mailroom_router.ticket import Context, decide, finish
from mailroom_runtime.book import Book
from support.router_desk import NOW, RING, command, types
from support.router_world import acme, mail

LIST = "users@lists.example"
RITA = Person(email="rita@reject.example", name="Rita")
BOB = Person(email="bob@reject.example", name="Bob")
FROM_LIST = Verdicts(spf="pass", spf_domain="lists.example", dmarc="pass")
SIGNS = ["list-id", "precedence:list", "return-path:machine"]


def book(*forwarders: Forwarder) -> Book:
    made = Book()
    for topic, message in acme():
        if message.record_key in ("ad1", "ad3"):
            message = message.model_copy(update={"forwarders": list(forwarders)})
        if message.record_key == "ad3":
            message = message.model_copy(update={"email": "support@customer-shop.example"})
        made.apply(topic.name, message.record_key, message)
    return made


NAMED = Forwarder(kind="list", value=LIST)


def post(
    number: int | str, author: Person | None, *, proven: bool = False, verdicts: Verdicts = FROM_LIST, notice: bool = False, **more: Any
) -> EmailReceived:  # fmt: skip
    """A post whose From the list has rewritten."""
    if proven and author is not None:
        verdicts = verdicts.model_copy(update={"list_author": author.email})
    more.setdefault("automatic_signs", SIGNS)
    told = ListPost(addresses=[LIST], author=author, rewritten=True, notice=notice, signs=SIGNS)
    return mail(number, sender=LIST, at=NOW, verdicts=verdicts, list_post=told, is_list=True, **more)


def routed(received: EmailReceived, known: Known | None = None, made: Book | None = None) -> EmailRouted:
    (one,) = route(received, places(received, made or book()), clues(received, RING), known or Known())
    return one


def work(state: TicketState | None, message: Any, made: Book | None = None) -> Any:
    return finish(decide(state, message, Context(made or book(), RING, NOW)))


def begun(received: EmailReceived, made: Book | None = None) -> TicketState:
    state = work(None, routed(received, made=made), made).state
    assert state is not None
    return state


def knows(state: TicketState) -> Known:
    from mailroom_router.conversation import TicketClue

    clue = TicketClue(state.portal_id, state.queue_id, state.address_id, state.customer.email.lower())
    ids_ = {m.message_id: [state.id] for m in state.messages if m.message_id}
    return Known(numbers={state.number: [state.id]}, references=ids_, tickets={state.id: clue})


@pytest.mark.parametrize("proven", [True, False])
def test_bob_does_not_join_ritas_ticket_and_the_answer_stays_hers(proven: bool) -> None:
    ritas = begun(post(1, RITA, proven=proven))
    assert (ritas.customer, ritas.answer_to, ritas.participants) == (RITA, RITA, [RITA.email])
    bobs_mail = post(2, BOB, proven=proven, references=["m1@customer.example"], in_reply_to=["m1@customer.example"])
    one = routed(bobs_mail, knows(ritas))
    if one.ticket_id == ritas.id:  # the first step cannot know who takes part: the second sends it on
        decision = work(ritas, one)
        assert types(decision) == ["input_ignored"]
        assert decision.state.answer_to == RITA
        one = decision.sent_on
    assert one.ticket_id != ritas.id
    assert one.linked_to == ritas.id
    bobs = work(None, one).state
    assert (bobs.customer, bobs.answer_to) == (BOB, BOB)
    order = work(ritas, command(Reply, ritas, text="50 EUR", from_address_id="ad3")).orders[0]
    assert order.to == [RITA]


@pytest.mark.parametrize("grade", ["proven", "vouched", "claimed"])
@pytest.mark.parametrize("by", ["number", "reference", "signed_id"])
def test_only_the_proven_join_by_number_and_reference_and_claims_never_take_part(grade: str, by: str) -> None:
    made = book(NAMED) if grade == "vouched" else book()
    ritas = begun(mail(1, sender=RITA.email, at=NOW), made)
    more: dict[str, Any] = {
        "number": {"subject": f"Re: [#{ritas.number}]"},
        "reference": {"references": ["m1@customer.example"]},
        "signed_id": {"in_reply_to": [sign_message_id(ritas.id, "abc", "acme.example", RING)]},
    }[by]
    one = routed(post(2, RITA, proven=grade == "proven", **more), knows(ritas), made)
    assert one.author_grade == grade
    if grade != "proven" and by != "signed_id":
        assert one.ticket_id != ritas.id
        assert one.linked_to == ritas.id
        return
    assert one.ticket_id == ritas.id
    (added,) = [e for e in work(ritas, one, made).events if isinstance(e, MessageAdded)]
    assert added.message.new_sender is (grade == "claimed")
    assert (added.message.written_by, added.message.written_by_grade, added.message.lists) == (RITA, grade, [LIST])


def test_where_nobody_can_be_told_nobody_is_answered_and_it_is_said() -> None:
    state = begun(post(1, None))
    assert state.customer.email == LIST, "the list itself is shown"
    assert (state.answer_to, state.participants, state.lists) == (None, [], [LIST])
    (refused,) = work(state, command(Reply, state, text="x", from_address_id="ad3")).events
    assert isinstance(refused, CommandRefused)
    assert refused.code == "no_recipient"
    assert LIST in refused.reason
    # a second post of the list's is another's, whatever it refers to
    second = routed(post(2, None, references=["m1@customer.example"]), knows(state))
    assert second.ticket_id != state.id
    # written to on purpose, it still takes no part
    sent = work(state, command(Reply, state, text="x", from_address_id="ad3", to=[Person(email=LIST), RITA]))
    assert sent.orders[0].to == [Person(email=LIST), RITA]
    assert sent.state.participants == [RITA.email]


def test_an_unknown_sender_with_our_id_waits_for_nobody() -> None:
    state = begun(mail(1, sender=RITA.email, at=NOW))
    signed = sign_message_id(state.id, "abc", "acme.example", RING)
    decision = work(state, routed(post(2, None, in_reply_to=[signed]), knows(state)))
    assert types(decision) == ["message_added"]
    assert decision.events[0].message.new_sender
    assert (decision.state.unconfirmed, decision.state.answer_to.email) == ([], RITA.email)
    assert decision.state.lists == [LIST]


@pytest.mark.parametrize("kept", ["anonymous", "anonymous before 0.2", "first mail", "wrapped"])
def test_our_own_answer_that_comes_back_under_another_id_is_our_own(kept: str) -> None:
    state = begun(post(1, None))
    sent = work(state, command(Reply, state, text="public", from_address_id="ad3", to=[Person(email=LIST)]))
    ours = sent.orders[0].rfc_message_id
    more: dict[str, Any] = {"references": sent.orders[0].references, "in_reply_to": ["m1@customer.example"]}
    if kept == "anonymous before 0.2":
        more["references"] = ["m1@customer.example", ours]
    if kept == "first mail":
        more = {"references": [thread_mark(ours, first=True)]}
    if kept == "wrapped":
        more = {"mailroom_id": ours, "in_reply_to": ["m1@customer.example"]}
    back = routed(post(2, None, message_id="new@lists.example", **more), knows(sent.state))
    (ignored,) = work(sent.state, back).events
    assert isinstance(ignored, InputIgnored)
    assert ignored.code == "own_mail"
    # an answer to it names it in In-Reply-To, and is not ours
    answer = post(
        3, None, message_id="other@lists.example", references=[*more.get("references", []), ours], in_reply_to=[ours]
    )
    assert types(work(sent.state, routed(answer, knows(sent.state)))) != ["input_ignored"]
    # neither is one to what the list made of it
    references = [*more.get("references", []), "new@lists.example"]
    answer = post(4, None, message_id="4@lists.example", references=references, in_reply_to=["new@lists.example"])
    assert types(work(sent.state, routed(answer, knows(sent.state)))) != ["input_ignored"]


def test_a_named_list_is_believed_only_where_it_sent_the_mail() -> None:
    forged = Verdicts(spf="pass", spf_domain="evil.example", dmarc="fail", dmarc_policy="reject")
    for made, verdicts, grade in (
        (book(NAMED), FROM_LIST, "vouched"),
        (book(), FROM_LIST, "claimed"),
        (book(NAMED), forged, "claimed"),
        (book(NAMED), Verdicts(dkim=[{"domain": "lists.example", "result": "pass"}]), "vouched"),
        (book(NAMED), Verdicts(dkim=[{"domain": "lists.example", "result": "fail"}]), "claimed"),
        (book(NAMED), Verdicts(spf="pass", spf_domain="notlists.example"), "claimed"),
    ):
        assert routed(post(1, RITA, verdicts=verdicts), made=made).author_grade == grade


@pytest.mark.parametrize("kind", ["list", "arc", "spf_domain"])
def test_members_of_a_list_that_an_internal_address_names_are_not_spam(kind: str) -> None:
    """From untouched, DMARC fails after the list's footer."""
    failing = Verdicts(
        spf="pass",
        spf_domain="lists.example",
        dmarc="fail",
        dmarc_policy="reject",
        arc="pass",
        arc_domain="lists.example",
    )
    told = ListPost(addresses=[LIST], author=RITA, signs=SIGNS)
    received = mail(1, sender=RITA.email, at=NOW, verdicts=failing, list_post=told, spam=True, automatic_signs=SIGNS)
    made = book(Forwarder(kind=kind, value=LIST if kind == "list" else "lists.example"))
    (place,) = places(received, made)
    assert (place.verdicts.dmarc, place.spam, place.verdicts.forwarded_by) == (
        "forwarded",
        False,
        made.address("ad1").forwarders[0].value,
    )  # type: ignore[union-attr]
    (added,) = [e for e in work(None, routed(received, made=made), made).events if isinstance(e, MessageAdded)]
    assert not added.message.spam
    assert added.message.automatic_signs == ([] if kind == "list" else SIGNS)
    (place,) = places(received, book())
    assert (place.verdicts.dmarc, place.spam) == ("fail", True)
    assert routed(received).author_grade == "direct"


def test_a_notice_neither_reopens_nor_proposes_a_recipient() -> None:
    notice = post(1, None, notice=True, reply_to=[Person(email="users+release-1a2b@lists.example")])
    state = begun(notice)
    assert (state.answer_to, state.participants) == (None, [])


def test_a_group_that_is_one_of_our_own_addresses_vouches_where_dmarc_holds() -> None:
    ours = "support@acme.example"
    told = ListPost(addresses=[ours], author=RITA, rewritten=True)
    for dmarc, grade in (("pass", "vouched"), ("none", "claimed")):
        received = mail(1, sender=ours, at=NOW, verdicts=Verdicts(dmarc=dmarc), list_post=told)
        state = begun(received)
        assert routed(received).author_grade == grade
        assert (state.customer, state.answer_to, state.participants) == (RITA, RITA, [RITA.email])


def test_a_form_of_our_own_is_the_customers_in_reply_to_and_marked() -> None:
    buyer = Person(email="buyer@example.org", name="Bu Yer")
    form = mail(1, sender="support@acme.example", at=NOW, reply_to=[buyer])
    (_, added) = work(None, routed(form)).events
    assert (added.message.written_by, added.message.written_by_grade) == (buyer, "vouched")
    assert begun(form).answer_to == buyer
    two = mail(1, sender="support@acme.example", at=NOW, reply_to=[Person(email="support@acme.example"), buyer])
    assert begun(two).answer_to == buyer


_PERSON = st.sampled_from([RITA, BOB, Person(email="jo@customer.example"), None])
_BOXES = st.lists(
    st.sampled_from([Person(email=e) for e in (LIST, "Users@Lists.example", RITA.email, "support@acme.example", "users+owner@lists.example")]),
    max_size=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_PERSON, st.booleans(), st.booleans(), _BOXES, _BOXES, _BOXES), min_size=1, max_size=5),
    st.booleans(),
)
def test_a_list_never_takes_part_and_is_never_a_proposed_recipient(
    mails: list[tuple[Person | None, bool, bool, list[Person], list[Person], list[Person]]], named: bool
) -> None:
    """Whoever writes, through the list or directly, in whatever order, into one ticket by our own signed id."""
    made = book(NAMED) if named else book()
    state: TicketState | None = None
    for number, (author, direct, proven, to, cc, reply_to) in enumerate(mails):
        more: dict[str, Any] = {"cc": cc, "reply_to": reply_to}
        if state is not None:
            more["in_reply_to"] = [sign_message_id(state.id, "abc", "acme.example", RING)]
        if direct and author is not None:
            received = mail(number, sender=author.email, at=NOW, **more)
        else:
            received = post(number, author, proven=proven, **more)
        received.content.to.extend(to)
        one = routed(received, knows(state) if state is not None else None, made)
        if state is not None and one.ticket_id != state.id:
            continue
        state = work(state, one, made).state or state
        assert state is not None
        met = {LIST} if named or any(not d or a is None for a, d, *_ in mails[: number + 1]) else set()
        assert met.isdisjoint(state.participants)
        assert met.isdisjoint(state.unconfirmed)
        assert "users+owner@lists.example" not in state.participants
        assert state.answer_to is None or state.answer_to.email.lower() not in met
        for order in work(state, command(Reply, state, text="x", from_address_id="ad3"), made).orders:
            assert met.isdisjoint(box.email.lower() for box in (*order.to, *order.cc))
