"""Cases made from public bug reports (../shared/cases), through intake, routing and the ticket, as they run in the services."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Address, AttachmentRef, LaneEntry, MessageAdded, OutboundMail, Person, Reply, TicketState
from mailroom_mail import Attachment, compose, invitation_uids
from mailroom_outbound import lane
from mailroom_outbound.composing import letter, outgoing
from mailroom_outbound.courier import Deferred, Delivered, Hold
from mailroom_outbound.schedule import Policy
from mailroom_router.conversation import Clues, Known, TicketClue, clues, route
from mailroom_router.facts import facts
from mailroom_router.placement import places
from mailroom_router.ticket import Context, Decision, decide, finish
from mailroom_router.told_ids import by_local_part, told_id
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.book import Book
from support.arriving import SHARED, arrived
from support.router_desk import NOW, RING, command, report
from support.router_world import acme

shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"../shared is not here ({SHARED})")
OURS = "support@acme.example.com"  # as the cases have it


def book() -> Book:
    """Our world with the cases' address: an SMTP address whose server takes no plus addresses."""
    made = Book()
    for topic, message in acme():
        if message.record_key == "ad3":
            message = message.model_copy(update={"email": OURS})
        made.apply(topic.name, message.record_key, message)
    return made


BOOK = book()
CONTEXT = Context(BOOK, RING, NOW)


def raw(folder: str, name: str, **values: str) -> bytes:
    text = (SHARED / "cases" / folder / name).read_text()
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", value)
    return text.encode()


class Index:
    """What the index knows of some tickets, learnt as the router has it learn."""

    def __init__(self) -> None:
        self.references: dict[str, list[str]] = {}
        self.answered: dict[str, list[str]] = {}
        self.tickets: dict[str, TicketClue] = {}

    def learn(self, old: TicketState | None, decision: Decision) -> TicketState:
        assert decision.state is not None
        for message_id in facts(old, decision.state, decision.events).message_ids:
            self.references.setdefault(message_id, []).append(decision.state.id)
        return decision.state

    def known(self, found: Clues) -> Known:
        references = {i: self.references[i] for i in found.references if i in self.references}
        answered_in = self.answered.get(found.absent or found.quotes_us or "", [])
        return Known(references=references, answered=answered_in, tickets=self.tickets)


def comes(raw_mail: bytes, states: dict[str, TicketState], index: Index, mail_from: str = "") -> tuple[Decision, str]:
    """The mail arrives; what it did to which ticket, and why there."""
    received = arrived(raw_mail, mail_from or "x@example.org", rcpt="shop@acme.example")
    found = clues(received, RING)
    (one,) = route(received, places(received, BOOK), found, index.known(found), lambda e: BOOK.is_ours(e, "p1"))
    decision = finish(decide(states.get(one.ticket_id), one, CONTEXT))
    if decision.sent_on is not None:
        one = decision.sent_on
        decision = finish(decide(states.get(one.ticket_id), one, CONTEXT))
    return decision, one.reason


def answered(
    raw_mail: bytes, index: Index, *, reply: str = "250 2.0.0 Ok", **sent: Any
) -> tuple[TicketState, OutboundMail]:
    """A ticket begun by a mail, and our answer that left."""
    state = index.learn(None, comes(raw_mail, {}, index)[0])
    decision = finish(decide(state, command(Reply, state, text="Please restart it.", from_address_id="ad3"), CONTEXT))
    (order,) = decision.orders
    state = index.learn(state, decision)
    told = report(state, order.id, "sent", server_reply=reply, rfc_message_id=order.rfc_message_id, **sent)
    return index.learn(state, finish(decide(state, told, CONTEXT))), order


def first(sender: str, subject: str = "Your request") -> bytes:
    return (
        f"From: {sender}\r\nTo: {OURS}\r\nSubject: {subject}\r\nDate: Tue, 03 Mar 2026 09:00:00 +0000\r\n"
        f"Message-ID: <first.{sender}>\r\n\r\nIt is dead.\r\n"
    ).encode()


def message(decision: Decision) -> Any:
    return next(e for e in decision.events if isinstance(e, MessageAdded)).message


def written(order: OutboundMail) -> bytes:
    address = BOOK.address("ad3")
    assert isinstance(address, Address)
    return compose(outgoing(order, address, (), ()))


@shared
def test_31_ids_in_encoded_words_find_their_ticket() -> None:
    index = Index()
    state, order = answered(first("k9@example.org"), index)
    own = order.rfc_message_id
    half = len(own) // 2
    answer = raw("31-encoded-in-reply-to", "a.eml", OUR_MESSAGE_ID_FIRST_HALF=own[:half],
                 OUR_MESSAGE_ID_SECOND_HALF=own[half:], OUR_MESSAGE_ID=own)  # fmt: skip
    decision, reason = comes(answer, {state.id: state}, index)
    assert (decision.state.id, reason) == (state.id, "signed_id")  # type: ignore[union-attr]


