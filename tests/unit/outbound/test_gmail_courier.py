"""The Gmail courier: once however it ends, in the thread, with what went wrong told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from mailroom_contracts import Person
from mailroom_gmail import Expired, GmailTrouble, Limited, Refused, Revoked, Sent, Temporary
from mailroom_outbound.courier import LEASE_LOST, Deferred, Delivered, Failed, Hold, Letter
from mailroom_outbound.gmail import GmailCourier, UnderWay, with_bcc
from support.outgoing import order_of

RAW = b"Subject: x\r\n\r\nhello\r\n"


class FakeGmail:
    """Takes mails; what happens is set by `trouble`, and `takes` says whether the mail got through all the same."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str | None]] = []
        self.found: list[str] = []
        self.trouble: list[GmailTrouble] = []
        self.takes = False
        self.gate: asyncio.Event | None = None

    async def send(self, raw: bytes, thread_id: str | None, go_on: Callable[[], bool]) -> Sent:
        if self.gate is not None:
            await self.gate.wait()
        trouble = self.trouble.pop(0) if self.trouble else None
        if trouble is None or self.takes:
            self.taken.append((raw, thread_id))
        if trouble is not None:
            raise trouble
        return Sent(f"g{len(self.taken)}", thread_id or "new")

    async def find(self, rfc_message_id: str) -> Sent | None:
        self.found.append(rfc_message_id)
        return Sent("g1", "t1") if self.taken else None

    def close(self) -> None: ...


def letter(**fields: object) -> Letter:
    return Letter(RAW, "shop@gmail.example", ("jo@c.example",), **fields)  # type: ignore[arg-type]


def courier(gmail: FakeGmail, under_way: UnderWay | None = None) -> GmailCourier:
    return GmailCourier(gmail, under_way)  # type: ignore[arg-type]


async def test_a_first_try_is_sent_without_looking_up_in_its_thread() -> None:
    gmail = FakeGmail()
    outcome = await courier(gmail).send(order_of(1, "ad1", "jo@c.example", gmail_thread_id="t1"), letter())
    assert isinstance(outcome, Delivered)
    assert (outcome.gmail_message_id, outcome.gmail_thread_id) == ("g1", "t1")
    assert gmail.taken == [(RAW, "t1")]
    assert gmail.found == []


@pytest.mark.parametrize("again", [{"uncertain": True}, {"tried": True}], ids=["after-a-crash", "after-a-lost-answer"])
async def test_what_got_through_unheard_is_not_sent_again(again: dict[str, bool]) -> None:
    gmail = FakeGmail()
    gmail.trouble, gmail.takes = [Temporary("cut")], True
    order = order_of(1, "ad1", "jo@c.example")
    assert isinstance(await courier(gmail).send(order, letter()), Deferred)
    assert isinstance(await courier(gmail).send(order, letter(**again)), Delivered)
    assert len(gmail.taken) == 1
    assert gmail.found == [order.rfc_message_id]


async def test_what_did_not_get_through_is_sent_again() -> None:
    gmail = FakeGmail()
    gmail.trouble = [Temporary("cut")]
    order = order_of(1, "ad1", "jo@c.example")
    await courier(gmail).send(order, letter())
    assert isinstance(await courier(gmail).send(order, letter(tried=True)), Delivered)
    assert len(gmail.taken) == 1


async def test_a_call_given_up_is_waited_for_by_the_next_try_even_of_a_new_courier() -> None:
    gmail, under_way = FakeGmail(), UnderWay()
    gmail.gate = asyncio.Event()
    order = order_of(1, "ad1", "jo@c.example")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await courier(gmail, under_way).send(order, letter())
    gmail.gate.set()
    assert isinstance(await courier(gmail, under_way).send(order, letter(tried=True)), Delivered)
    assert len(gmail.taken) == 1
    assert under_way == {}


async def test_whoever_lost_the_lane_does_not_send() -> None:
    gmail = FakeGmail()
    assert await courier(gmail).send(order_of(1, "ad1", "jo@c.example"), letter(still_ours=lambda: False)) is LEASE_LOST
    assert gmail.taken == []


async def test_a_deleted_thread_does_not_stop_the_reply() -> None:
    gmail = FakeGmail()
    gmail.trouble = [Expired("no such thread")]
    outcome = await courier(gmail).send(order_of(1, "ad1", "jo@c.example", gmail_thread_id="t1"), letter())
    assert isinstance(outcome, Delivered)
    assert gmail.taken == [(RAW, None)]


async def test_without_a_thread_not_found_is_final() -> None:
    gmail = FakeGmail()
    gmail.trouble = [Expired("gone")]
    assert isinstance(await courier(gmail).send(order_of(1, "ad1", "jo@c.example"), letter()), Failed)


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (Refused("Recipient address required"), Failed("Recipient address required")),
        (Temporary("away"), Deferred("away", Hold.LANE)),
        (Limited("slow down", 90.0), Deferred("slow down", Hold.LANE, retry_after_s=90.0)),
        (Limited("slow down"), Deferred("slow down", Hold.LANE)),
        (Revoked("revoked"), Deferred("Reconnect this address with Google: revoked", Hold.ACCOUNT)),
    ],
    ids=["refused", "away", "limited-until", "limited", "revoked"],
)
async def test_permanent_and_temporary_are_told_apart(trouble: GmailTrouble, outcome: object) -> None:
    gmail = FakeGmail()
    gmail.trouble = [trouble]
    assert await courier(gmail).send(order_of(1, "ad1", "jo@c.example"), letter()) == outcome


async def test_bcc_is_told_to_gmail_which_takes_it_out() -> None:
    order = order_of(1, "ad1", "jo@c.example", bcc=[Person(email="a@c.example"), Person(email="b@c.example")])
    assert with_bcc(RAW, order) == b"Bcc: a@c.example,\r\n b@c.example\r\n" + RAW
    assert with_bcc(RAW, order_of(1, "ad1", "jo@c.example")) == RAW
