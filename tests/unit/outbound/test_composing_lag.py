"""Writing an answer below long history holds nothing else up: no turn of the loop takes more than 50 ms of its thread's time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mailroom_console.tickets import history
from mailroom_contracts import Address, OutboundMail, Person, Quote
from mailroom_outbound.composing import letter
from mailroom_runtime.blobs.store import BlobStore
from support.doubling import busy
from support.loop_turns import LONGEST_S, turns

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ADDRESS = Address(id="ad1", portal_id="p1", kind="smtp", email="help@shop.example", full_name="Shop", queue_id="q1")
PARAGRAPH = "Grüße aus Köln: the parcel has not come, and the tracking number says nothing since Monday. "
HTML = "<blockquote style='margin:0'><p style='color:red'>" + PARAGRAPH + "</p>"
NESTED = HTML * 400 + "</blockquote>" * 400
FLAT = "<style>p { color: blue }</style>" + f"<p class='x'>{PARAGRAPH}</p>" * 8000


def order(text: str = "We look into it.", html: str | None = None, *quotes: Quote) -> OutboundMail:
    return OutboundMail(id="o1", portal_id="p1", ticket_id="t1", message_id="m1", address_id="ad1", kind="reply", subject="Re: Parcel",
                        text=text, html=html, to=[Person(email="jo@c.example")], rfc_message_id="m1@shop.example",
                        created_at=NOW, quotes=list(quotes))  # fmt: skip


def quote(text: str = "", html: str | None = None) -> Quote:
    return Quote.model_validate(
        {"from": {"email": "jo@c.example", "name": "Jo"}, "date": NOW, "text": text, "html": html}
    )


LETTERS = {
    "text just below what goes to a thread": order((PARAGRAPH * 1100)[:99_000]),
    "html just below it": order("x", f"<p>{PARAGRAPH}</p>" * 900),
    "sixty quotes": order("x", None, *[quote((PARAGRAPH * 300)[:20_000]) for _ in range(60)]),
    "a megabyte of text": order("x", None, quote(PARAGRAPH * 11_000)),
    "a megabyte without a line break": order("x", None, quote("x" * 1_000_000)),
    "a megabyte of line breaks": order("x", None, quote("\n" * 1_000_000)),
    "nested html": order("x", None, quote("", NESTED)),
    "a megabyte of html": order("x", None, quote("", FLAT)),
    "html that never ends": order("x", None, quote("", "<style" * 150_000)),
}  # fmt: skip


@pytest.mark.parametrize("what", LETTERS)
async def test_a_letter_is_written_without_holding_the_loop_up(what: str, tmp_path: Path) -> None:
    blobs = BlobStore((tmp_path / "blobs").as_uri())

    async def write() -> None:
        mail = await letter(
            LETTERS[what], ADDRESS, ("jo@c.example",), blobs, uncertain=False, tried=False, still_ours=lambda: True
        )
        assert b"Re: Parcel" in mail.raw

    await write()  # what is imported and started once holds nobody up twice
    async with turns() as took:
        await write()
        await asyncio.sleep(0)
    assert max(took) < LONGEST_S * busy(), f"{max(took) * 1000:.0f} ms"


async def test_history_is_gathered_without_holding_the_loop_up() -> None:
    """The console's part of it: a ticket that is full, each message as long as a row holds."""
    text = (PARAGRAPH * 3000)[:200_000]
    documents: list[dict[str, Any]] = [
        {
            "kind": "mail",
            "from": {"email": "jo@c.example"},
            "at": NOW.isoformat(),
            "text": text,
            "html": f"<p>{text}</p>",
        }
        for _ in range(500)
    ]
    for whole in (False, True):
        async with turns() as took:
            assert history.quotes(history.outward(documents), whole=whole)
            await asyncio.sleep(0)
        assert max(took) < LONGEST_S * busy()


async def test_the_measure_sees_a_loop_that_is_held_up() -> None:
    async with turns() as took:
        until = time.thread_time() + 0.08
        while time.thread_time() < until:
            pass
        await asyncio.sleep(0)
    assert max(took) > LONGEST_S
