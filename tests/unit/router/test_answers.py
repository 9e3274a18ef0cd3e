"""Whom an answer goes to: Reply-To as a list, none of ours, everybody once, and what is warned of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Answers, EmailReceived, Person, Trace, Verdicts
from mailroom_router.answers import answers, customer_of, same
from support.router_desk import book
from support.router_world import mail

BOOK = book()


def ours(email: str) -> bool:
    return BOOK.is_ours(email, "p1")


def people(*emails: str) -> list[Person]:
    return [Person(email=e) for e in emails]


def incoming(**more: Any) -> EmailReceived:
    """A mail that reached support@, whoever else it names."""
    return mail(1, **{"rcpt": ("support@acme.example",), **more})


def of(received: EmailReceived, **more: Any) -> Answers:
    assert received.content.from_ is not None
    return answers(received, received.content.from_, ours, domains=BOOK.domains("p1"), **more)


def emails(found: list[Person]) -> list[str]:
    return [p.email for p in found]


def test_from_is_answered_and_everybody_else_is_a_copy() -> None:
    found = of(incoming(to=("support@acme.example", "bob@customer.example"), cc=people("eve@customer.example")))
    assert emails(found.reply.to) == ["jo@customer.example"]
    assert not found.reply.cc
    assert emails(found.reply_all.to) == ["jo@customer.example", "bob@customer.example"]
    assert emails(found.reply_all.cc) == ["eve@customer.example"]


def test_reply_to_is_a_list_and_all_of_it_counts() -> None:
    found = of(incoming(reply_to=people("a@customer.example", "b@customer.example")))
    assert emails(found.reply.to) == ["a@customer.example", "b@customer.example"]


def test_our_own_addresses_in_reply_to_are_left_out() -> None:
    found = of(incoming(reply_to=people("support@acme.example", "c@customer.example")))
    assert emails(found.reply.to) == ["c@customer.example"]
    found = of(incoming(reply_to=people("Support+x@ACME.example")))
    assert emails(found.reply.to) == ["jo@customer.example"], "nothing is left: From"


@pytest.mark.parametrize(
    "form",
    ["support@acme.example", "SUPPORT@acme.example", "support+tag@acme.example", "shop@customer-shop.example",
     "shop@acme.example", "sales@acme.example", "alias@acme.example", "alias@customer-shop.example"],
)  # fmt: skip
def test_none_of_our_addresses_in_any_form_is_answered(form: str) -> None:
    """Plus, case, another channel, the internal address behind an SMTP one, an alias that the server resolved."""
    received = incoming(
        to=("support@acme.example", form), rcpt=("support@acme.example", "alias@acme.example"), cc=people(form),
        reply_to=people(form), traces=[Trace(header="X-Original-To", address="alias@customer-shop.example")],
    )  # fmt: skip
    found = of(received)
    everybody = [*found.reply.to, *found.reply.cc, *found.reply_all.to, *found.reply_all.cc]
    assert {same(e) for e in emails(everybody)} == {"jo@customer.example"}


def test_a_trace_of_somebody_elses_server_makes_nobody_ours() -> None:
    received = incoming(
        to=("support@acme.example", "bob@customer.example"),
        traces=[Trace(header="Delivered-To", address="bob@customer.example")],
    )  # fmt: skip
    assert "bob@customer.example" in emails(of(received).reply_all.to)


def test_what_came_as_bcc_is_answered_to_its_sender_alone() -> None:
    received = incoming(
        to=("crowd@elsewhere.example",), rcpt=("support@acme.example",), cc=people("x@elsewhere.example")
    )
    found = of(received)
    assert found.reply_all == found.reply
    assert emails(found.reply.to) == ["jo@customer.example"]


def test_a_form_on_our_web_site_names_the_customer_in_reply_to() -> None:
    received = incoming(sender="support@acme.example", reply_to=people("kim@customer.example"))
    assert received.content.from_ is not None
    assert customer_of(received, received.content.from_, ours).email == "kim@customer.example"
    assert emails(of(received).reply.to) == ["kim@customer.example"]
    assert customer_of(incoming(), Person(email="jo@customer.example"), ours).email == "jo@customer.example"


def test_a_reply_to_elsewhere_is_told_unless_dmarc_passes() -> None:
    elsewhere = incoming(reply_to=people("other@stranger.example"))
    assert of(elsewhere).warnings == []
    for dmarc in ("none", "temperror"):
        assert of(elsewhere, verdicts=Verdicts(dmarc=dmarc)).warnings == ["reply_to_elsewhere"]
    false = of(elsewhere, verdicts=Verdicts(dmarc="fail"))
    assert (emails(false.reply.to), false.warnings) == (["jo@customer.example"], ["dmarc_failed"])
    below = incoming(reply_to=people("jo@mail.customer.example"))
    assert of(below, verdicts=Verdicts()).warnings == []
    assert of(incoming(), verdicts=Verdicts(dmarc="fail")).warnings == ["dmarc_failed"]


def test_one_mailbox_of_gmail_is_one_recipient() -> None:
    received = incoming(
        sender="jo.doe@gmail.com", to=("support@acme.example", "jodoe@googlemail.com"), cc=people("JoDoe+x@gmail.com")
    )
    assert emails(of(received).reply_all.to) == ["jo.doe@gmail.com"]
    assert not of(received).reply_all.cc


local = st.sampled_from(["jo", "JO", "jo+x", "support", "Support+1", "shop", "bob", "eve", ""])
domain = st.sampled_from(["acme.example", "ACME.example", "customer.example", "customer-shop.example", "gmail.com"])
box = st.builds(lambda a, b: Person(email=f"{a}@{b}" if a else ""), local, domain)


@given(box, st.lists(box, max_size=6), st.lists(box, max_size=6), st.lists(box, max_size=6), st.booleans())
def test_whatever_a_mail_says_nobody_is_asked_twice_and_never_ourselves(
    sender: Person, to: list[Person], cc: list[Person], reply_to: list[Person], hidden: bool
) -> None:
    received = incoming(cc=cc, reply_to=reply_to)
    content = received.content.model_copy(
        update={"from_": sender, "to": to if hidden else [*people("support@acme.example"), *to]}
    )
    received = received.model_copy(update={"content": content})
    found = answers(received, sender, ours)
    for who in (found.reply, found.reply_all):
        everybody = [same(p.email) for p in (*who.to, *who.cc)]
        assert len(everybody) == len(set(everybody))
        # an address of ours is answered only where one of ours wrote and named nobody else
        assert all(not ours(e) or e == same(sender.email) for e in everybody)
    told = {same(p.email) for p in found.reply_all.to}
    if any(not ours(p.email) for p in found.reply.to):
        assert not any(ours(p.email) for p in found.reply.to)
    assert {same(p.email) for p in found.reply.to} <= told, "who is answered alone is answered among all too"
    assert bool(found.reply.to) == bool(sender.email or any(p.email and not ours(p.email) for p in reply_to))
