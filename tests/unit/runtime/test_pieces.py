"""Pieces of one mail come together once the last is there, in whatever order, within bounds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from mailroom_contracts import Envelope
from mailroom_mail import read
from mailroom_mail.reading import fragments
from mailroom_runtime import pieces
from mailroom_runtime.blobs.store import BlobStore
from mailroom_runtime.intake import normalise, understand_now

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BODY = b"Subject: Whole\r\nMessage-ID: <whole@example.org>\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\nthree\r\n"


def piece(number: int, total: int = 3, sender: str = "kim@example.org") -> bytes:
    lines = BODY.splitlines(keepends=True)
    content = b"".join([lines[:5], lines[5:6], lines[6:]][number - 1])
    return (
        f"From: {sender}\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\nContent-Type: message/partial; id=all@x; number={number}; total={total}\r\n\r\n".encode()
        + content
    )


async def take(
    blobs: BlobStore, raw: bytes, *, at: datetime = NOW, portal: str = "p1", mail_from: str = "kim@example.org"
) -> bytes | None:
    understood = understand_now(raw, mail_from)
    event = await normalise(
        raw, blobs=blobs, portal_id=portal, envelope=Envelope(mail_from=mail_from, rcpt_to=["support@acme.example"]), address_ids=["a1"], source="smtp", received_at=at, understood=understood,
    )  # fmt: skip
    return await pieces.whole(blobs, event, understood)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_in_whatever_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    async def story() -> None:
        blobs = BlobStore(tmp_path.as_uri())
        found = [await take(blobs, piece(number)) for number in order]
        assert found[:2] == [None, None]
        assert found[2] is not None
        mail = read(found[2])
        assert (mail.subject, mail.message_id, mail.text) == ("Whole", "whole@example.org", "one\ntwo\nthree\n")
        assert await take(blobs, piece(order[0])) == found[2]  # a resent piece makes the same mail

    asyncio.run(story())


def test_bounds_and_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        blobs = BlobStore(tmp_path.as_uri())
        await take(blobs, piece(1))
        await take(blobs, piece(2, sender="eve@example.org"))
        await take(blobs, piece(2), portal="p2")
        await take(blobs, piece(2), mail_from="eve@example.org")
        assert await take(blobs, piece(3)) is None
        assert await take(blobs, piece(2), at=NOW + timedelta(days=8)) is None
        assert await take(blobs, piece(2)) is not None
        assert await take(blobs, piece(1, total=101)) is None
        monkeypatch.setattr(fragments, "MAX_BYTES", 100)
        assert await take(blobs, piece(2)) is None
        assert await take(blobs, b"From: kim@example.org\r\n\r\nplain") is None

    asyncio.run(story())
