"""Which address and queue a mail reached: envelope, forwarding traces, visible recipients, learned forwarders."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_contracts import Address, EmailReceived, Forwarder, SmtpAccount, Trace, Verdicts
from mailroom_router.placement import places, settled, undecided
from mailroom_runtime.book import Book
from support.router_world import acme, mail


def book(**shop: Any) -> Book:
    made = Book()
    for topic, message in acme():
        if message.record_key == "ad3":
            message = message.model_copy(update={"queue_id": "q2", **shop})
        made.apply(topic.name, message.record_key, message)
    return made


SHOP = "shop@customer-shop.example"


def reached(received: EmailReceived, made: Book | None = None) -> list[tuple[str, str]]:
    return [(p.address_id, p.queue_id) for p in places(received, made or book())]


def test_plain_internal_address() -> None:
    assert reached(mail()) == [("ad1", "q1")]


def test_plus_tag_and_case_are_looked_through() -> None:
    assert reached(mail(rcpt=("Support+abc@ACME.example",))) == [("ad1", "q1")]


def test_one_mail_to_two_queues_reaches_both_and_one_queue_only_once() -> None:
    received = mail(rcpt=("support@acme.example", "sales@acme.example"), to=())
    assert reached(received) == [("ad1", "q1"), ("ad2", "q2")]
    both = mail(rcpt=("support@acme.example", "shop@acme.example"), to=())
    assert reached(both) == [("ad1", "q1")]


@pytest.mark.parametrize("header", ["Delivered-To", "X-Forwarded-For", "X-Forwarded-To", "X-Original-To", "Received"])
def test_forwarded_mail_is_the_smtp_addresss_by_its_trace(header: str) -> None:
    received = mail(rcpt=("shop@acme.example",), to=("x@y.example",), traces=[Trace(header=header, address=SHOP)])
    assert reached(received) == [("ad3", "q2")]


@pytest.mark.parametrize("stored", ["info@xn--strae-oqa.example", "info@straße.example"])
@pytest.mark.parametrize("seen", ["info@straße.example", "INFO@Straße.Example", "info@xn--strae-oqa.example"])
def test_a_domain_matches_in_every_spelling(stored: str, seen: str) -> None:
    made = book(email=stored)
    traced = mail(rcpt=("shop@acme.example",), to=("x@y.example",), traces=[Trace(header="Received", address=seen)])
    assert reached(traced, made) == [("ad3", "q2")]
    assert reached(mail(rcpt=("shop@acme.example",), to=(seen,)), made) == [("ad3", "q2")]
    stranger = mail(rcpt=("shop@acme.example",), to=("info@strasse.example",))
    assert reached(stranger, made) == [("ad4", "q1")]


def test_trace_goes_before_visible_recipients() -> None:
    received = mail(
        rcpt=("shop@acme.example",), to=("shop@acme.example",), traces=[Trace(header="Delivered-To", address=SHOP)]
    )
    assert reached(received) == [("ad3", "q2")]


def test_without_trace_the_visible_recipient_decides() -> None:
    assert reached(mail(rcpt=("shop@acme.example",), to=(SHOP,))) == [("ad3", "q2")]
    assert reached(mail(rcpt=("shop@acme.example",), to=("shop@acme.example",))) == [("ad4", "q1")]


def test_both_visible_and_no_trace_reaches_both() -> None:
    received = mail(rcpt=("shop@acme.example",), to=(SHOP, "shop@acme.example"))
    assert sorted(reached(received)) == [("ad3", "q2"), ("ad4", "q1")]


FORWARDERS = [
    (Forwarder(kind="spf_domain", value="fwd.example"), {"verdicts": Verdicts(spf="pass", spf_domain="fwd.example")}),
    (Forwarder(kind="arc", value="fwd.example"), {"verdicts": Verdicts(arc="pass", arc_domain="fwd.example")}),
    (Forwarder(kind="network", value="192.0.2.0/24"), {"client_ip": "192.0.2.9", "verdicts": Verdicts(spf="fail")}),
]


@pytest.mark.parametrize(("forwarder", "facts"), FORWARDERS)
def test_mail_from_a_learned_forwarder_without_any_sign(forwarder: Forwarder, facts: dict[str, Any]) -> None:
    received = mail(rcpt=("shop@acme.example",), to=("list@elsewhere.example",), **facts)
    assert reached(received, book(forwarders=[forwarder])) == [("ad3", "q2")]
    assert reached(received, book()) == [("ad4", "q1")]


def test_only_the_learned_forwarder_earns_the_verdict_forwarded() -> None:
    made = book(forwarders=[Forwarder(kind="network", value="192.0.2.0/24")])
    verdicts = Verdicts(spf="fail", dmarc="fail", dmarc_policy="reject")
    known = mail(rcpt=("shop@acme.example",), to=(SHOP,), client_ip="192.0.2.9", verdicts=verdicts, spam=True)
    (place,) = places(known, made)
    assert (place.verdicts.spf, place.verdicts.dmarc, place.verdicts.forwarded_by) == (
        "forwarded", "forwarded", "192.0.2.0/24",
    )  # fmt: skip
    assert not place.spam
    stranger = mail(rcpt=("shop@acme.example",), to=(SHOP,), client_ip="198.51.100.1", verdicts=verdicts)
    (place,) = places(stranger, made)
    assert place.verdicts.dmarc_failed
    assert place.verdicts.forwarded_by is None
    # straight to the internal address nothing is explained, whoever delivers it
    direct = mail(rcpt=("support@acme.example",), client_ip="192.0.2.9", verdicts=verdicts)
    assert places(direct, made)[0].verdicts.dmarc_failed


def test_deleted_address_falls_back_to_a_queue_of_the_portal_and_no_queue_gives_none() -> None:
    assert reached(mail(rcpt=("gone@acme.example",))) == [("", "q1")]
    assert reached(mail(rcpt=("gone@nobody.example",), portal="p7")) == []


def test_another_portals_address_is_never_reached() -> None:
    assert reached(mail(rcpt=("help@other.example", "support@acme.example"))) == [("ad1", "q1")]


def test_inactive_smtp_address_is_not_reached_by_forwarding() -> None:
    made = book(active=False)
    assert reached(mail(rcpt=("shop@acme.example",), to=(SHOP,)), made) == [("ad4", "q1")]


def test_book_follows_changes() -> None:
    made = book()
    moved = Address(
        id="ad3", portal_id="p1", kind="smtp", email="new@customer-shop.example", queue_id="q2", forwards_to="ad1",
        smtp=SmtpAccount(host="h", port=25, tls="none", username="u"),
    )  # fmt: skip
    made.apply("addresses", "ad3", moved)
    assert made.linked("ad4") == []
    assert [a.id for a in made.linked("ad1")] == ["ad3"]
    assert made.by_email(SHOP) is None
    made.apply("addresses", "ad3", None)
    assert made.linked("ad1") == []
    assert made.agents_of("q1", "p1") == ["a1", "a2"]
    made.apply("agents", "a2", made.agents["a2"].model_copy(update={"active": False}))
    assert made.agents_of("q1", "p1") == ["a1"]
    assert made.agents_of("q1", "p2") == []


BY_SPF = Forwarder(kind="spf_domain", value="fwd.example")


def two_shops(forwarder: Forwarder = BY_SPF) -> Book:
    """Two addresses, forwarded by one server to one internal address."""
    made = book(forwarders=[forwarder])
    other = made.addresses["ad3"].model_copy(
        update={"id": "ad5", "email": "sales@customer-shop.example", "queue_id": "q1"}
    )
    made.apply("addresses", "ad5", other)
    return made


BCC = mail(rcpt=("shop@acme.example",), to=("undisclosed@c.example",),
           verdicts=Verdicts(spf="pass", spf_domain="fwd.example"))  # fmt: skip


def test_a_mail_that_may_be_for_two_addresses_is_for_one() -> None:
    made = two_shops()
    assert {a.id for a in undecided(BCC, made)} == {"ad3", "ad5"}
    assert [p.address_id for p in places(BCC, made, "ad5")] == ["ad5"]
    assert [p.address_id for p in places(BCC, made, "ad3")] == ["ad3"]
    assert [(p.address_id, p.queue_id) for p in places(BCC, made)] == [("ad4", "q1")], "the internal one's own queue"
    assert [(p.address_id, p.queue_id) for p in places(BCC, made, "gone")] == [("ad4", "q1")]
    # a mail that says for whom it is, is not in doubt, whoever forwards it
    named = mail(rcpt=("shop@acme.example",), to=(SHOP,), verdicts=Verdicts(spf="pass", spf_domain="fwd.example"))
    assert undecided(named, made) == []
    assert [p.address_id for p in places(named, made, "ad5")] == ["ad3"]
    assert undecided(BCC, book(forwarders=[BY_SPF])) == []


def test_a_ticket_that_is_answered_goes_before_whom_the_sender_wrote_to_last() -> None:
    among = undecided(BCC, two_shops())
    assert settled(among, ["ad5"], "ad3") == "ad5"
    assert settled(among, ["ad1"], "ad3") == "ad3"
    assert settled(among, [], "ad1") is None
    assert settled(among, [], None) is None


_TRACED = st.sampled_from([(), (SHOP,), ("sales@customer-shop.example",), ("else@x.example",)])
_VISIBLE = st.sampled_from(
    [("undisclosed@c.example",), (SHOP,), ("sales@customer-shop.example",), ("shop@acme.example",)]
)


@given(traced=_TRACED, visible=_VISIBLE, forwarded=st.booleans(), chosen=st.sampled_from([None, "ad3", "ad5", "gone"]))
def test_who_is_named_alone_decides_how_many_tickets_a_forwarded_mail_makes(
    traced: tuple[str, ...], visible: tuple[str, ...], forwarded: bool, chosen: str | None
) -> None:
    verdicts = Verdicts(spf="pass", spf_domain="fwd.example") if forwarded else Verdicts(spf="none")
    received = mail(rcpt=("shop@acme.example",), to=visible, verdicts=verdicts,
                    traces=[Trace(header="Delivered-To", address=address) for address in traced])  # fmt: skip
    made = two_shops()
    reached_there = places(received, made, chosen)
    assert len(reached_there) == 1
    if undecided(received, made):
        assert forwarded
        assert reached_there[0].address_id == (chosen if chosen in ("ad3", "ad5") else "ad4")
    else:
        assert reached_there == places(received, made), "nobody's habit moves a mail that says for whom it is"


def test_a_mail_that_stays_with_the_internal_address_was_forwarded_all_the_same() -> None:
    failing = mail(rcpt=("shop@acme.example",), to=("undisclosed@c.example",), client_ip="192.0.2.7",
                   verdicts=Verdicts(spf="fail", dmarc="fail"))  # fmt: skip
    made = two_shops(Forwarder(kind="network", value="192.0.2.0/24"))
    assert [(p.address_id, p.verdicts.spf, p.verdicts.dmarc) for p in places(failing, made)] == [
        ("ad4", "forwarded", "forwarded")
    ]
