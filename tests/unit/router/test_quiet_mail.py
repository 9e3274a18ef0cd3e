"""What programs, desks and servers send after our answers: what reopens, what is quoted next, and which ticket it joins.

The mails are real ones (../shared/desks, servers, cases, webmail, desktop) with our Message-ID in the place of the one
that they answered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import Content, DeliveryChanged, MessageAdded, Reply, SetStatus, TicketState
from mailroom_router.conversation import Known, TicketClue
from mailroom_router.quiet import is_quiet
from mailroom_router.ticket import Decision
from support.arriving import SHARED, arrived, placed
from support.router_desk import BAD, NOW, after, command, report, routed, run, types
from support.router_world import mail

shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"../shared is not here ({SHARED})")


def answered(customer: str = "jo@customer.example", subject: str = "Order", **first: Any) -> TicketState:
    """A ticket with our answer that the customer got, closed."""
    state = run(None, routed(mail(1, at=NOW, sender=customer, subject=subject, **first), address="ad3")).state
    assert state is not None
    state = run(state, command(Reply, state, text="It left.", from_address_id="ad3")).state or state
    state = run(state, report(state, state.messages[-1].outbound_id or "", "sent")).state or state
    state = run(state, command(SetStatus, state, status="closed")).state or state
    assert state.status == "closed"
    return state


def ours(state: TicketState) -> str:
    return next(m.message_id or "" for m in reversed(state.messages) if m.direction == "out")


def index(state: TicketState) -> Known:
    """What the index knows of the ticket."""
    clue = TicketClue("p1", state.queue_id, state.address_id, state.customer.email)
    return Known(
        references={m.message_id: [state.id] for m in state.messages if m.message_id} | {state.root: [state.id]},
        their_numbers={n: [state.id] for n in state.their_numbers}, answered=[state.id], tickets={state.id: clue},
    )  # fmt: skip


def comes(
    state: TicketState, raw: bytes, mail_from: str = "jo@customer.example", swap: str = "", **more: Any
) -> Decision:
    """The mail arrives a minute after our answer."""
    swaps = {swap: ours(state)} if swap else {}
    one = placed(arrived(raw, mail_from, at=more.pop("at", NOW), swaps=swaps), index(state), **more)
    return run(state if one.ticket_id == state.id else None, one, at=one.received.received_at)


def plain(*fields: str, sender: str = "Jo <jo@customer.example>", body: str = "Yes, please.") -> bytes:
    head = [f"From: {sender}", "To: shop@customer-shop.example", "Date: Tue, 24 Nov 2026 12:05:00 +0000", *fields]
    if not any(field.startswith("Subject") for field in fields):
        head.append("Subject: Re: Order")
    return "\r\n".join([*head, "Message-ID: <next@customer.example>", "", body]).encode()


def message_of(decision: Decision) -> MessageAdded:
    return next(e for e in decision.events if isinstance(e, MessageAdded))


REPLY = "In-Reply-To: <{}>"


@pytest.mark.parametrize(
    ("fields", "quiet"),
    [
        ((), False),
        (("Auto-Submitted: no",), False),
        (("Auto-Submitted: auto-generated",), True),
        (("Auto-Submitted: auto-notified",), True),
        (("Precedence: junk", "X-Loop: jo@customer.example"), True),
        (("Precedence: auto_reply",), True),
        (("Precedence: bulk", "X-Loop: yes"), True),
        (("X-Autoreply: yes",), True),
        (("X-Autorespond: 1",), True),
        (("Precedence: bulk",), False),
        (("X-Loop: yes",), False),
        (("X-Auto-Response-Suppress: DR, OOF, AutoReply",), False),
        (("X-Auto-Response-Suppress: All",), False),
        (("Precedence: bulk", "X-RT-Loop-Prevention: rt.example"), False),
        (("Precedence: bulk", "X-Roundup-Name: tracker"), False),
        (("Precedence: bulk", "X-Loop: yes", "X-Mailer: Znuny Mail Service (6.5.x)"), False),
        (("Precedence: list", "List-Id: <team.customer.example>"), False),
        (("Precedence: bulk", "X-Loop: team@customer.example", "List-Id: <team.customer.example>"), False),
        (("X-MS-Exchange-Inbox-Rules-Loop: shop@customer-shop.example",), False),
        (("X-MS-Exchange-Inbox-Rules-Loop: shop@customer-shop.example", "X-Auto-Response-Suppress: All"), False),
        (("X-MS-Exchange-Inbox-Rules-Loop: jo@customer.example", "X-Auto-Response-Suppress: All"), True),
    ],
)
def test_what_answers_ours_with_an_automatic_sign_is_quiet(fields: tuple[str, ...], quiet: bool) -> None:
    state = answered()
    decision = comes(state, plain(REPLY.format(ours(state)), *fields))
    assert message_of(decision).message.quiet is quiet
    assert decision.state is not None
    assert decision.state.id == state.id
    assert decision.state.status == ("closed" if quiet else "open")
    assert (decision.state.quote == state.quote) is quiet, "nobody quotes a program"


def test_the_null_sender_is_quiet_and_bulk_words_are_believed() -> None:
    state = answered()
    null = comes(state, plain(REPLY.format(ours(state))), "")
    assert message_of(null).message.quiet
    assert types(null) == ["message_added"]
    words = "Thank you for your message. This is an automatically generated reply."
    assert message_of(comes(state, plain(REPLY.format(ours(state)), "Precedence: bulk", body=words))).message.quiet
    assert not message_of(comes(state, plain(REPLY.format(ours(state)), body=words))).message.quiet, "no sign at all"


def test_a_monitor_that_continues_its_own_thread_is_heard() -> None:
    state = run(None, routed(mail(1, at=NOW, message_id="alarm@customer.example"), address="ad3")).state
    assert state is not None
    state = run(state, command(SetStatus, state, status="closed")).state or state
    again = plain("References: <alarm@customer.example>", "Auto-Submitted: auto-generated", "Subject: ALARM again")
    decision = comes(state, again)
    assert decision.state is not None
    assert decision.state.status == "open"


def desk(file: str) -> bytes:
    return (SHARED / "desks" / file).read_bytes()


DESKS = (
    [json.loads(line) for line in (SHARED / "desks" / "expect.jsonl").read_text().splitlines()]
    if SHARED.is_dir()
    else []
)
# The thread headers in each that name a mail of ours, the customer, and the subject that began the ticket.
NAMED = {
    "desk-18.eml": "c611f19d-b09e-4a5f-9912-344012776476@customer.example",
    "desk-42.eml": "j2cda2m47c4nm4sc.ktldutggje5pdr47w4bwzgvpor55uxlehg55cq2rey4@shop.example",
    "desk-47.eml": "bom5gnimwvf4uenz.kghbac73rotpokdytjnwh5nzeq7mc35whd6lzx4wqmm@shop.example",
}
SUBJECTS = {
    "rt.example": "[rt.example #1] AutoReply: Your printer delivery",
    "znuny.example": "[Ticket#2026113010000034] Scanner broken",
    "djh.example": "[sup-2] Toner please (Opened)",
    "round.example": "[issue1] Window stuck",
}


@shared
@pytest.mark.parametrize("row", DESKS, ids=lambda row: f"{row['file']} {row['what']}")
def test_customers_own_desks(row: dict[str, Any]) -> None:
    raw, file = desk(row["file"]), row["file"]
    sender = next(s for s in ("help@rt.example", "desk@znuny.example", "helpdesk@djh.example", "issues@round.example")
                  if s.encode() in raw)  # fmt: skip
    root = {"desk-02.eml": "RT-Ticket-1@rt.example", "desk-13.eml": "RT-Ticket-1@rt.example"}.get(
        file, "m1@customer.example"
    )
    state = answered(sender, SUBJECTS[sender.partition("@")[2]], message_id=root)
    swap = NAMED.get(file, "")
    if file == "desk-54.eml":
        swap = "1796016913.1374252.M7UEHXWRTPUMUCYI.issue1@round.example"
    decision = comes(state, raw, row["mail_from"], swap)
    if row["belongs_by"] == "new":
        return
    assert decision.state is not None
    assert decision.state.id == state.id, "it joins the ticket"
    assert decision.state.status == ("open" if row["reopens"] else "closed") or file == "desk-42.eml"
    if not row["person"]:
        assert (decision.state.quote, decision.state.answer_to) == (state.quote, state.answer_to)
    if file == "desk-42.eml":
        changed = decision.events[0]
        assert isinstance(changed, DeliveryChanged), "their refusal is a failed delivery of that answer"
        assert changed.delivery.state == "bounced"
        assert not any(getattr(e, "reason", "") == "customer_replied" for e in decision.events)


@shared
@pytest.mark.parametrize(
    ("path", "mail_from", "swap", "customer"),
    [
        ("rt-permission-denied-reopens/0005-desk.eml", "", "bscxqjirxmtib5hc.kkifgokgodudhm34dspdl3psyxmsm6m6vgemc3yi3j4@shop.example", "help@rt.example"),
        ("znuny-rejected-reopens/0042-desk.eml", "", "j2cda2m47c4nm4sc.ktldutggje5pdr47w4bwzgvpor55uxlehg55cq2rey4@shop.example", "desk@znuny.example"),
        ("roundup-refusal-new-ticket/0066-desk.eml", "roundup-admin@round.example", "30a04137-d015-42d7-98af-4217ce2fd940@customer.example", "issues@round.example"),
    ],
)  # fmt: skip
def test_a_desks_refusal_is_a_failed_delivery_on_that_answer(
    path: str, mail_from: str, swap: str, customer: str
) -> None:
    state = answered(customer)
    decision = comes(state, (SHARED / "desks" / "cases" / path).read_bytes(), mail_from, swap)
    changed = decision.events[0]
    assert isinstance(changed, DeliveryChanged)
    assert changed.delivery.state == "bounced"
    assert [r.recipient for r in changed.delivery.recipients] == [customer]
    assert changed.bounce is not None
    assert decision.state is not None
    assert not any(getattr(e, "reason", "") == "customer_replied" for e in decision.events)


@shared
def test_a_desks_agent_without_ids_joins_by_the_number_and_a_stranger_does_not() -> None:
    state = answered("helpdesk@djh.example", SUBJECTS["djh.example"])
    updated = (SHARED / "desks/cases/djh-answers-open-new-tickets/0048-desk.eml").read_bytes()
    decision = comes(state, updated, "helpdesk@djh.example")
    assert decision.state is not None
    assert (decision.state.id, decision.state.status) == (state.id, "open")
    other = comes(state, updated.replace(b"helpdesk@djh.example", b"eve@djh.example"), "eve@djh.example")
    assert other.sent_on is not None
    assert other.sent_on.linked_to == state.id
    elsewhere = comes(state, updated.replace(b"helpdesk@djh.example", b"eve@else.example"), "eve@else.example")
    assert elsewhere.state is not None
    assert elsewhere.state.id != state.id
    false = comes(state, updated, "helpdesk@djh.example", verdicts=BAD)
    assert false.state is None or false.state.id != state.id


def note(subject: str, body: str = "I am on vacation until Monday.") -> bytes:
    return plain("Precedence: bulk", f"Subject: {subject}", body=body)


def test_an_absence_note_without_thread_headers_goes_to_the_one_ticket_that_was_answered() -> None:
    state = answered()
    decision = comes(state, note("away from my mail (Re: Re: Order)"))
    assert decision.state is not None
    assert (decision.state.id, decision.state.status) == (state.id, "closed")
    assert message_of(decision).message.kind == "out_of_office"
    late = comes(state, note("Out of office: Order"), at=after(7))
    assert late.sent_on is not None, "long after our answer it is about something else"
    two = index(state)
    two.answered = [state.id, "0" * 32]
    two.tickets["0" * 32] = two.tickets[state.id]
    both = placed(arrived(note("Out of office"), "jo@customer.example"), two)
    assert both.reason == "new", "where two fit, none is chosen"
    assert placed(arrived(plain("Subject: My holiday"), "jo@customer.example"), index(state)).reason == "new", (
        "a person"
    )


@shared
@pytest.mark.parametrize(
    ("file", "swap", "customer"),
    [
        ("formail-ok.eml", "deebkrxwbdhg6smo.k5n7hn2n4t5q2wsra3u2i32mxtwluv3denuzouglu2m@shop.example", "person-formail@customer.example"),
        ("eximvac-ok.eml", "akhwefxaabzjqygh.ktlshdwxc3grxitt3cv5cwjfdb5fiw62uuhjom2akgm@shop.example", "person-eximvac@customer.example"),
        ("dovecotvac-ok.eml", "3xke53hthd7qvqpb.kgsp6he74kzj2pr272lw35kqkgxutskfisydrvsyfvq@shop.example", "person-dovecotvac@customer.example"),
        ("vac-ok.eml", "", "person-vac@customer.example"),
    ],
)  # fmt: skip
def test_servers_absence_notes_are_shown_on_the_closed_ticket(file: str, swap: str, customer: str) -> None:
    state = answered(customer)
    rows = {
        json.loads(line)["file"]: json.loads(line)
        for line in (SHARED / "servers/expect.jsonl").read_text().splitlines()
    }
    decision = comes(state, (SHARED / "servers" / file).read_bytes(), rows[file]["envelope_from"].strip("<>"), swap)
    assert decision.state is not None
    assert (decision.state.id, decision.state.status) == (state.id, "closed")
    assert message_of(decision).message.quiet


@shared
@pytest.mark.parametrize("file", ["roundcube-mdn-de.eml", "roundcube-mdn.eml", "sogo-mdn.eml"])
def test_a_receipt_goes_quietly_to_its_ticket_and_opens_none(file: str) -> None:
    raw = (SHARED / "webmail" / file).read_bytes()
    row = next(
        r for r in map(json.loads, (SHARED / "webmail/expect.jsonl").read_text().splitlines()) if r["file"] == file
    )
    sender = (
        "kims@customer.example"
        if "sogo" in file
        else "kimde@customer.example"
        if "-de" in file
        else "kim@customer.example"
    )
    state = answered(sender)
    decision = comes(state, raw, sender, row["answers"])
    assert decision.state is not None
    assert (decision.state.id, decision.state.status) == (state.id, "closed")
    assert message_of(decision).message.quiet
    strange = run(None, placed(arrived(raw, sender)))
    if "sogo" in file:
        assert types(strange) == ["input_ignored"], "what fits no mail of ours makes no ticket"


@shared
@pytest.mark.parametrize(
    "path",
    [
        "desktop/syl-redirect.eml",
        "desktop/cases/8-redirect-of-our-answer/kmail-redirect.eml",
        "programs/mutt-bounceown.eml",
    ],
)
def test_our_own_mail_that_a_person_passes_on_is_shown_as_theirs(path: str) -> None:
    import re

    raw = (SHARED / path).read_bytes()
    sender = re.search(rb"(?im)^resent-from:.*?([\w.-]+@[\w.-]+)", raw).group(1).decode()  # type: ignore[union-attr]
    state = answered(sender)
    own = re.findall(rb"(?im)^message-id:\s*<([^>]+)>", raw)[0].decode()
    decision = comes(state, raw, sender, own)
    added = message_of(decision).message
    assert added.from_ is not None
    assert (added.from_.email, added.new_sender) == (sender, False)
    assert added.redirected is not None
    assert decision.state is not None
    assert decision.state.status == "open"
    assert decision.state.quote == state.quote, "our own words are no quotation of the customer's"
    returned = re.sub(rb"(?im)^resent-[a-z-]+:.*(?:\r?\n[ \t].*)*\r?\n", b"", raw)
    assert types(comes(state, returned, sender, own)) == ["input_ignored"], "without it, our own mail came back"
    by_us = raw.replace(sender.encode(), b"support@acme.example")
    assert types(comes(state, by_us, sender, own)) == ["input_ignored"]


def test_somebody_unknown_who_passes_our_mail_on_takes_no_part() -> None:
    state = answered()
    raw = plain(
        f"X-Mailroom-Id: <{ours(state)}>",
        "Resent-From: Eve <eve@else.example>",
        sender="Shop <shop@customer-shop.example>",
    ).replace(b"next@customer.example", ours(state).encode())
    added = message_of(comes(state, raw, "eve@else.example")).message
    assert added.from_ is not None
    assert (added.from_.email, added.new_sender) == ("eve@else.example", True)


@pytest.mark.parametrize(
    "path",
    sorted((SHARED / "cases" / "39-auto-reply-headers").glob("*.eml")) if SHARED.is_dir() else [],
    ids=lambda path: path.stem,
)
def test_case_39(path: Path) -> None:
    state = answered("alerts@example.org" if "ack" in path.stem else "person@example.org")
    received = arrived(path.read_bytes(), "person@example.org", swaps={"{{OUR_MESSAGE_ID}}": ours(state)})
    automatic = path.stem in ("absence-de", "vacation", "ack-closed")
    assert bool(received.content.automatic_signs) is automatic
    if automatic:
        decision = comes(state, path.read_bytes(), "person@example.org", "{{OUR_MESSAGE_ID}}")
        assert decision.state is not None
        assert (decision.state.id, decision.state.status) == (state.id, "closed")


def test_the_rule_itself() -> None:
    assert is_quiet(Content(out_of_office=True), answers_us=False)
    assert is_quiet(Content(is_receipt=True), answers_us=False)
    assert not is_quiet(
        Content(automatic_signs=["precedence:bulk", "list-id", "x-loop"], is_list=True), answers_us=True
    )