@shared
def test_31_long_ids_are_written_literally() -> None:
    _, order = answered(raw("31-encoded-in-reply-to", "long-id.eml"), Index())
    source = written(order)
    head = source.partition(b"\r\n\r\n")[0]
    long = next(
        line for line in raw("31-encoded-in-reply-to", "long-id.eml").decode().split("\n") if "Message-ID" in line
    )[12:]
    assert long.encode() in head
    for name in ("In-Reply-To", "References"):
        value = str(message_from_bytes(source)[name])
        assert "=?" not in value
        assert value.split()[-1] == long
    assert len(order.rfc_message_id) < 78
    assert order.rfc_message_id.isascii()


@shared
@pytest.mark.parametrize("host", ["", "@eu-west-1.amazonses.example"])
def test_32_an_id_that_the_provider_gave_is_known_from_its_answer(host: str) -> None:
    index = Index()
    state, _ = answered(first("ios@example.org"), index, reply=f"250 Ok 0100019c-aaaa-bbbb-000000{host}")
    answer = raw("32-rewritten-id-lost-references", "ses-ios.eml", REPLY_TO_OF_OUR_MAIL=OURS)
    decision, reason = comes(answer, {state.id: state}, index)
    assert (decision.state.id, reason) == (state.id, "reference")  # type: ignore[union-attr]
    # by an id that anybody could guess only who takes part joins
    decision, _ = comes(answer.replace(b"ios@example.org", b"eve@example.org"), {state.id: state}, index)
    assert decision.state.id != state.id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("250 Ok 0100019c-aaaa-bbbb-000000", "0100019c-aaaa-bbbb-000000@"),
        ("250 2.6.0 <0102018b1c2d3e4f@eu.mail.example> Queued mail for delivery", None),
        ("250 2.0.0 Ok: queued as <0102018b1c2d3e4f@eu.mail.example>", "0102018b1c2d3e4f@eu.mail.example"),
        ("250 2.0.0 Ok: queued as 4XyZ3J2lKz9b", None),  # a queue id: too short to be nobody else's
        ("250 2.0.0 OK  1699999999 a1-20020a17sm12345.11 - gsmtp", None),
        ("250 Message accepted for delivery by the server", None),
        ("250 ok queued-for-delivery-now", None),
    ],
)
def test_only_what_is_surely_an_id_is_taken_for_one(reply: str, told: str | None) -> None:
    assert told_id(reply) == told


@given(st.text(max_size=80), st.lists(st.text(max_size=40), max_size=4))
def test_whatever_a_server_says_is_read(reply: str, ids_: list[str]) -> None:
    assert (told := told_id(reply)) is None or "@" in told
    assert all(one.endswith("@") and len(one) > 16 for one in by_local_part(ids_))


@shared
def test_32_an_answer_without_any_thread_names_the_ticket_where_its_sender_was_answered() -> None:
    """Nothing of ours is left in it but our address above the quotation: a new ticket, linked to the likely one."""
    index = Index()
    state, _ = answered(first("ol@example.org"), index)
    lost = raw(
        "32-rewritten-id-lost-references", "outlook-subject.eml", REPLY_TO_OF_OUR_MAIL=OURS, TEXT_OF_OUR_MAIL="x"
    )
    index.answered["ol@example.org"] = [state.id]
    index.tickets[state.id] = TicketClue("p1", state.queue_id, state.address_id, state.customer.email)
    decision, reason = comes(lost, {state.id: state}, index)
    assert decision.state is not None
    assert (reason, decision.state.id != state.id, decision.state.linked_to) == ("new", True, state.id)
    assert decision.state.customer.email == state.customer.email
    # a mail that quotes nothing of ours, one whose sender was answered in two tickets, and one of somebody else's
    plain = lost.replace(b"<support@acme.example.com>\nSent", b"\nSent")
    assert comes(plain, {}, index)[0].state.linked_to is None  # type: ignore[union-attr]
    assert comes(lost.replace(b"ol@", b"eve@"), {}, index)[0].state.linked_to is None  # type: ignore[union-attr]
    index.answered["ol@example.org"] = [state.id, "t" * 32]
    index.tickets["t" * 32] = index.tickets[state.id]
    assert comes(lost, {}, index)[0].state.linked_to is None  # type: ignore[union-attr]


@shared
def test_47_who_stands_behind_a_group() -> None:
    decision, _ = comes(raw("47-dmarc-rewritten-sender", "group.eml"), {}, Index())
    state = decision.state
    assert state is not None
    assert state.customer == Person(email="jane@example.org", name="Jane Roe")
    assert state.answer_to == state.customer
    assert message(decision).written_by == state.customer
    decision, _ = comes(raw("47-dmarc-rewritten-sender", "own-agent.eml"), {}, Index())
    assert message(decision).written_by_grade != "direct", "the page says that the address is one of ours"


