"""outbound as a process, with the local mailbox as its relay: automatic replies out, refusals, repeats."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mailroom_contracts import OutboundMail, topics
from support.mailbox import Mailbox
from support.outgoing import Installation, installation
from support.processes import ServiceProcess
from support.servers import ValkeyServer
from support.waiting import eventually

START = Callable[..., ServiceProcess]


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tmp_path) as box:
        yield box


@pytest.fixture
async def office(
    kafka: str, valkey: ValkeyServer, topic_prefix: str, tmp_path: Path, mailbox: Mailbox
) -> AsyncIterator[Installation]:
    async with installation(kafka, valkey.url, topic_prefix, str(tmp_path / "data")) as office:
        office.env["MAILROOM_RELAY_URL"] = f"smtp://127.0.0.1:{mailbox.smtp_port}"
        await office.address("support")
        yield office


async def test_an_automatic_reply_goes_out_once(office: Installation, start_service: START, mailbox: Mailbox) -> None:
    order = await office.send(1, "support", "jo@c.example", kind="auto_reply", auto_submitted="auto-replied",
                              in_reply_to="x@c.example", references=["x@c.example"])  # fmt: skip
    await office.producer.send(topics.EMAIL_OUTBOUND, order)  # the router repeats itself
    service = start_service("outbound", office.env)
    await eventually(lambda: _states_are(office, order, ["sent"]), what="the report")
    (mail,) = mailbox.call("GET", "/messages")
    headers = {name.lower(): value for name, value in _pairs(mail["headers"])}
    assert headers["auto-submitted"] == "auto-replied"
    assert headers["x-auto-response-suppress"] == "All"
    assert headers["in-reply-to"] == "<x@c.example>"
    assert headers["message-id"] == "<m1@acme.example>"
    report = (await office.reports("o1"))[0]
    assert (report.attempt, report.kind, report.ticket_id, report.message_id) == (1, "auto_reply", "t1", "m1")
    assert report.server_reply
    assert report.server_reply.startswith("250 ")
    await office.nothing_waits()
    # and once more, after it is done: the lane remembers
    await office.producer.send(topics.EMAIL_OUTBOUND, order)
    await office.send(2, "support", "kim@c.example", kind="auto_reply")
    await eventually(lambda: len(mailbox.call("GET", "/messages")) == 2)
    service.terminate()
    service.start()
    await office.producer.send(topics.EMAIL_OUTBOUND, order)
    await office.send(3, "support", "lee@c.example", kind="auto_reply")
    await eventually(lambda: len(mailbox.call("GET", "/messages")) >= 3)
    await eventually(lambda: _nothing_waits(office))
    assert sorted(m["to"][0] if isinstance(m["to"], list) else m["to"] for m in mailbox.call("GET", "/messages")) == [
        "jo@c.example", "kim@c.example", "lee@c.example",
    ]  # fmt: skip
    assert await office.states("o1") == ["sent"]


async def test_what_may_not_leave_is_refused(office: Installation, start_service: START, mailbox: Mailbox) -> None:
    await office.address("off", active=False)
    start_service("outbound", office.env)
    await office.send(1, "support", "jo@c.example", kind="reply")
    await office.send(2, "off", "jo@c.example", kind="auto_reply")
    await office.send(3, "nobody", "jo@c.example", kind="reply")
    await office.send(4, "support", "jo@c.example", kind="auto_reply", portal_id="p2")
    await office.send(
        5, "support", "jo@c.example", kind="auto_reply", not_after=datetime.now(UTC) - timedelta(seconds=1)
    )
    await office.send(6, "support", "jo@c.example", kind="probe")
    await eventually(lambda: _nothing_waits(office, 6), 20)
    reports = {r.outbound_id: r for r in await office.reports()}
    assert {k: r.state for k, r in reports.items()} == {
        "o1": "refused", "o2": "refused", "o3": "refused", "o4": "refused", "o5": "failed", "o6": "sent",
    }  # fmt: skip
    assert "only receives" in (reports["o1"].reason or "")
    assert "in time" in (reports["o5"].reason or "")
    assert len(mailbox.call("GET", "/messages")) == 1


async def test_deferred_cancelled_failed_and_sent_later(
    office: Installation, start_service: START, mailbox: Mailbox
) -> None:
    mailbox.call("POST", "/behaviour", {"mode": "defer", "to": "later@c.example"})
    service = start_service("outbound", office.env)
    order = await office.send(1, "support", "later@c.example", kind="auto_reply")
    gone = await office.send(2, "support", "later@c.example", kind="auto_reply")
    await eventually(lambda: _state_seen(office, "o1", "deferred"))
    await eventually(lambda: _state_seen(office, "o2", "deferred"))
    await office.producer.send(
        topics.EMAIL_OUTBOUND,
        OutboundMail.model_validate({**gone.model_dump(by_alias=True), "action": "cancel"}),
    )
    await eventually(lambda: _state_seen(office, "o2", "cancelled"))
    service.kill()  # the schedule survives
    mailbox.call("POST", "/behaviour", {"mode": "refuse", "to": "no@c.example"})
    service.start()
    await office.send(3, "support", "no@c.example", kind="auto_reply")
    await eventually(lambda: _state_seen(office, "o1", "sent"), 30)
    await eventually(lambda: _state_seen(office, "o3", "failed"))
    deferred = next(r for r in await office.reports("o1") if r.state == "deferred")
    assert deferred.next_try_at is not None
    assert "451" in (deferred.reason or "")
    failed = (await office.reports("o3"))[0]
    assert failed.recipients[0].recipient == "no@c.example"
    assert failed.recipients[0].status == "5.1.1"
    await eventually(lambda: _nothing_waits(office))
    assert [m["to"] for m in mailbox.call("GET", "/messages")] in (["later@c.example"], [["later@c.example"]])
    assert order.id == "o1"


async def test_long_bodies_and_poison(office: Installation, start_service: START, mailbox: Mailbox) -> None:
    service = start_service("outbound", office.env)
    name = topics.EMAIL_OUTBOUND.full_name(office.settings.topic_prefix)
    await (await office.producer.post_raw(name, key=b"x", value=b"{broken", headers=[]))
    lanes = topics.EMAIL_LANES.full_name(office.settings.topic_prefix)
    for partition in range(2):
        await (await office.producer.post_raw(lanes, key=b"y", value=b"[]", headers=[], partition=partition))
    long = "A long line of text that makes the body long.\n" * 2000
    await office.send(1, "support", "jo@c.example", kind="auto_reply", text=long)
    await eventually(lambda: _state_seen(office, "o1", "sent"))
    assert mailbox.call("GET", "/messages")[0]["text"].strip() == long.strip()
    entries = await office.read_entries()
    assert all(len(e.order.text) < 100 for e in entries if e.outbound_id == "o1")
    dead = topics.EMAIL_LANES.dead_name(office.settings.topic_prefix)
    await eventually(lambda: f'mailroom_published_total{{topic="{dead}"}} 2.0' in service.metrics())
    service.kill()
    service.start()
    await office.send(2, "support", "jo@c.example", kind="auto_reply")
    await eventually(lambda: _state_seen(office, "o2", "sent"))


async def _states_are(office: Installation, order: OutboundMail, states: list[str]) -> bool:
    return await office.states(order.id) == states


async def _state_seen(office: Installation, outbound_id: str, state: str) -> bool:
    return state in await office.states(outbound_id)


async def _nothing_waits(office: Installation, reports: int = 0) -> bool:
    return len(await office.reports()) >= reports and not await office.lanes()


def _pairs(headers: Any) -> list[tuple[str, str]]:
    return list(headers.items()) if isinstance(headers, dict) else [tuple(pair) for pair in headers]
