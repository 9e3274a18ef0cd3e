"""What one portal sets never changes what another's mail does: any configuration of a second portal, the same outcome.

Left out is what the console never lets anybody have: the first portal's domains, addresses and ids as one's own
(`test_console_keeping_apart`). References to them are in: whoever writes a record may name anything.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mailroom_autoreply.decision import decide as answer
from mailroom_contracts import (
    Address,
    Agent,
    EmailReceived,
    Forwarder,
    Message,
    MessageAdded,
    Portal,
    Queue,
    Reply,
    SmtpAccount,
    TicketCreated,
    Topic,
    Trace,
    Verdicts,
    topics,
)
from mailroom_ingest_smtp.paths import Path
from mailroom_ingest_smtp.recipients import decide as recipient
from mailroom_outbound.refusals import refusal
from mailroom_router.conversation import Known, clues, route
from mailroom_router.placement import places
from mailroom_router.ticket import Context, decide, finish
from mailroom_runtime.book import Book
from support.router_desk import NOW, RING, command
from support.router_world import acme, mail

CUSTOMER, SHOP = "jo@customer.example", "shop@customer-shop.example"
IDS = st.sampled_from(["ad1", "ad4", "q1", "q2", "a1", "a2"])  # the first portal's: what is one's own harms nobody
EMAILS = st.sampled_from([CUSTOMER, "help@other.example", "x@customer-shop.example"])
NAMES = st.sampled_from(
    ["customer.example", "acme.example", "other.example", "10.0.0.0/8", CUSTOMER, "list@customer.example"]
)
OWN_DOMAINS = st.lists(
    st.sampled_from(["other.example", "customer.example", "mail.acme.example", "example"]), max_size=3
)
FORWARDERS = st.lists(st.builds(Forwarder, kind=st.sampled_from(["spf_domain", "arc", "dkim", "network", "list"]), value=NAMES),
                      max_size=2)  # fmt: skip
SWITCH = st.booleans()
PORTALS = st.builds(
    Portal, id=st.just("p2"), name=st.just("Other"), domains=OWN_DOMAINS, active=SWITCH, revision=st.integers(1, 99),
    follow_up_after_days=st.integers(0, 99), undo_send_s=st.integers(0, 60), known_days=st.integers(30, 400),
    blocked=st.lists(st.sampled_from([CUSTOMER, "customer.example", "support@acme.example"]), max_size=2),
)  # fmt: skip
ADDRESSES = st.builds(
    Address, id=st.sampled_from(["b1", "b2", "b3"]), portal_id=st.just("p2"), kind=st.sampled_from(["smtp", "smtp", "internal", "gmail"]),
    email=EMAILS, queue_id=IDS, prefer_online=SWITCH, active=SWITCH, forwards_to=st.sampled_from(["ad1", "ad4"]), forwarders=FORWARDERS,
    number_in_subject=SWITCH, plus_replies=SWITCH, signature=st.just("Other"), revision=st.integers(1, 99),
    smtp=st.just(SmtpAccount(host="h.example", port=587, tls="none", username="x")),
)  # fmt: skip
QUEUES = st.builds(Queue, id=st.sampled_from(["q9", "r1"]), portal_id=st.just("p2"), name=st.just("Support"),
                   agent_ids=st.lists(IDS, max_size=4))  # fmt: skip
AGENTS = st.builds(Agent, id=st.sampled_from(["a9", "c1"]), portal_id=st.just("p2"), email=EMAILS, name=st.just("Cy"),
                   queue_ids=st.lists(IDS, max_size=4), active=SWITCH)  # fmt: skip
OTHERS = st.lists(
    st.one_of(
        st.tuples(st.just(topics.PORTALS), PORTALS), st.tuples(st.just(topics.ADDRESSES), ADDRESSES),
        st.tuples(st.just(topics.QUEUES), QUEUES), st.tuples(st.just(topics.AGENTS), AGENTS),
    ),
    min_size=1, max_size=8,
)  # fmt: skip

MAILS: list[EmailReceived] = [
    mail(1),
    mail(2, rcpt=("support+x@acme.example", "sales@acme.example"), to=()),
    mail(3, rcpt=("shop@acme.example",), to=(SHOP,)),
    mail(4, rcpt=("shop@acme.example",), to=("x@y.example",), traces=[Trace(header="Delivered-To", address="help@other.example")]),
    mail(5, rcpt=("support@acme.example",), to=("help@other.example",), client_ip="10.0.0.9",
         verdicts=Verdicts(spf="pass", spf_domain="customer.example", dmarc="fail")),
    mail(6, sender="help@other.example"),
    mail(7, references=["r1@acme.example"], in_reply_to=["r1@acme.example"]),
]  # fmt: skip


class Directory:
    """The intake's view of a book."""

    def __init__(self, book: Book) -> None:
        self.address_by_email, self.portal_of_domain = book.address_by_email, book.portal_of_domain
        self._book = book

    def addresses_of_portal(self, portal_id: str) -> Any:
        return (a for a in self._book.addresses.values() if a.portal_id == portal_id)

    def home_domain(self) -> str | None:
        return None

    def fresh(self) -> bool:
        return True