@shared
@pytest.mark.parametrize("name", ["bcc.eml", "undisclosed.eml", "redirect.eml"])
def test_49_mail_that_names_us_nowhere(name: str) -> None:
    decision, reason = comes(raw("49-bcc-and-redirect", name), {}, Index())
    assert reason == "new"
    state = decision.state
    assert state is not None
    assert state.queue_id == "q1"
    assert state.answers is not None
    sender = "cust@example.org" if name == "redirect.eml" else "s@example.org"
    everybody = [*state.answers.reply_all.to, *state.answers.reply_all.cc]
    assert [p.email for p in state.answers.reply.to] == [sender]
    assert [p.email for p in everybody] == [sender]
    if name == "undisclosed.eml":
        assert message(decision).to == []


@shared
def test_51_forms_write_as_we_do() -> None:
    decision, _ = comes(raw("51-from-is-us-reply-to-customer", "form.eml"), {}, Index())
    assert decision.state is not None
    assert decision.state.customer == Person(email="buyer@example.org", name="Bu Yer")
    assert decision.state.answer_to == decision.state.customer
    assert message(decision).automatic_signs == [], "so that the automatic reply goes to the buyer"
    decision, _ = comes(raw("51-from-is-us-reply-to-customer", "multi.eml"), {}, Index())
    assert decision.state is not None
    assert decision.state.answers is not None
    assert [p.email for p in decision.state.answers.reply.to] == ["buyer2@example.org"]


def test_54_busy_for_ten_minutes_is_waited_for_with_growing_pauses() -> None:
    order = OutboundMail(id="o1", portal_id="p1", ticket_id="t1", address_id="ad3", kind="reply", created_at=NOW)
    entry: LaneEntry = lane.queued(order, NOW)
    now, pauses = NOW, []
    while now - NOW < timedelta(minutes=10):
        step = lane.conclude(lane.begin(entry, now), Deferred("421 busy", Hold.MAIL), policy=Policy(), now=now)
        assert step.entry is not None
        assert step.entry.next_at is not None
        assert step.report is not None
        assert step.report.state == "deferred", "the agent sees that it waits"
        pauses.append((step.entry.next_at - now).total_seconds())
        entry, now = step.entry, step.entry.next_at
    assert len(pauses) > 1
    assert pauses[-1] > pauses[0]


ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:visit-4712@shop.example\r\nSUMMARY:Visit\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


@shared
@pytest.mark.parametrize("name", ["kmail-decline.eml", "evolution-decline.eml"])
def test_an_answer_to_our_invitation_finds_its_ticket_by_the_uid(name: str) -> None:
    """Neither program writes In-Reply-To; KMail not even a Message-ID."""
    uids = invitation_uids([Attachment("visit.ics", "text/calendar", ICS.encode())])
    assert uids == ("visit-4712@shop.example",)
    index = Index()
    state, _ = answered(first("kim@customer.example"), index, invitation_uids=list(uids))
    answer = (SHARED / "desktop" / "cases" / "2-answer-without-in-reply-to" / name).read_bytes()
    answer = answer.replace(b"support@shop.example", OURS.encode())
    decision, reason = comes(answer, {state.id: state}, index)
    assert (decision.state.id, reason) == (state.id, "reference")  # type: ignore[union-attr]
    assert "declined" in message(decision).text
    # an invitation of somebody else's, and somebody who takes no part
    other = answer.replace(b"UID:visit-4712", b"UID:other-4712")
    assert comes(other, {state.id: state}, index)[0].state.id != state.id  # type: ignore[union-attr]
    eve = answer.replace(b"kim@customer.example", b"eve@customer.example")
    assert comes(eve, {state.id: state}, index)[0].state.id != state.id  # type: ignore[union-attr]


async def test_outbound_says_which_invitations_left(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path.as_uri())
    ref = await blobs.put("p1/visit", ICS.encode())
    order = OutboundMail(
        id="o1", portal_id="p1", ticket_id="t1", address_id="ad3", kind="reply", created_at=NOW, text="See you.",
        from_=Person(email=OURS), to=[Person(email="kim@customer.example")], rfc_message_id="a.b@acme.example",
        attachments=[AttachmentRef(filename="visit.ics", content_type="text/calendar", size=ref.size, blob=ref)],
    )  # fmt: skip
    address = BOOK.address("ad3")
    assert isinstance(address, Address)
    made = await letter(
        order, address, ("kim@customer.example",), blobs, uncertain=False, tried=False, still_ours=lambda: True
    )
    assert made.invitation_uids == ("visit-4712@shop.example",)
    outcome = Delivered("250 ok", invitation_uids=made.invitation_uids)
    step = lane.conclude(lane.begin(lane.queued(order, NOW), NOW), outcome, policy=Policy(), now=NOW)
    assert step.report is not None
    assert step.report.invitation_uids == ["visit-4712@shop.example"]


def test_what_is_no_invitation_has_no_uid() -> None:
    files = [Attachment("a.ics", "application/octet-stream", b"no"), Attachment("b.txt", "text/plain", ICS.encode())]
    assert invitation_uids(files) == ()
    assert invitation_uids([Attachment("a.ICS", "application/octet-stream", ICS.encode())] * 2) == (
        "visit-4712@shop.example",
    )
