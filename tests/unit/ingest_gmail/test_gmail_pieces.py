"""A mail that was sent in pieces and lies in Gmail comes together as it does through SMTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from mailroom_contracts import Address, EmailReceived, GmailAccount
from mailroom_gmail import RawMessage
from mailroom_ingest_gmail.mailbox import received
from mailroom_runtime.blobs.store import BlobStore

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = [
    b"Subject: Whole\r\nMessage-ID: <whole@example.org>\r\nContent-Type: text/plain\r\n\r\none\r\n",
    b"two\r\n",
    b"three\r\n",
]


def piece(number: int, *, labels: tuple[str, ...] = ("INBOX",), sender: str = "kim@example.org") -> RawMessage:
    head = (
        f"Return-Path: <{sender}>\r\nFrom: {sender}\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n"
        f"Content-Type: message/partial; id=all@x; number={number}; total=3\r\n\r\n"
    )
    at = int((NOW + timedelta(seconds=number)).timestamp() * 1000)
    return RawMessage(f"m{number}", f"t{number}", labels, head.encode() + BODY[number - 1], "1", at)


async def take(blobs: BlobStore, message: RawMessage, **more: bool) -> list[EmailReceived]:
    address = Address(id="ad1", portal_id="p1", kind="gmail", email="shop@gmail.example", gmail=GmailAccount())
    return await received(message, address, blobs=blobs, inline_limit=200_000, now=NOW, our_keys={}, **more)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
@pytest.mark.parametrize("imported", [True, False])
async def test_in_whatever_order(tmp_path: Path, order: tuple[int, ...], imported: bool) -> None:
    blobs = BlobStore(tmp_path.as_uri())
    found = [await take(blobs, piece(number), imported=imported) for number in order]
    assert [len(events) for events in found] == [1, 1, 2], "each piece is a mail, and with the last comes the whole one"
    whole = found[2][1]
    assert (whole.content.subject, whole.content.text) == ("Whole", "one\ntwo\nthree\n")
    assert whole.content.message_id == "whole@example.org"
    assert whole.gmail is not None
    assert (whole.gmail.imported, whole.gmail.sent, whole.source) == (imported, False, "gmail")
    again = await take(blobs, piece(order[0]), imported=imported)
    assert again[1].id == whole.id, "read twice it is the same mail"


async def test_another_author_adds_nothing(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path.as_uri())
    for message in (piece(1), piece(2, sender="eve@example.org"), piece(3)):
        assert len(await take(blobs, message)) == 1