def book_with(others: list[tuple[Topic, Message]]) -> Book:
    book = Book()
    for topic, message in (*acme(), *others):
        if isinstance(message, Address) and message.portal_id == "p1":
            reply = message.auto_reply.model_copy(update={"enabled": True})
            message = message.model_copy(update={"auto_reply": reply})
        book.apply(topic.name, message.record_key, message)
    return book


def outcome(book: Book) -> str:
    """Everything that becomes of the first portal's mail: who may receive, tickets, answers, orders, as one text."""
    said: list[Any] = []
    context = Context(book, RING, NOW, frozenset({"a1", "a2"}))
    for domain in ("acme.example",):
        said += [
            recipient(Path(local, domain), Directory(book)) for local in ("support", "sales+1", "postmaster", "nobody")
        ]
    for received in MAILS:
        for routed in route(
            received, places(received, book), clues(received, RING), Known(), partial(book.is_ours, portal_id="p1")
        ):
            draft = decide(None, routed, context)
            decision = finish(draft, "a1" if draft.wanted else None)
            said += [event.model_dump(mode="json") for event in decision.events]
            said += [book.agents_of(queue, "p1") for queue in ("q1", "q2")]
            state = decision.state
            assert state is not None
            replied = finish(decide(state, command(Reply, state, text="Hello", from_address_id="ad3"), context), None)
            said += [event.model_dump(mode="json") for event in replied.events]
            orders = replied.orders
            said += [order.model_dump(mode="json") for order in orders]
            said += [refusal(order, book.address(order.address_id), book.portals.get("p1")) for order in orders]
            created = next((e for e in decision.events if isinstance(e, TicketCreated)), None)
            added = next((e for e in decision.events if isinstance(e, MessageAdded)), None)
            if created is not None and added is not None:
                said.append(answer(created, added, address=book.address(created.address_id), portal=book.portals["p1"], now=NOW,
                                   is_ours=partial(book.is_house, portal_id="p1")))  # fmt: skip
    return json.dumps(said, default=str, sort_keys=True)


@hypothesis_settings(max_examples=80, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(OTHERS)
def test_whatever_another_portal_sets_the_firsts_mail_does_the_same(others: list[tuple[Topic, Message]]) -> None:
    assert outcome(book_with(others)) == ALONE


ALONE = outcome(book_with([]))


def test_the_sweep_looks_at_every_setting() -> None:
    """A new field of a record belongs into the strategies above, or is named here with why it touches no mail."""
    drawn = {
        Portal: {"id", "name", "domains", "active", "revision", "follow_up_after_days", "known_days", "undo_send_s", "blocked"},
        Address: {"id", "portal_id", "kind", "email", "queue_id", "prefer_online", "active", "forwards_to", "forwarders",
                  "number_in_subject", "plus_replies", "signature", "revision", "smtp"},
        Queue: {"id", "portal_id", "name", "agent_ids"},
        Agent: {"id", "portal_id", "email", "name", "queue_ids", "active"},
    }  # fmt: skip
    # read where the address or portal is one's own only: its keys, its account, its words, its hours; or by nobody but people
    by_their_own = {"dkim", "office_hours", "auto_reply", "full_name", "gmail", "role", "revision", "updated_at"}
    for model, fields in drawn.items():
        assert set(model.model_fields) - fields <= by_their_own, model


def test_the_sweep_would_see_a_leak() -> None:
    """An address of the second portal that forwards to the first's, were it believed."""
    book = book_with([])
    shop = book.addresses["ad3"].model_copy(update={"id": "b1", "queue_id": "q2"})
    book.apply("addresses", "b1", shop)
    assert outcome(book) != ALONE
