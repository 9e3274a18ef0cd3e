"""Mails that come within a moment are stored and published together, and answered after that."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from mailroom_contracts import EmailReceived
from mailroom_ingest_smtp import replies
from mailroom_ingest_smtp.acceptance import Acceptance
from mailroom_ingest_smtp.authentication import NoJudge
from mailroom_ingest_smtp.recipients import Recipient
from mailroom_ingest_smtp.session import Delivery
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.bus.pulse import Pulse

HERE = Recipient("support@acme.example", "p1", "ad1")


class Bus:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, _: object, event: EmailReceived, **__: object) -> None:
        self.sent.append(event.content.subject or "")


async def test_nothing_is_stored_or_answered_before_the_beat_and_all_is_after_it(tmp_path: Path) -> None:
    bus, pulse = Bus(), Pulse(60.0, calm_s=60.0)
    acceptance = Acceptance(
        cast(Any, bus), BlobStore(tmp_path.as_uri()), NoJudge(), pulse, inline_limit=200_000, timeout_s=5.0
    )

    def mail(number: int) -> asyncio.Task[list[replies.Reply]]:
        raw = f"From: a@b.example\r\nSubject: {number}\r\nMessage-ID: <{number}@b.example>\r\n\r\nHi\r\n".encode()
        delivery = Delivery(
            raw, "a@b.example", [HERE], "192.0.2.1", "mx", tls=False, lmtp=False, from_front=False, connection=number
        )
        return asyncio.create_task(acceptance.take(delivery))

    for number in (1, 2, 3):
        pulse._active_with(number)  # three connections have sent mail a moment ago
    first = [mail(1), mail(2)]
    while pulse._waiting < len(first):
        await asyncio.sleep(0)
    assert bus.sent == []
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*first, mail(3))
    assert sorted(bus.sent) == ["1", "2", "3"]
    assert all(answer[0].text.startswith("250 ") for answer in answers)
    assert len(list(tmp_path.rglob("*.pack"))) == 1


async def test_a_mail_for_several_portals_waits_once(tmp_path: Path) -> None:
    beats: list[int] = []

    class Counted(Pulse):
        async def next(self, who: object = None) -> None:
            beats.append(1)

    bus = Bus()
    acceptance = Acceptance(
        cast(Any, bus), BlobStore(tmp_path.as_uri()), NoJudge(), Counted(60.0), inline_limit=200_000, timeout_s=5.0
    )
    there = [HERE, Recipient("help@other.example", "p2", "ad2")]
    raw = b"From: a@b.example\r\nSubject: both\r\nMessage-ID: <1@b.example>\r\n\r\nHi\r\n"
    delivery = Delivery(
        raw, "a@b.example", there, "192.0.2.1", "mx", tls=False, lmtp=False, from_front=False, connection=1
    )
    await acceptance.take(delivery)
    assert bus.sent == ["both", "both"]
    assert beats == [1]
