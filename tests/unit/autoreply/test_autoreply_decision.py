"""Each reason of DESIGN section 5 for keeping silent, and the one case that answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mailroom_autoreply.answer import command
from mailroom_autoreply.decision import Answer, Silence, decide, sender_key
from mailroom_contracts import (
    Actor,
    Address,
    AutoReply,
    MessageAdded,
    Person,
    Portal,
    Queue,
    TicketCreated,
    TicketMessage,
    Verdicts,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADDRESS = Address(
    id="ad1",
    portal_id="p1",
    kind="internal",
    email="support@acme.example",
    queue_id="q1",
    auto_reply=AutoReply(enabled=True, subject="Got it {{ticket.number}}", content="Dear {{customer.name}}"),
)


def created(**changes: Any) -> TicketCreated:
    values: dict[str, Any] = {
        "id": "e1", "ticket_id": "t1", "portal_id": "p1", "version": 1, "at": NOW, "causation_id": "r1",
        "actor": Actor(kind="router"), "number": "MR-1", "queue_id": "q1", "address_id": "ad1", "root": "x@c.example",
        "subject": "My order", "customer": Person(email="Jo@Customer.example", name="Jo"), "receipt_id": "r1",
        "received_at": NOW - timedelta(seconds=2),
    }  # fmt: skip
    return TicketCreated(**{**values, **changes})


def added(**changes: Any) -> MessageAdded:
    values: dict[str, Any] = {
        "id": "m1", "direction": "in", "kind": "mail", "from_": Person(email="Jo@Customer.example", name="Jo"),
        "receipt_id": "r1", "address_id": "ad1", "at": NOW,
    }  # fmt: skip
    return MessageAdded(
        id="e2", ticket_id="t1", portal_id="p1", version=2, at=NOW, causation_id="r1", actor=Actor(kind="router"),
        message=TicketMessage(**{**values, **changes}),
    )  # fmt: skip


def ask(the_created: TicketCreated, the_added: MessageAdded, **changes: Any) -> Answer | Silence:
    values: dict[str, Any] = {
        "address": ADDRESS,
        "portal": Portal(id="p1", name="Acme", domains=["acme.example"]),
        "is_ours": lambda email: email.lower().endswith("@acme.example"),
        "now": NOW,
    }
    return decide(the_created, the_added, **{**values, **changes})


def test_a_persons_first_mail_is_answered() -> None:
    answer = ask(created(), added())
    assert answer == Answer("jo@customer.example", NOW - timedelta(seconds=2) + timedelta(hours=24))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"direction": "out"}, "not_a_mail"),
        ({"kind": "out_of_office"}, "not_a_mail"),
        ({"kind": "bounce"}, "not_a_mail"),
        ({"copy_of": "m0"}, "not_a_mail"),
        ({"receipt_id": "r2"}, "not_the_first_mail"),
        ({"automatic_signs": ["Auto-Submitted"]}, "automatic_mail"),
        ({"automatic_signs": ["List-Id"]}, "automatic_mail"),
        ({"spam": True}, "spam"),
        ({"verdicts": Verdicts(dmarc="fail")}, "dmarc_failed"),
        ({"from_": Person(email="ana@acme.example")}, "own_address"),
        ({"from_": None}, "no_sender"),
        ({"from_": Person(email="nobody")}, "no_sender"),
    ],
)
def test_silence_because_of_the_mail(message: dict[str, Any], reason: str) -> None:
    assert ask(created(), added(**message)) == Silence(reason)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (None, "address_inactive"),
        (ADDRESS.model_copy(update={"active": False}), "address_inactive"),
        (ADDRESS.model_copy(update={"portal_id": "p2"}), "address_inactive"),
        (ADDRESS.model_copy(update={"auto_reply": AutoReply(enabled=False)}), "switched_off"),
    ],
)
def test_silence_because_of_the_address(address: Address | None, reason: str) -> None:
    assert ask(created(), added(), address=address) == Silence(reason)


def test_silence_when_our_own_address_is_the_customer() -> None:
    assert ask(created(customer=Person(email="sales@acme.example")), added()) == Silence("own_address")


def test_silence_a_day_later() -> None:
    assert ask(created(), added(), now=NOW + timedelta(hours=24)) == Silence("too_late")


def test_silence_during_an_import() -> None:
    assert ask(created(imported=True), added()) == Silence("imported")


def test_a_forwarded_mail_is_answered() -> None:
    assert isinstance(ask(created(), added(verdicts=Verdicts(spf="forwarded", dmarc="forwarded"))), Answer)


def test_sub_addresses_and_case_count_as_one_sender() -> None:
    assert sender_key("Jo+Shop@Customer.Example") == sender_key("jo@customer.example") == "jo@customer.example"


def test_the_command_is_the_same_for_the_same_ticket() -> None:
    def build(now: datetime) -> Any:
        return command(
            created(), address=ADDRESS, queue=Queue(id="q1", portal_id="p1", name="S"), not_after=NOW, now=now
        )

    first, second = build(NOW), build(NOW + timedelta(minutes=5))
    assert first.id == second.id
    assert first.to.email == "Jo@Customer.example"
    assert (first.subject, first.text) == ("Got it MR-1", "Dear Jo\n")


def test_behind_a_list_only_a_person_who_is_sure_is_answered_and_never_the_list() -> None:
    rita = Person(email="rita@customer.example", name="Rita")
    by_list = {
        "from_": Person(email="users@lists.example", name="Rita via Users"),
        "lists": ["users@lists.example"],
        "written_by": rita,
    }
    mine = created(customer=rita)
    for grade in ("proven", "vouched"):
        assert isinstance(ask(mine, added(**by_list, written_by_grade=grade)), Answer)
    assert ask(mine, added(**by_list, written_by_grade="claimed")) == Silence("mailing_list")
    of_list = created(customer=by_list["from_"])
    for grade in ("unknown", "claimed", "vouched", "direct"):
        nobody = added(**{**by_list, "written_by": None}, written_by_grade=grade)
        assert ask(of_list, nobody) == Silence("mailing_list")
    assert ask(mine, added(**by_list, written_by_grade="proven", automatic_signs=["list-id"])) == Silence(
        "automatic_mail"
    )


def test_a_form_of_our_own_answers_the_customer_in_reply_to() -> None:
    buyer = Person(email="buyer@example.org")
    form = added(from_=Person(email="support@acme.example"), written_by=buyer, written_by_grade="claimed")
    assert isinstance(ask(created(customer=buyer), form), Answer)
    ours = added(from_=Person(email="support@acme.example"))
    assert ask(created(customer=Person(email="support@acme.example")), ours) == Silence("own_address")
